"""Half precision: what it is called, and what it costs."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from assonance.errors import AssonanceError

FULL = "float32"


_HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def dtype_of(precision: str) -> torch.dtype | None:
    """Give what to compute in where that is less than float32.

    Raises
    ------
    AssonanceError
        There is no such precision.
    """
    if precision != FULL and precision not in _HALVES:
        raise AssonanceError(f"precision {precision!r}: choose from {', '.join((FULL, *_HALVES))}")
    return _HALVES.get(precision)


def rounding(
    half: Mapping[str, NDArray[np.float32]], full: Mapping[str, NDArray[np.float32]]
) -> tuple[str, float]:
    """Find the layer that rounding changed most.

    Parameters
    ----------
    half, full
        The same layers in both precisions.

    Returns
    -------
    tuple of str and float
        Its label, and the root mean square of its change over that of its deviation from each
        neuron's mean.
    """
    errors = {
        label: float(
            np.sqrt(
                np.square(half[label] - values).mean() / np.square(values - values.mean(0)).mean()
            )
        )
        for label, values in full.items()
    }
    worst = max(errors, key=errors.__getitem__)
    return worst, errors[worst]
