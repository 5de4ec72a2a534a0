"""Bring layers of extreme scale to an ordinary one, by powers of two, which change no digit."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

# Sums of fourth powers of values between 2⁻¹⁶ and 2¹⁶ stay within the range of float32.
_ORDINARY = 16
# A layer this many powers below the largest counts as that small. Only the Procrustes similarity
# compares sizes, and is then below 2⁻²³.
_SMALLEST = -24


def exponents(largest: Mapping[str, float]) -> dict[str, int]:
    """Return, by layer, the power of two that its frames are to be multiplied by.

    Parameters
    ----------
    largest
        Largest absolute value of each layer, or of some of its frames.

    Returns
    -------
    dict of int
        0 for all layers if none is extreme. Otherwise the ratios of layers stay as they are,
        unless one is beyond 2²⁴.

    Examples
    --------
    >>> exponents({"a": 3.0, "b": 0.01})
    {'a': 0, 'b': 0}
    >>> exponents({"a": 2.0**500, "b": 2.0**499, "c": 2.0**-500})
    {'a': -501, 'b': -501, 'c': 475}
    """
    sizes = {name: math.frexp(value)[1] for name, value in largest.items() if value > 0}
    if all(abs(size) <= _ORDINARY for size in sizes.values()):
        return dict.fromkeys(largest, 0)
    top = max(sizes.values())
    return {
        name: max(sizes[name] - top, _SMALLEST) - sizes[name] if name in sizes else 0
        for name in largest
    }


def scaled(values: "Tensor", exponent: int) -> "Tensor":
    """Return values times two to the power of an exponent; themselves if it is 0."""
    if not exponent:
        return values
    return values.new_tensor(np.ldexp(values.cpu().numpy(), exponent))
