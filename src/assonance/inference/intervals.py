"""Compute estimates, confidence intervals and p values from replicates of scores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

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

# Coverage of the intervals.
LEVEL = 0.95
STATISTICS = ("estimate", "low", "high")
# Attribute of replicates that hold the coefficients of regressions; see `assonance.inference.held`.
HELD = "coefficients_held"
# Closer to ±1 than this, a score differs from it by rounding alone, which artanh would amplify.
AT_THE_END = 1e-6


class Estimate(Protocol):
    """A bias-corrected estimate with standard error, interval and p value; arrays of one shape.

    NaN where the score or one of its replicates is undefined.
    """

    @property
    def estimate(self) -> NDArray[np.float64]:
        """Estimate of the score for an unlimited amount of speech."""

    @property
    def error(self) -> NDArray[np.float64]:
        """Standard error of the estimate."""

    @property
    def degrees(self) -> NDArray[np.float64]:
        """Degrees of freedom of the standard error."""

    @property
    def interval(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Low and high end of the interval at `LEVEL`."""

    @property
    def p(self) -> NDArray[np.float64]:
        """One-sided p value of the hypothesis that the score is 0."""

    def add_variance(self, variance: NDArray[np.floating], degrees: float) -> Self:
        """Return the estimate with an independent source of variance added."""


Method = Callable[[NDArray[np.floating], NDArray[np.floating]], Estimate]


@dataclass(frozen=True)
class TEstimate:
    """An estimate whose interval is Student's t; see `Estimate`."""

    estimate: NDArray[np.float64]
    error: NDArray[np.float64]
    degrees: NDArray[np.float64]

    @property
    def interval(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The estimate ± t times its standard error."""
        reach = stats.t.ppf((1 + LEVEL) / 2, self.degrees) * self.error
        return self.estimate - reach, self.estimate + reach

    @property
    def p(self) -> NDArray[np.float64]:
        """One-sided p value of Student's t; without any spread the sign decides."""
        certain = np.where(self.estimate == 0, 0.5, self.estimate < 0)
        error = np.where(self.error == 0, 1, self.error)
        p = stats.t.sf(self.estimate / error, self.degrees)
        return np.where(self.error == 0, certain, p)

    def add_variance(self, variance: NDArray[np.floating], degrees: float) -> "TEstimate":
        """Add a variance, with the degrees of freedom of Satterthwaite (1946)."""
        own = np.square(self.error)
        total = own + variance
        weighted = np.square(own) / self.degrees + np.square(variance) / degrees
        combined = np.square(total) / np.where(weighted == 0, 1, weighted)
        freedom = np.where(weighted == 0, self.degrees, combined)
        return TEstimate(self.estimate, np.sqrt(total), freedom)


@dataclass(frozen=True)
class BootstrapEstimate:
    """An estimate whose deviations are those of bootstrap draws; see `Estimate`.

    Attributes
    ----------
    estimate
        Corrected for bias.
    deviations
        Deviations of the draws from their mean, with a last axis of B draws.
    """

    estimate: NDArray[np.float64]
    deviations: NDArray[np.float64]

    @property
    def error(self) -> NDArray[np.float64]:
        """Standard deviation of the draws."""
        return np.asarray(self.deviations.std(-1, ddof=1))

    @property
    def degrees(self) -> NDArray[np.float64]:
        """NaN: the bootstrap assumes no distribution."""
        return np.full(np.shape(self.estimate), np.nan)

    @property
    def interval(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The estimate minus the upper, and minus the lower quantile of the deviations."""
        tails = (1 - LEVEL) / 2, (1 + LEVEL) / 2
        least, most = np.quantile(self.deviations, tails, axis=-1, method="weibull")
        return self.estimate - most, self.estimate - least

    @property
    def p(self) -> NDArray[np.float64]:
        """Share of the draws whose deviation is at least the estimate, which counts as one."""
        return rank_p_value(self.estimate, self.deviations)

    def add_variance(self, variance: NDArray[np.floating], degrees: float) -> "BootstrapEstimate":
        """Add to each draw a deviation from Student's t with this variance."""
        count = self.deviations.shape[-1]
        steps = stats.t.ppf((np.arange(count) + 0.5) / count, degrees)
        np.random.default_rng(0).shuffle(steps)
        further = np.sqrt(variance)[..., None] * steps
        return BootstrapEstimate(self.estimate, self.deviations + further)


def jackknife(score: NDArray[np.floating], replicates: NDArray[np.floating]) -> TEstimate:
    """Compute the delete-a-group jackknife: bias-corrected estimate and Student's t interval.

    With G groups, the estimate G·θ − (G − 1)·mean θ₋g removes the bias that falls as one over the
    amount of speech, which in-sample measures of dependent frames have. The interval is the
    estimate ± t·√((G − 1)/G · Σ(θ₋g − mean)²); see `effective_degrees`. Source: Shao & Tu 1995.
    docs/validity.md gives its coverage.

    Parameters
    ----------
    score
        The score θ of all speech, any shape.
    replicates
        The scores θ₋g with one group left out, with a last axis of G groups.

    Returns
    -------
    TEstimate
        All NaN for fewer than two groups.
    """
    count = replicates.shape[-1]
    degrees = np.full(np.shape(score), max(count - 1, 1), dtype=np.float64)
    if count < 2:
        return TEstimate(np.full_like(degrees, np.nan), np.full_like(degrees, np.nan), degrees)
    mean = replicates.mean(-1)
    estimate = count * score - (count - 1) * mean
    deviations = replicates - mean[..., None]
    error = np.sqrt((count - 1) / count * np.square(deviations).sum(-1))
    return TEstimate(estimate, error, effective_degrees(deviations))


def effective_degrees(deviations: NDArray[np.floating]) -> NDArray[np.float64]:
    """Estimate the degrees of freedom of a variance that few groups may dominate.

    A sum V of squared deviations d has 2V²/Var(V) degrees of freedom (Satterthwaite 1946). Var(V)
    is at most the mean of Σd⁴, whatever the distribution of d; with this bound they are estimated
    by 2(Σd²)²/Σd⁴, less one for the mean. Of equal normal groups that is two thirds of them.

    Parameters
    ----------
    deviations
        Deviations of replicates from their mean, with a last axis of G groups.

    Returns
    -------
    numpy.ndarray
        Between 1 and G − 1; the latter without any spread.
    """
    count = deviations.shape[-1]
    largest = np.abs(deviations).max(-1, keepdims=True)
    # Relative to the largest, so that no power under- or overflows.
    relative = np.where(largest > 0, deviations / np.where(largest > 0, largest, 1), 1)
    squares = np.square(relative)
    degrees = 2 * squares.sum(-1) ** 2 / np.square(squares).sum(-1) - 1
    return np.asarray(np.clip(degrees, 1, count - 1), np.float64)


def bootstrap(score: NDArray[np.floating], replicates: NDArray[np.floating]) -> BootstrapEstimate:
    """Compute the basic bootstrap over groups: bias-corrected estimate and quantile interval.

    A draw deviates from the score as the score deviates from that of unlimited speech. The
    estimate is 2θ − mean θ*. The interval runs from 2θ minus the upper to 2θ minus the lower
    quantile of θ*. Source: Davison & Hinkley 1997, §5.2. docs/validity.md gives its coverage.

    Parameters
    ----------
    score
        The score θ of all speech, any shape.
    replicates
        The scores θ* of the draws, with a last axis of draws; see
        `assonance.inference.resampling.replicate_weights`.
    """
    mean = replicates.mean(-1)
    return BootstrapEstimate(np.asarray(2 * score - mean), replicates - mean[..., None])


# By the dimension of the replicates: one group left out each, or one draw of groups each.
METHODS: dict[str, Method] = {"group": jackknife, "draw": bootstrap}


def replicate_dimension(replicates: xr.Dataset) -> str | None:
    """Return the dimension of the replicates, a key of `METHODS`, or None if there are none."""
    return next((name for name in METHODS if name in replicates.sizes), None)


def method_text(replicates: xr.Dataset) -> str:
    """Describe the method of the intervals, with an article; empty if there are no replicates."""
    dim = replicate_dimension(replicates)
    if dim is None:
        return ""
    count = replicates.sizes[dim]
    text = {
        "group": f"a jackknife over {count} groups of utterances",
        "draw": f"a bootstrap of {count} draws of groups of utterances",
    }[dim]
    held = coefficients_held(replicates)
    return f"{text}, with the coefficients of regressions held fixed" if held else text


def coefficients_held(replicates: xr.Dataset) -> bool:
    """Return whether any replicates hold the coefficients of regressions fixed."""
    return any(HELD in array.attrs for array in replicates.data_vars.values())


def intervals(scores: xr.Dataset, replicates: xr.Dataset) -> xr.Dataset:
    """Compute the interval of every score that has replicates.

    Parameters
    ----------
    scores
        One variable a measure.
    replicates
        The same with one more, last dimension, a key of `METHODS`. Variables with another last
        dimension are ignored.

    Returns
    -------
    xarray.Dataset
        One variable a measure with a last dimension ``statistic``: estimate, low, high. Measures
        whose attribute ``scale`` is artanh (Fisher 1921) have theirs computed on that scale, where
        the variance hardly depends on the score. The localisation index also includes the
        variance over random bases (`rotation_variance`). Intervals are clipped to the range of
        the measure. The attribute ``method`` of each names its method.
    """
    result = xr.Dataset(
        coords={"statistic": list(STATISTICS)}, attrs={"method": method_text(replicates)}
    )
    for name, values in replicates.data_vars.items():
        method = METHODS.get(str(values.dims[-1]))
        if method is None:
            continue
        estimate = method(scores[name].values, values.values)
        if name == LOCALISATION and DRAWS in replicates:
            headroom = scores[predicted_r_of(scores)].values - scores[ROTATED].values
            estimate = estimate.add_variance(*rotation_variance(replicates[DRAWS].values, headroom))
        statistics = _stack(estimate)
        attributes = scores[name].attrs
        if attributes.get("scale") == "artanh":
            statistics = _on_artanh_scale(method, scores[name].values, values.values, statistics)
        statistics = within_range(statistics, attributes)
        about = {"method": method_text(replicates[[name]])}
        result[name] = ((*values.dims[:-1], "statistic"), statistics, about)
    return result.assign_coords(scores.coords)


def range_of(attributes: Mapping[str, Any]) -> tuple[float, float]:
    """Return the lowest and highest possible score of a measure, from its attributes in results."""
    low, high = attributes.get("range", (-np.inf, np.inf))
    return float(low), float(high)


def within_range(
    values: NDArray[np.floating], attributes: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Clip estimates and ends of intervals to the range of their measure.

    The true score, and any mean of true scores, lies within it: clipping costs no coverage.
    """
    return np.asarray(np.clip(values, *range_of(attributes)), np.float64)


def rank_p_value(values: NDArray[np.floating], nulls: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute one-sided p values from the rank of each score among its null values.

    (1 + #{null ≥ score})/(1 + K) for K null values. The score counts as one of K + 1 values that
    are exchangeable under the null, so p is never 0. Source: Phipson & Smyth 2010.

    Parameters
    ----------
    values
        Scores, any shape.
    nulls
        Null values, with a last axis of K.

    Returns
    -------
    numpy.ndarray
        NaN where the score or a null value is undefined.
    """
    reached = (nulls >= values[..., None]).sum(-1)
    p = (1 + reached) / (1 + nulls.shape[-1])
    return np.where(np.isnan(values) | np.isnan(nulls).any(-1), np.nan, p)


def _stack(estimate: Estimate) -> NDArray[np.float64]:
    """Stack `STATISTICS` along a last axis."""
    return np.stack([estimate.estimate, *estimate.interval], -1)


def _on_artanh_scale(
    method: Method,
    score: NDArray[np.floating],
    replicates: NDArray[np.floating],
    plain: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Compute intervals on the artanh scale and transform them back.

    Where the score or a replicate is at ±1, the interval on the plain scale is kept.
    """
    inside = np.maximum(np.abs(score), np.abs(replicates).max(-1)) < 1 - AT_THE_END
    estimate = method(
        np.arctanh(np.where(inside, score, 0)),
        np.arctanh(np.where(inside[..., None], replicates, 0)),
    )
    return np.where(inside[..., None], np.tanh(_stack(estimate)), plain)
