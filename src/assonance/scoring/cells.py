"""Places of a tile's pairs and layers, in tables of the tile and in tables of all layers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Cells:
    """Copies results of a tile into tables of all layers.

    Parameters
    ----------
    pairs
        Pairs of the tile; both directions are copied.
    first
        Layers of the tile that no earlier tile has, whose descriptors are copied.
    here, there
        Index of each layer in the tables of the tile, and in those of all layers.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]],
        first: Sequence[str],
        here: Mapping[str, int],
        there: Mapping[str, int],
    ) -> None:
        both = list(dict.fromkeys([*pairs, *((b, a) for a, b in pairs)]))
        self._pairs, self._first, self._layers = (
            [
                tuple(
                    np.array([index[name] for name in names], int)
                    for names in zip(*of, strict=True)
                )
                for index in (here, there)
            ]
            for of in (both, [(name,) for name in first], [(name,) for name in here])
        )

    def copy(self, here: NDArray[Any], there: NDArray[Any]) -> None:
        """Copy the pairs of a table with first dimensions row layer, column layer."""
        there[self._pairs[1]] = here[self._pairs[0]]

    def copy_first(self, here: NDArray[Any], there: NDArray[Any]) -> None:
        """Copy what describes single layers, in a table with the first dimension layer."""
        if self._first[0]:
            there[self._first[1]] = here[self._first[0]]

    def lower(self, here: NDArray[Any], there: NDArray[Any]) -> None:
        """Take the lower of both values for each layer of the tile; NaN counts as absent."""
        place = self._layers[1]
        there[place] = np.fmin(there[place], here[self._layers[0]])
