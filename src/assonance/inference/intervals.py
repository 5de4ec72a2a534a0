"""From scores to answers: floors, ceilings, and what lies between them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from assonance.inference.localisation import (
    DRAWS,
    LOCALISATION,
    ROTATED,
    predicted_r_of,
    rotation_variance,
)

# Probability with which an interval holds what it is about.
LEVEL = 0.95


STATISTICS = ("estimate", "low", "high")


# So near to 1 is rounding, which the scale of artanh would blow up.
AT_THE_END = 1e-6


class Estimate(Protocol):
    """A bias-corrected estimate and how sure it is; arrays of one shape.

    NaN where the score or one of its replicates is undefined.
    """

    @property
    def estimate(self) -> NDArray[np.float64]:
        """Of the score of endless speech."""

    @property
    def error(self) -> NDArray[np.float64]:
        """Standard error of the estimate."""

    @property
    def degrees(self) -> NDArray[np.float64]:
        """Of freedom of the error."""

    @property
    def ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Low and high end of the interval at `LEVEL`."""

    @property
    def p(self) -> NDArray[np.float64]:
        """One-sided: how often so high an estimate would come about if the truth were 0."""

    def plus(self, variance: NDArray[np.floating], degrees: float) -> Self:
        """Add what else is uncertain, independently, with its degrees of freedom."""


Method = Callable[[NDArray[np.floating], NDArray[np.floating]], Estimate]


@dataclass(frozen=True)
class TEstimate:
    """An estimate whose error is known from few deviations: Student's t. See `Estimate`."""

    estimate: NDArray[np.float64]
    error: NDArray[np.float64]
    degrees: NDArray[np.float64]

    @property
    def ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The estimate ± t·error."""
        reach = stats.t.ppf((1 + LEVEL) / 2, self.degrees) * self.error
        return self.estimate - reach, self.estimate + reach

    @property
    def p(self) -> NDArray[np.float64]:
        """Of Student's t; without any spread the sign decides."""
        certain = np.where(self.estimate == 0, 0.5, self.estimate < 0)
        error = np.where(self.error == 0, 1, self.error)
        found = stats.t.sf(self.estimate / error, self.degrees)
        return np.where(self.error == 0, certain, found)

    def plus(self, variance: NDArray[np.floating], degrees: float) -> "TEstimate":
        """Add a variance; degrees of freedom are Satterthwaite's (1946)."""
        own = np.square(self.error)
        total = own + variance
        weighted = np.square(own) / self.degrees + np.square(variance) / degrees
        together = np.square(total) / np.where(weighted == 0, 1, weighted)
        freedom = np.where(weighted == 0, self.degrees, together)
        return TEstimate(self.estimate, np.sqrt(total), freedom)


@dataclass(frozen=True)
class BootstrapEstimate:
    """An estimate whose deviations from the truth are taken to be those of draws. See `Estimate`.

    Attributes
    ----------
    estimate
        Corrected for bias.
    deviations
        Of the draws from their mean, a last axis of B more.
    """

    estimate: NDArray[np.float64]
    deviations: NDArray[np.float64]

    @property
    def error(self) -> NDArray[np.float64]:
        """Standard deviation of the draws."""
        return np.asarray(self.deviations.std(-1, ddof=1))

    @property
    def degrees(self) -> NDArray[np.float64]:
        """None: no distribution is assumed."""
        return np.full(np.shape(self.estimate), np.nan)

    @property
    def ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The estimate less the deviations that so many draws exceed, and fall short of."""
        tails = (1 - LEVEL) / 2, (1 + LEVEL) / 2
        least, most = np.quantile(self.deviations, tails, axis=-1, method="weibull")
        return self.estimate - most, self.estimate - least

    @property
    def p(self) -> NDArray[np.float64]:
        """Share of the draws that deviate upwards by the estimate or more, itself counted."""
        return rank_p_value(self.estimate, self.deviations)

    def plus(self, variance: NDArray[np.floating], degrees: float) -> "BootstrapEstimate":
        """Add to every draw what else might deviate, drawn from Student's t."""
        count = self.deviations.shape[-1]
        steps = stats.t.ppf((np.arange(count) + 0.5) / count, degrees)
        np.random.default_rng(0).shuffle(steps)
        return BootstrapEstimate(
            self.estimate, self.deviations + np.sqrt(variance)[..., None] * steps
        )


def jackknife(whole: NDArray[np.floating], replicates: NDArray[np.floating]) -> TEstimate:
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
    Student
        All NaN for fewer than two groups.
    """
    count = replicates.shape[-1]
    degrees = np.full(np.shape(whole), max(count - 1, 1), dtype=np.float64)
    if count < 2:
        return TEstimate(np.full_like(degrees, np.nan), np.full_like(degrees, np.nan), degrees)
    mean = replicates.mean(-1)
    estimate = count * whole - (count - 1) * mean
    spread = np.square(replicates - mean[..., None]).sum(-1)
    return TEstimate(estimate, np.sqrt((count - 1) / count * spread), degrees)


def bootstrap(whole: NDArray[np.floating], replicates: NDArray[np.floating]) -> BootstrapEstimate:
    """Tell how sure a score is, from what it is of groups of utterances drawn with replacement.

    Draws are to the whole as the whole is to endless speech: what they are above it, the score is
    above the truth. The estimate is 2θ − mean θ*, and the interval goes from 2θ − the upper to
    2θ − the lower quantile of θ*. Source: Davison & Hinkley 1997, §5.2, the basic bootstrap; see
    docs/validity.md for what it covers.

    Parameters
    ----------
    whole
        The score θ of everything, any shape.
    replicates
        θ*, with a last axis of draws more; see `assonance.inference.resampling.replicate_weights`.
    """
    mean = replicates.mean(-1)
    return BootstrapEstimate(np.asarray(2 * whole - mean), replicates - mean[..., None])


# By the dimension of replicates: a group left out each, or a draw of groups.
METHODS: dict[str, Method] = {"group": jackknife, "draw": bootstrap}


def replicate_dimension(replicates: xr.Dataset) -> str | None:
    """Name the dimension of replicates, a key of `METHODS`; None where there are none."""
    return next((name for name in METHODS if name in replicates.sizes), None)


def method_text(replicates: xr.Dataset) -> str:
    """Say how intervals are made of replicates, with an article; empty where there are none."""
    dim = replicate_dimension(replicates)
    if dim is None:
        return ""
    count = replicates.sizes[dim]
    return {
        "group": f"a jackknife over {count} groups of utterances",
        "draw": f"a bootstrap of {count} draws of groups of utterances",
    }[dim]


def intervals(scores: xr.Dataset, replicates: xr.Dataset) -> xr.Dataset:
    """Give every score that was replicated its interval.

    Parameters
    ----------
    scores
        One variable a measure.
    replicates
        The same with a last dimension more, a key of `METHODS`; what has another is passed over.

    Returns
    -------
    xarray.Dataset
        One variable a measure with a last dimension ``statistic``: estimate, low, high. That of
        the localisation index allows for the random bases too (`rotation_variance`). Where a
        measure's ``scale`` is artanh (Fisher 1921), on which a score varies alike wherever it
        lies, it is made there and brought back. None goes beyond the measure's range.
    """
    result = xr.Dataset(
        coords={"statistic": list(STATISTICS)}, attrs={"method": method_text(replicates)}
    )
    for name, values in replicates.data_vars.items():
        method = METHODS.get(str(values.dims[-1]))
        if method is None:
            continue
        found = method(scores[name].values, values.values)
        if name == LOCALISATION and DRAWS in replicates:
            room = scores[predicted_r_of(scores)].values - scores[ROTATED].values
            found = found.plus(*rotation_variance(replicates[DRAWS].values, room))
        told = _statistics(found)
        about = scores[name].attrs
        if about.get("scale") == "artanh":
            told = _on_curve(method, scores[name].values, values.values, told)
        # The truth lies within the measure's range: cutting there costs no coverage.
        told = np.clip(told, *about.get("range", (-np.inf, np.inf)))
        result[name] = ((*values.dims[:-1], "statistic"), told)
    return result.assign_coords(scores.coords)


def _statistics(found: Estimate) -> NDArray[np.float64]:
    """Put `STATISTICS` side by side."""
    return np.stack([found.estimate, *found.ends], -1)


def _on_curve(
    method: Method,
    whole: NDArray[np.floating],
    replicates: NDArray[np.floating],
    plain: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Make intervals on the scale of artanh and bring them back; plain where a score is at ±1."""
    inside = np.maximum(np.abs(whole), np.abs(replicates).max(-1)) < 1 - AT_THE_END
    found = method(
        np.arctanh(np.where(inside, whole, 0)),
        np.arctanh(np.where(inside[..., None], replicates, 0)),
    )
    return np.where(inside[..., None], np.tanh(_statistics(found)), plain)


def rank_p_value(values: NDArray[np.floating], nulls: NDArray[np.floating]) -> NDArray[np.float64]:
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
