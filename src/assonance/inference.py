"""From scores to answers: floors, ceilings, and what lies between them."""

from collections.abc import Container, Hashable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

# Probability with which an interval holds what it is about.
LEVEL = 0.95
STATISTICS = ("estimate", "low", "high")
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


@dataclass(frozen=True)
class Interval:
    """A bias-corrected estimate and where the truth lies; arrays of one shape.

    Attributes
    ----------
    estimate, low, high
        NaN where the score or one of its replicates is undefined.
    error
        Standard error of the estimate.
    """

    estimate: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    error: NDArray[np.float64]


def whole_of(names: Container[Hashable]) -> str:
    """Name the measure up to which the localisation index counts, of those that were taken."""
    return next(name for name in WHOLE if name in names)


def jackknife(whole: NDArray[np.floating], replicates: NDArray[np.floating]) -> Interval:
    """Tell how sure a score is, from what it is without each group of utterances in turn.

    With G groups, the estimate G·θ − (G − 1)·mean θ₋g has lost the bias that falls as one over
    the amount of speech: in-sample measures of dependent frames have much of it. The interval is
    the estimate ± t·√((G − 1)/G · Σ(θ₋g − mean)²), t of G − 1 degrees of freedom. Source: Shao &
    Tu 1995, the delete-a-group jackknife; see docs/validity.md for what it covers.

    Parameters
    ----------
    whole
        The score θ of everything, any shape.
    replicates
        θ₋g, with a last axis of G groups more.

    Returns
    -------
    Interval
        At `LEVEL`; all NaN for fewer than two groups.
    """
    count = replicates.shape[-1]
    if count < 2:
        nothing = np.full(np.shape(whole), np.nan)
        return Interval(nothing, nothing, nothing, nothing)
    mean = replicates.mean(-1)
    estimate = count * whole - (count - 1) * mean
    spread = np.square(replicates - mean[..., None]).sum(-1)
    error = np.sqrt((count - 1) / count * spread)
    reach = stats.t.ppf((1 + LEVEL) / 2, count - 1) * error
    return Interval(estimate, estimate - reach, estimate + reach, error)


def basis_reach(draws: NDArray[np.floating], room: NDArray[np.floating]) -> NDArray[np.float64]:
    """Tell how far the localisation index moves with the random bases that it is held against.

    If two layers share nothing but a space, a layer's own basis is one more random basis: half of
    the 95 % interval for it is t·√((1 + 1/R)·Var), of R − 1 degrees of freedom, over the R random
    ones, by the room from there to what the whole layer knows.

    Parameters
    ----------
    draws
        `maxcorr_rotated` in each random basis, a last axis of R.
    room
        Mean of the whole layer's r less the rotated score; without that axis.
    """
    count = draws.shape[-1]
    if count < 2:
        return np.zeros(np.shape(room))
    spread = (1 + 1 / count) * draws.var(-1, ddof=1)
    reach = stats.t.ppf((1 + LEVEL) / 2, count - 1) * np.sqrt(spread)
    return np.asarray(reach / np.where(room > 0, room, np.nan))


def widened(found: Interval, reach: NDArray[np.floating]) -> Interval:
    """Add what else is uncertain, independently, to both sides of an interval."""
    half = np.hypot(found.high - found.estimate, reach)
    return Interval(found.estimate, found.estimate - half, found.estimate + half, found.error)


def intervals(scores: xr.Dataset, replicates: xr.Dataset) -> xr.Dataset:
    """Give every score that was replicated its interval.

    Parameters
    ----------
    scores
        One variable a measure.
    replicates
        The same with a last dimension more, the ``group`` left out; what has another is passed
        over.

    Returns
    -------
    xarray.Dataset
        One variable a measure with a last dimension ``statistic``: estimate, low, high. That of
        the localisation index allows for the random bases too (`basis_reach`). None goes beyond
        the measure's range.
    """
    result = xr.Dataset(coords={"statistic": list(STATISTICS)})
    for name, values in replicates.data_vars.items():
        if values.dims[-1] != "group":
            continue
        found = jackknife(scores[name].values, values.values)
        if name == LOCALISATION and DRAWS in replicates:
            room = scores[whole_of(scores)].values - scores[ROTATED].values
            found = widened(found, basis_reach(replicates[DRAWS].values, room))
        stacked = np.stack([getattr(found, each) for each in STATISTICS], -1)
        # The truth lies within the measure's range: cutting there costs no coverage.
        stacked = np.clip(stacked, *scores[name].attrs.get("range", (-np.inf, np.inf)))
        result[name] = ((*values.dims[:-1], "statistic"), stacked)
    return result.assign_coords(scores.coords)


def counting_p(values: NDArray[np.floating], nulls: NDArray[np.floating]) -> NDArray[np.float64]:
    """Count how many null values reach a score.

    (1 + #{null ≥ score})/(1 + K) with K null values, the score being one of K + 1 that would be
    alike were the null true; never 0. Source: Phipson & Smyth 2010.

    Parameters
    ----------
    values
        Any shape.
    nulls
        With a last axis of K more.

    Returns
    -------
    ndarray
        NaN where the score or a null value is undefined.
    """
    reached = (nulls >= values[..., None]).sum(-1)
    p = (1 + reached) / (1 + nulls.shape[-1])
    return np.where(np.isnan(values) | np.isnan(nulls).any(-1), np.nan, p)
