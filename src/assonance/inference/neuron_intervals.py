"""Intervals of single neurons' scores, from replicates that are added up and not kept."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from assonance.inference.intervals import LEVEL
from assonance.inference.localisation import LEAST_ROOM

Table = NDArray[np.floating]


def bases_of_neurons(deviations: Table, count: int, room: Table) -> NDArray[np.float64]:
    """Tell how far the localisation of each neuron moves with the random bases.

    Half of a 95 % interval for one more basis, which is what a layer's own would be if two layers
    shared nothing but a space: t·√(1 + 1/R) deviations, by the room to the whole layer.

    Parameters
    ----------
    deviations
        Of each neuron's `maxcorr_rotated` over the R bases; any shape.
    count
        R.
    room
        Whole layer's r less the rotated score.
    """
    if count < 2:
        return np.zeros(np.shape(room))
    reach = stats.t.ppf((1 + LEVEL) / 2, count - 1) * np.sqrt(1 + 1 / count) * deviations
    return np.asarray(reach / np.where(room >= LEAST_ROOM, room, np.nan))


class NeuronReplicates:
    """Sums over the replicates of neurons' scores, each without one group of utterances.

    Kept in float32 as deviations from the score of all frames, which are small.

    Parameters
    ----------
    names
        What is replicated.
    count, most, repeats
        Layers, neurons of the widest, and replicates.
    """

    def __init__(self, names: Sequence[str], count: int, most: int, repeats: int) -> None:
        self._repeats = repeats
        self._seen = np.zeros((count, count, 1), dtype=bool)
        self._sums = {
            name: np.zeros((2, count, count, most), dtype=np.float32) for name in names if repeats
        }

    @property
    def names(self) -> tuple[str, ...]:
        """What is replicated."""
        return tuple(self._sums)

    def add(self, name: str, rows: Sequence[int], column: int, moved: Table) -> None:
        """Add one replicate of some row layers against a column layer.

        Parameters
        ----------
        name, rows, column
            What, and where.
        moved
            Replicate less the score of all frames, (rows, most); NaN where there is no neuron.
        """
        total, squares = self._sums[name]
        total[rows, column] += moved
        squares[rows, column] += moved**2
        self._seen[rows, column] = True

    def jackknife(self, name: str, scores: Table, further: Table | float = 0.0) -> Table:
        """Give the interval of each neuron's score: see `assonance.inference.intervals.jackknife`.

        Parameters
        ----------
        name, scores
            What, and the scores of all frames, (L, L, D).
        further
            Half of an interval for what else is uncertain, independently.

        Returns
        -------
        numpy.ndarray
            Estimate, low and high, (L, L, D, 3); NaN where a score or a replicate is undefined,
            and where nothing was replicated.
        """
        total, squares = np.where(self._seen, self._sums[name].astype(np.float64), np.nan)
        return jackknife_of_sums(scores, total, squares, self._repeats, further)


def jackknife_of_sums(
    scores: Table, total: Table, squares: Table, count: int, further: Table | float = 0.0
) -> Table:
    """Give the jackknife's interval from sums over replicates.

    Parameters
    ----------
    scores
        Of all frames, any shape.
    total, squares
        Σ(θ₋g − θ) and Σ(θ₋g − θ)² of each.
    count
        Replicates; at least 2.
    further
        Half of an interval for what else is uncertain, independently.

    Returns
    -------
    numpy.ndarray
        Estimate, low and high, with a last axis more.
    """
    estimate = scores - (count - 1) / count * total
    spread = np.maximum(squares - total**2 / count, 0)
    reach = stats.t.ppf((1 + LEVEL) / 2, count - 1) * np.sqrt((count - 1) / count * spread)
    reach = np.hypot(reach, further)
    return np.stack([estimate, estimate - reach, estimate + reach], -1)
