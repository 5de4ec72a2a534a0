"""Round frames to half precision for the disk, and measure the error that this makes."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from assonance.errors import AssonanceError, printable
from assonance.settings import Stored

FULL: Stored = "float32"
# By layer: the sum of squared errors, and the sum of squared deviations from the mean frame.
Rounding = dict[str, tuple[float, float]]


def rounded(
    values: NDArray[np.float32], dtype: np.dtype[np.floating], layer: str
) -> NDArray[np.floating]:
    """Return a layer's frames in the number format of the disk.

    Raises
    ------
    AssonanceError
        Half precision has no such large numbers.
    """
    largest = float(np.abs(values).max(initial=0))
    if largest > float(np.finfo(dtype).max):
        raise AssonanceError(
            f"{printable(layer)}: holds {largest:.3g}, beyond the numbers of {dtype}; "
            "keep activations with --store float32"
        )
    return values.astype(dtype, copy=False)


def rounding(
    full: Mapping[str, NDArray[np.float32]], half: Mapping[str, NDArray[np.floating]]
) -> Rounding:
    """Measure how rounding changed the layers of an utterance, in float64."""
    found = {}
    for layer, values in full.items():
        exact = values.astype(np.float64)
        error = np.square(half[layer] - exact).sum()
        mean = exact.sum(0) / max(len(exact), 1)
        found[layer] = float(error), float(np.square(exact - mean).sum())
    return found


def largest_error(utterances: Iterable[Rounding]) -> tuple[str, float] | None:
    """Return the layer that rounding changed most over all utterances, and by how much.

    Returns
    -------
    tuple of str and float, or None
        The root of the sum of squared errors over that of squared deviations from the mean frame
        of each utterance. None if nothing was rounded.
    """
    errors: dict[str, float] = {}
    spread: dict[str, float] = {}
    for each in utterances:
        for layer, (error, deviation) in each.items():
            errors[layer] = errors.get(layer, 0.0) + error
            spread[layer] = spread.get(layer, 0.0) + deviation
    relative = {layer: (errors[layer] / spread[layer]) ** 0.5 for layer in errors if spread[layer]}
    if not relative:
        return None
    worst = max(relative, key=relative.__getitem__)
    return worst, relative[worst]
