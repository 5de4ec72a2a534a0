"""Estimate regression scores and their spread with the coefficients held fixed.

Leaving out a group and fitting again costs as many fits as there are groups. Here each fold is
fitted once. To first order the error of a least-squares fit does not depend on its coefficients, so
the errors of single groups show how a score varies with the speech. Overfitting makes the error on
the frames of the fit too small by as much as it makes that on other frames too large: for many
independent normal frames, by the factors 1 − δ and 1/(1 − δ), δ the number of neurons over that of
frames. Their geometric mean is the error of the best coefficients. If frames depend on each other,
it is so to first order in δ; the distance from the arithmetic mean, which is of the second, counts
as a standard error.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class HeldEstimate:
    """Estimates of scores, and how they vary with the speech; of neurons (S,), or of a layer ().

    Attributes
    ----------
    estimate
        Corrected for bias.
    deviations
        Deviations with each of G jackknife groups left out, of mean 0; (G, ...).
    doubt
        A further standard error: of the correction for bias.
    """

    estimate: Array
    deviations: Array
    doubt: Array

    @property
    def variance(self) -> Array:
        """Variance of the estimate with the speech, by the jackknife."""
        count = len(self.deviations)
        return np.asarray((count - 1) / count * np.square(self.deviations).sum(0))

    def of(self, neurons: NDArray[np.integer]) -> "HeldEstimate":
        """Return the estimates of some neurons."""
        return HeldEstimate(
            self.estimate[neurons], self.deviations[:, neurons], self.doubt[neurons]
        )

    def replicates(self, score: Array | float) -> Array:
        """Return replicates from which `jackknife` computes this estimate and its error; (G, ...).

        The deviations are enlarged so that their variance includes the doubt.

        Parameters
        ----------
        score
            The score of all speech that they belong to.
        """
        bias = (score - self.estimate) / (len(self.deviations) - 1)
        variance = self.variance
        more = np.square(self.doubt) / np.where(variance > 0, variance, np.inf)
        replicates: Array = score + bias + np.sqrt(1 + more) * self.deviations
        return replicates

    def of_layer(self, score: float, scores: Array) -> "HeldEstimate":
        """Average over neurons that stand for all of a layer.

        Parameters
        ----------
        score
            Score of the layer: the mean over all its neurons.
        scores
            Scores of the neurons of this estimate, (S,). Their mean correction corrects `score`.
        """
        deviations = mean_of_defined(self.deviations)
        return HeldEstimate(
            score + mean_of_defined(self.estimate - scores),
            deviations - deviations.mean(0),
            mean_of_defined(self.doubt),
        )


def refitted(score: Array | float, replicates: Array) -> HeldEstimate:
    """Describe the estimate of an exact jackknife.

    Parameters
    ----------
    score
        The score of all speech; (...).
    replicates
        The scores with each group left out; (G, ...).
    """
    mean, count = replicates.mean(0), len(replicates)
    estimate = count * np.asarray(score) - (count - 1) * mean
    return HeldEstimate(estimate, replicates - mean, np.zeros(np.shape(mean)))


def matched(score: Array | float, replicates: Array, held_out: Array | float) -> HeldEstimate:
    """Describe the estimate of a best match, whose choice adds doubt.

    The highest of several correlations is above the truth on average. The correlation with the
    match that other speech chose is below it, since the choice is not always the best. Half of
    their distance counts as a standard error of the exact jackknife's estimate.

    Parameters
    ----------
    score, replicates
        As for `refitted`.
    held_out
        The correlation with the match that other speech chose; (...).
    """
    exact = refitted(score, replicates)
    doubt = np.abs(np.asarray(score) - held_out) / 2
    return HeldEstimate(exact.estimate, exact.deviations, np.asarray(doubt))


def held_r2(variance: Array, errors: Array, fitted: Array) -> HeldEstimate:
    """Estimate R² for an unlimited amount of training speech.

    Parameters
    ----------
    variance, errors
        Σx² and Σ(x − p)² over the held-out frames of each jackknife group; (G, S).
    fitted
        Σ(x − p)²/Σx² over the frames that the coefficients were fitted to; (S,).

    Returns
    -------
    HeldEstimate
        NaN for neurons that do not vary.
    """
    total, error = variance.sum(0), errors.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        held_out = error / total
        # Of a layer against itself both errors are rounding, and none of either is overfitting.
        overfit = np.where(held_out > _ROUNDING, np.maximum(fitted, 0) / held_out, 1.0)
        shrunk = np.sqrt(overfit)
        left = 1 - shrunk * (error - errors) / (total - variance)
        doubt = held_out * ((1 + overfit) / 2 - shrunk)
    return HeldEstimate(1 - shrunk * held_out, left - left.mean(0), np.abs(doubt))


def held_r(r2: HeldEstimate) -> HeldEstimate:
    """Estimate the correlation of neurons with their predictions from that of R².

    The root of R², with the sign of R² if noise takes it below 0: so its mean is 0 where nothing
    is shared. The root bends, which costs it Var(R²)/8R³ on average. A second difference over the
    standard error, which stays finite near 0, gives that back.
    """
    error = np.sqrt(r2.variance)
    middle = _signed_root(r2.estimate)
    bend = (_signed_root(r2.estimate + error) + _signed_root(r2.estimate - error)) / 2 - middle
    left = _signed_root(r2.estimate + r2.deviations)
    doubt = np.abs(middle - _signed_root(r2.estimate - r2.doubt))
    return HeldEstimate(middle - bend, left - left.mean(0), doubt)


def minus(one: HeldEstimate, other: HeldEstimate) -> HeldEstimate:
    """Subtract two estimates of the same groups."""
    return HeldEstimate(
        one.estimate - other.estimate, one.deviations - other.deviations, one.doubt + other.doubt
    )


def ratio(one: HeldEstimate, other: HeldEstimate, least: float) -> HeldEstimate:
    """Divide two estimates of the same groups, to first order in how they vary.

    Parameters
    ----------
    one, other
        Numerator and denominator.
    least
        Smallest denominator; NaN below it.
    """
    denominator = np.where(other.estimate >= least, other.estimate, np.nan)
    quotient = one.estimate / denominator
    return HeldEstimate(
        quotient,
        (one.deviations - quotient * other.deviations) / denominator,
        (one.doubt + np.abs(quotient) * other.doubt) / denominator,
    )


def mean_of_defined(values: Array) -> Array:
    """Average the finite values over the last axis; NaN without a warning if there are none."""
    defined = np.isfinite(values)
    count = defined.sum(-1)
    total = np.where(defined, values, 0).sum(-1)
    return np.where(count, total / np.maximum(count, 1), np.nan)


# Share of a neuron's variance below which an error is rounding.
_ROUNDING = 1e-6


def _signed_root(values: Array) -> Array:
    return np.asarray(np.sign(values) * np.sqrt(np.abs(values)))
