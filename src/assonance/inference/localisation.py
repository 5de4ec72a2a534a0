"""Compute the localisation index: whether single neurons correspond, not only a shared space."""

from collections.abc import Collection, Container, Hashable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

LOCALISATION = "localisation"
MATCH = "maxcorr"
ROTATED = "maxcorr_rotated"
DRAWS = f"{ROTATED}_draws"
# Measures of the correlation with the prediction from the whole column layer, the preferred first.
PREDICTED_R = ("linreg_heldout_r", "linreg")
# Below this headroom between the rotated floor and the predicted r there is nothing to localise:
# the index would be a ratio of noise to noise.
LEAST_HEADROOM = 0.01

Score = TypeVar("Score")


def localisation_index(
    best: NDArray[np.floating],
    rotated: NDArray[np.floating],
    predicted: NDArray[np.floating],
) -> float:
    """Compute the localisation index of a layer.

    Σ(best − rotated)/Σ(predicted − rotated) over the neurons for which all three are defined. It is
    0 if two layers share a space in unrelated bases, and 1 if the best matching neuron predicts as
    much as the whole column layer. Source: assonance; see docs/architecture.md.

    Parameters
    ----------
    best
        Correlation of each neuron with its best match (`maxcorr`), shape (D,).
    rotated
        The same in random bases of the column layer (`maxcorr_rotated`), shape (D,).
    predicted
        Correlation with the prediction from the whole column layer (`linreg_heldout_r`, or
        `linreg` if nothing is held out), shape (D,).

    Returns
    -------
    float
        About 0 to 1; negative if neurons match worse than random bases do. NaN if `predicted`
        exceeds `rotated` by less than `LEAST_HEADROOM` on average.
    """
    defined = np.isfinite(best) & np.isfinite(rotated) & np.isfinite(predicted)
    if not defined.any():
        return float("nan")
    headroom = float((predicted[defined] - rotated[defined]).mean())
    if headroom < LEAST_HEADROOM:
        return float("nan")
    return float((best[defined] - rotated[defined]).mean()) / headroom


def localisation_of_neurons(
    best: NDArray[np.floating], rotated: NDArray[np.floating], predicted: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Compute the localisation index of each neuron, (best − rotated)/(predicted − rotated).

    A ratio of two noisy differences: its intervals are wide.

    Parameters
    ----------
    best, rotated, predicted
        As for `localisation_index`; any shape.

    Returns
    -------
    numpy.ndarray
        The same shape; NaN where `predicted` exceeds `rotated` by less than `LEAST_HEADROOM`.
    """
    headroom = predicted - rotated
    return (best - rotated) / np.where(headroom >= LEAST_HEADROOM, headroom, np.nan)


def rotation_variance(
    draws: NDArray[np.floating], headroom: NDArray[np.floating]
) -> tuple[NDArray[np.float64], int]:
    """Compute the variance of the localisation index over random bases.

    If two layers share only a space, a layer's own basis is one more random basis. It differs from
    the mean of R random bases by a variance of (1 + 1/R)·Var, divided by the squared headroom.

    Parameters
    ----------
    draws
        `maxcorr_rotated` in each random basis, with a last axis of R bases.
    headroom
        Mean predicted r minus the mean rotated score, without that axis.

    Returns
    -------
    tuple of numpy.ndarray and int
        The variance, and its degrees of freedom.
    """
    count = draws.shape[-1]
    if count < 2:
        return np.zeros(np.shape(headroom)), 1
    variance = (1 + 1 / count) * draws.var(-1, ddof=1)
    scale = np.where(headroom > 0, headroom, np.nan)
    return np.asarray(variance / np.square(scale)), count - 1


def predicted_r_of(names: Container[Hashable]) -> str:
    """Return the preferred measure of `PREDICTED_R` among the names."""
    return next(name for name in PREDICTED_R if name in names)


def is_localised(names: Collection[str]) -> bool:
    """Return whether the measures named suffice for the localisation index."""
    return all(name in names for name in (MATCH, ROTATED)) and any(
        name in names for name in PREDICTED_R
    )


def localisation_terms(scores: Mapping[str, Score]) -> tuple[Score, Score, Score]:
    """Return the terms of the index: best match, rotated floor, predicted r."""
    return scores[MATCH], scores[ROTATED], scores[predicted_r_of(scores)]


def localisation_attributes(names: Collection[str]) -> dict[str, Any]:
    """Return the attributes of the index in results, computed from the measures named."""
    predicted = predicted_r_of(names)
    return {
        "long_name": "Localisation index",
        "description": "How far from a random basis to the whole other layer the best matching "
        "neuron predicts: 0 for a space shared in unrelated bases, 1 if single neurons correspond",
        "range": [-np.inf, np.inf],
        "source": f"assonance: Σ(maxcorr − maxcorr_rotated)/Σ({predicted} − maxcorr_rotated)",
    }
