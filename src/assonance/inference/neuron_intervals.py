"""Compute jackknife intervals of single neurons' scores from running sums over replicates."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from assonance.inference.intervals import LEVEL
from assonance.inference.localisation import LEAST_HEADROOM

Table = NDArray[np.floating]


def bases_of_neurons(deviations: Table, count: int, headroom: Table) -> NDArray[np.float64]:
    """Compute how far the localisation index of each neuron varies with the random bases.

    If two layers share only a space, a layer's own basis is one more random basis. The half-width
    is that of a 95 % prediction interval for one more basis: t·√(1 + 1/R) standard deviations,
    divided by the headroom.

    Parameters
    ----------
    deviations
        Standard deviation of each neuron's `maxcorr_rotated` over R bases, any shape.
    count
        Number of bases, R.
    headroom
        Predicted r of each neuron minus its rotated score.

    Returns
    -------
    numpy.ndarray
        Half-widths, in the shape of `deviations`; NaN where there is too little headroom.
    """
    if count < 2:
        return np.zeros(np.shape(headroom))
    reach = stats.t.ppf((1 + LEVEL) / 2, count - 1) * np.sqrt(1 + 1 / count) * deviations
    return np.asarray(reach / np.where(headroom >= LEAST_HEADROOM, headroom, np.nan))


class NeuronReplicates:
    """Sums over the jackknife replicates of neurons' scores.

    The replicates of all neurons would be too many to keep. Their deviations from the score of all
    frames, and the squares of these, are added up in float32: the deviations are small.

    Parameters
    ----------
    names
        Measures that are replicated.
    count
        Number of layers, L.
    most
        Number of neurons of the widest layer, D.
    repeats
        Number of replicates; 0 if neurons get no intervals.
    """

    def __init__(self, names: Sequence[str], count: int, most: int, repeats: int) -> None:
        self._repeats = repeats
        self._seen = np.zeros((count, count, 1), dtype=bool)
        self._sums = {
            name: np.zeros((2, count, count, most), dtype=np.float32) for name in names if repeats
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Measures that are replicated."""
        return tuple(self._sums)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the sums themselves, with first dimensions row layer, column layer."""
        sums = {name: np.moveaxis(each, 0, -1) for name, each in self._sums.items()}
        return {"seen": self._seen, **sums}

    def add(self, name: str, rows: Sequence[int], column: int, deviations: Table) -> None:
        """Add one replicate of some row layers against a column layer.

        Parameters
        ----------
        name, rows, column
            The measure, and the indices of the layers.
        deviations
            Replicate minus the score of all frames, shape (rows, D); NaN where a layer has fewer
            neurons.
        """
        total, squares = self._sums[name]
        total[rows, column] += deviations
        squares[rows, column] += deviations**2
        self._seen[rows, column] = True

    def jackknife(self, name: str, scores: Table, further: Table | float = 0.0) -> Table:
        """Compute the delete-a-group jackknife interval of each neuron's score.

        Parameters
        ----------
        name, scores
            The measure, and its scores of all frames, shape (L, L, D).
        further
            Half-width of an independent source of uncertainty, added in quadrature.

        Returns
        -------
        numpy.ndarray
            Estimate, low and high, shape (L, L, D, 3); NaN where a score or a replicate is
            undefined or absent.
        """
        total, squares = np.where(self._seen, self._sums[name].astype(np.float64), np.nan)
        return jackknife_of_sums(scores, total, squares, self._repeats, further)


def jackknife_of_sums(
    scores: Table, total: Table, squares: Table, count: int, further: Table | float = 0.0
) -> Table:
    """Compute the delete-a-group jackknife interval from sums over replicates.

    Parameters
    ----------
    scores
        Scores θ of all frames, any shape.
    total, squares
        Σ(θ₋g − θ) and Σ(θ₋g − θ)² over the replicates.
    count
        Number of replicates, at least 2.
    further
        Half-width of an independent source of uncertainty, added in quadrature.

    Returns
    -------
    numpy.ndarray
        Estimate, low and high, along a new last axis.
    """
    estimate = scores - (count - 1) / count * total
    spread = np.maximum(squares - total**2 / count, 0)
    reach = stats.t.ppf((1 + LEVEL) / 2, count - 1) * np.sqrt((count - 1) / count * spread)
    reach = np.hypot(reach, further)
    return np.stack([estimate, estimate - reach, estimate + reach], -1)
