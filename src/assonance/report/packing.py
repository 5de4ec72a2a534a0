"""Pack the numbers of the page: rounded as tables show them, compressed, once each."""

import base64
import json
import zlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Values are rounded to thousandths, as in every table.
DIGITS = 3
# The numbers that each kind of integer can hold, beside the one for a missing value.
_MOST = {"i1": 2**7 - 1, "i2": 2**15 - 1, "i4": 2**31 - 1}


def rounded(values: ArrayLike) -> NDArray[np.float64]:
    """Round to thousandths; tables and figures both show these values. NaN stays NaN."""
    scaled = np.rint(np.asarray(values, np.float64) * 10**DIGITS)
    # Adding 0 turns −0 into 0.
    return np.asarray(scaled / 10**DIGITS + 0.0)


class Packer:
    """Collect arrays, and return in place of each a reference that the page's script resolves.

    An array is stored as 16-bit thousandths, as 32-bit ones if these do not reach, or else as
    float64; what is only drawn as 8-bit steps. The lowest integer stands for a missing value.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def scores(self, values: ArrayLike) -> dict[str, Any]:
        """Store scores, rounded to thousandths."""
        return self._store(np.asarray(values, np.float64), 10**DIGITS)

    def integers(self, values: ArrayLike) -> dict[str, Any]:
        """Store whole numbers, such as indices; NaN is missing."""
        return self._store(np.asarray(values, np.float64), 1)

    def coarse(self, values: ArrayLike, unit: int) -> dict[str, Any]:
        """Store what is only drawn, in steps of 1/unit; beyond 127 steps it is clipped."""
        limit = _MOST["i1"] / unit
        return self._store(np.asarray(values, np.float64).clip(-limit, limit), unit, "i1")

    def _store(self, values: NDArray[np.float64], unit: int, least: str = "i2") -> dict[str, Any]:
        scaled = np.rint(values * unit)
        most = np.abs(scaled[~np.isnan(scaled)]).max(initial=0)
        kinds = list(_MOST)[list(_MOST).index(least) :]
        kind = next((name for name in kinds if most <= _MOST[name]), "f8")
        if kind == "f8":
            stored = rounded(values).astype("<f8")
        else:
            stored = np.where(np.isnan(scaled), -_MOST[kind] - 1, scaled).astype(f"<{kind}")
        content = stored.tobytes()
        content += bytes(-len(content) % 8)
        start, self._length = self._length, self._length + len(content)
        self._parts.append(content)
        return {"at": start, "shape": list(values.shape), "kind": kind, "unit": unit}

    def pack(self, record: dict[str, Any]) -> str:
        """Return record and arrays as base64 of a zlib stream.

        The stream holds the length of the record in bytes (32-bit, little-endian) and four bytes
        of zeros, the record as JSON, padded with spaces to a multiple of eight, and the arrays.
        """
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        head = np.array([len(text), 0], "<u4").tobytes()
        return base64.b64encode(zlib.compress(head + text + b"".join(self._parts), 9)).decode()
