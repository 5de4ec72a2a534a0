"""Compute the localisation index: how far single neurons, not only a shared space, correspond."""

from collections.abc import Collection, Container, Hashable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

LOCALISATION = "localisation"


ROTATED = "maxcorr_rotated"


DRAWS = f"{ROTATED}_draws"


# What says how much the whole other layer knows of a neuron, the most trustworthy first.
WHOLE = ("linreg_heldout_r", "linreg")


# Where the whole layer says on average hardly more than the best direction of a random basis,
# there is nothing to localise and the index is a ratio of noises.
LEAST_ROOM = 0.01


def localisation_index(
    best: NDArray[np.floating],
    rotated: NDArray[np.floating],
    whole: NDArray[np.floating],
) -> float:
    """Tell how far single neurons, not only the shared space, correspond.

    Σ(best − rotated)/Σ(whole − rotated) over the neurons where all three are defined: 0 when two
    layers share a space in unrelated bases, 1 when one neuron says all that the other layer
    knows. Source: assonance; see docs/architecture.md.

    Parameters
    ----------
    best
        Correlation of each neuron with its best match (`maxcorr`), shape (D,).
    rotated
        The same in random bases of the other layer (`maxcorr_rotated`), shape (D,).
    whole
        Correlation with the prediction from the whole other layer (`linreg_heldout_r`, or
        `linreg` where nothing is held out), shape (D,).

    Returns
    -------
    float
        About 0 to 1; negative where neurons match worse than random bases. NaN where `whole`
        exceeds `rotated` by less than 0.01 on average.
    """
    defined = np.isfinite(best) & np.isfinite(rotated) & np.isfinite(whole)
    if not defined.any():
        return float("nan")
    room = float((whole[defined] - rotated[defined]).mean())
    if room < LEAST_ROOM:
        return float("nan")
    return float((best[defined] - rotated[defined]).mean()) / room


def predicted_r_of(names: Container[Hashable]) -> str:
    """Name the measure up to which the localisation index counts, of those that were taken."""
    return next(name for name in WHOLE if name in names)


def rotation_variance(
    draws: NDArray[np.floating], room: NDArray[np.floating]
) -> tuple[NDArray[np.float64], int]:
    """Tell how the localisation index varies with the random bases that it is held against.

    If two layers share nothing but a space, a layer's own basis is one more random basis: it
    differs from their mean by a variance of (1 + 1/R)·Var over the R random ones, by the squared
    room from there to what the whole layer knows.

    Parameters
    ----------
    draws
        `maxcorr_rotated` in each random basis, a last axis of R.
    room
        Mean of the whole layer's r less the rotated score; without that axis.

    Returns
    -------
    tuple
        The variance, and its degrees of freedom.
    """
    count = draws.shape[-1]
    if count < 2:
        return np.zeros(np.shape(room)), 1
    variance = (1 + 1 / count) * draws.var(-1, ddof=1)
    return np.asarray(variance / np.square(np.where(room > 0, room, np.nan))), count - 1


# Measures of single neurons between whose values the index lies, best first.
_BETWEEN = ("maxcorr", ROTATED)


Score = TypeVar("Score")


def is_localised(names: Collection[str]) -> bool:
    """Whether all that the index is made of is among the measures named."""
    return all(name in names for name in _BETWEEN) and any(name in names for name in WHOLE)


def localisation_terms(found: Mapping[str, Score]) -> tuple[Score, Score, Score]:
    """Pick what the index is made of: best match, random bases, whole layer."""
    best, rotated = _BETWEEN
    return found[best], found[rotated], found[predicted_r_of(found)]


def localisation_attributes(names: Collection[str]) -> dict[str, Any]:
    """Describe the index, made of those of the measures named."""
    whole = predicted_r_of(names)
    return {
        "long_name": "Localisation index",
        "description": "Share of what the whole other layer knows of a neuron, beyond a random "
        "basis of it, that one neuron knows: 0 for a space shared in unrelated bases, 1 where one "
        "neuron says all",
        "range": [-np.inf, np.inf],
        "source": f"assonance: Σ(maxcorr − maxcorr_rotated)/Σ({whole} − maxcorr_rotated)",
    }


def localisation_of_neurons(
    best: NDArray[np.floating], rotated: NDArray[np.floating], whole: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Tell how much of what the whole other layer knows of each neuron its best match knows.

    (best − rotated)/(whole − rotated), as `localisation_index` without its
    sums: a ratio of noisy differences, which few neurons determine well.

    Parameters
    ----------
    best, rotated, whole
        Of each neuron, as there; any shape.

    Returns
    -------
    numpy.ndarray
        NaN where `whole` exceeds `rotated` by less than 0.01.
    """
    room = whole - rotated
    return (best - rotated) / np.where(room >= LEAST_ROOM, room, np.nan)
