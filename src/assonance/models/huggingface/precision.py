"""Half precision: its names, and its rounding error."""

from collections.abc import Mapping
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray

from assonance.settings import Precision, check_choice

FULL = "float32"
_HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def half_dtype(precision: str) -> torch.dtype | None:
    """Return the torch type of a precision, or None for float32.

    Raises
    ------
    AssonanceError
        `precision` is not a known name.
    """
    check_choice("precision", precision, get_args(Precision))
    return _HALVES.get(precision)


def largest_rounding_error(
    half: Mapping[str, NDArray[np.float32]], full: Mapping[str, NDArray[np.float32]]
) -> tuple[str, float]:
    """Compute the relative rounding error of each layer, and return the largest.

    Parameters
    ----------
    half, full
        The same layers in half precision and in float32, each of shape (T, D).

    Returns
    -------
    tuple of str and float
        Label of the layer, and its error: the root mean square of the difference, divided by that
        of the deviation from each neuron's mean.
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
