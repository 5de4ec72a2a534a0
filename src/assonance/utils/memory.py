"""Parse amounts of memory, reuse buffers and return freed memory."""

import ctypes
import os
import re
from collections.abc import Hashable
from threading import get_ident
from typing import TYPE_CHECKING

from assonance.errors import AssonanceError

if TYPE_CHECKING:
    from torch import Tensor


def trim_heap() -> None:
    """Hand freed memory back to the system, where the C library can and would keep it.

    It keeps what several threads freed apart from each other, gigabytes of what came in small
    pieces, and a run would take the more the longer it lasts.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


class Scratch:
    """Memory that is used again: getting a large block costs more than filling it."""

    def __init__(self) -> None:
        self._blocks: dict[Hashable, Tensor] = {}

    def like(self, values: "Tensor", *shape: int, key: Hashable = None) -> "Tensor":
        """Give a matrix to write into, of the type and device of another.

        Parameters
        ----------
        values
            What it is to be like.
        shape
            Its shape.
        key
            Whose it is: it is written over when the same is asked for again. The calling thread's
            by default.
        """
        key = (get_ident() if key is None else key), values.dtype, values.device
        block = self._blocks.get(key)
        if block is None or block.numel() < shape[0] * shape[1]:
            self._blocks[key] = block = values.new_empty(shape[0] * shape[1])
        return block[: shape[0] * shape[1]].view(shape)


# What sums and factors may take where nothing else is said.
MEMORY = "4GB"


_UNITS: dict[str, int] = {"": 2**30, "B": 1} | {
    f"{prefix}{unit}": int(base**power)
    for power, prefix in enumerate("KMGT", 1)
    for unit, base in (("", 1000), ("B", 1000), ("iB", 1024))
}


_AMOUNT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-zA-Z]*)\s*")


def parse_bytes(amount: str | float) -> float:
    """Read an amount of memory.

    Parameters
    ----------
    amount
        ``"4GB"``, ``"512 MiB"``; a number without a unit is in GiB.

    Returns
    -------
    float
        Bytes, above 0.

    Raises
    ------
    AssonanceError
        It is no such amount.
    """
    match = _AMOUNT.fullmatch(f"{amount:.12f}" if isinstance(amount, float) else str(amount))
    units = {name.lower(): size for name, size in _UNITS.items()}
    if match is None or match[2].lower() not in units or not float(match[1]):
        raise AssonanceError(f"memory {amount!r} is no amount; give one such as 4GB or 512MB")
    return float(match[1]) * units[match[2].lower()]
