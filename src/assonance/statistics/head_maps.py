"""Average the maps of attention heads over utterances, on a grid of relative time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.statistics.head_kernels import add_on_grid
from assonance.utils.cores import Map

# Cells of a mean map on either side, each of them 1/24 of an utterance.
PARTS_OF_TIME = 24
# Cells of the maps of one utterance on either side, at most.
MOST_CELLS = 48
# Of a weight from 0 to 1, its square root is kept in so many steps: even attention to 48 cells is
# then as precise as a single peak.
LEVELS = 255


@dataclass
class HeadMaps:
    """Mergeable sums of the maps of N attention heads, one utterance's maps at a time.

    Each map is brought onto `PARTS_OF_TIME` equal parts of its utterance: the weights of the keys
    in a part are summed, and the rows of the queries in a part averaged. A frame that overlaps two
    parts is split between them in proportion to the overlap. Every utterance weighs the same.

    Parameters
    ----------
    count
        Number of heads, N.

    Attributes
    ----------
    utterances
        Number of maps added; float64, shape (N,).
    total
        Their sum, float64, shape (N, `PARTS_OF_TIME`, `PARTS_OF_TIME`): queries, then keys.
    """

    count: int
    utterances: Tensor = field(init=False)
    total: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.utterances = torch.zeros(self.count, dtype=torch.float64)
        self.total = torch.zeros(self.count, PARTS_OF_TIME, PARTS_OF_TIME, dtype=torch.float64)

    def update(self, maps: Sequence[Tensor], valid: Tensor, pool_map: Map = map) -> None:
        """Add the maps of one utterance; the arguments are those of `HeadProfiles.update`."""
        self.total += torch.from_numpy(on_cells(maps, valid, PARTS_OF_TIME, pool_map))
        self.utterances += valid

    def merge(self, other: "HeadMaps") -> "HeadMaps":
        """Return the sums over the utterances of both; neither is changed."""
        if self.count != other.count:
            raise ValueError("maps of different heads cannot be merged")
        result = HeadMaps(self.count)
        result.set_sums({name: each + other.sums()[name] for name, each in self.sums().items()})
        return result

    def sums(self) -> dict[str, Tensor]:
        """Return all sums by name."""
        return {"utterances": self.utterances, "total": self.total}

    def set_sums(self, sums: Mapping[str, Tensor]) -> None:
        """Take over sums as `sums` returns them."""
        self.utterances, self.total = sums["utterances"], sums["total"]

    def mean(self) -> Tensor:
        """Return the mean maps; rows sum to 1. NaN for a head without any added map."""
        return self.total / self.utterances[:, None, None]


@dataclass(frozen=True)
class UtteranceMaps:
    """The maps of N heads of one utterance, as precise as the eye.

    Attributes
    ----------
    levels
        255 times the square root of the weight of each cell, rounded; int16, shape (N, C, C) with
        at most `MOST_CELLS` cells C of equal time; −1 for a head whose map is not valid. A weight
        is a sum over the keys of a cell, and a mean over its queries.
    seconds
        Length of the utterance, or of its first piece.
    """

    levels: NDArray[np.int16]
    seconds: float

    @classmethod
    def of(
        cls, maps: Sequence[Tensor], valid: Tensor, seconds: float, pool_map: Map = map
    ) -> "UtteranceMaps":
        """Keep the maps of an utterance; see `HeadProfiles.update`."""
        cells = min(maps[0].shape[-1], MOST_CELLS)
        weights = on_cells(maps, valid, cells, pool_map)
        levels = np.rint(LEVELS * np.sqrt(weights)).astype(np.int16)
        levels[~valid.numpy()] = -1
        return cls(levels, seconds)


def on_cells(
    maps: Sequence[Tensor], valid: Tensor, cells: int, pool_map: Map = map
) -> NDArray[np.float64]:
    """Bring the maps of one utterance onto a grid; see `HeadMaps`.

    Parameters
    ----------
    maps, valid, pool_map
        As for `HeadProfiles.update`.
    cells
        Number of equal parts of time.

    Returns
    -------
    ndarray
        Shape (N, cells, cells); 0 for maps that are not valid.
    """
    heads = [head for one in maps for head in one]
    result = np.zeros((len(heads), cells, cells))

    def bring(head: int) -> None:
        add_on_grid(heads[head].numpy(), result[head])

    for _ in pool_map(bring, valid.nonzero().flatten().tolist()):
        pass
    return result
