"""Predict each neuron linearly from the whole other layer, in sample and held out."""

import torch

from assonance.measures.registry import STANDARDISED, Invariance, NeuronScores, measure, spread
from assonance.settings import Settings
from assonance.statistics import Pair
from assonance.statistics.ridge import ridge_held_out

# Least squares have the same fit whatever basis the column layer is given in.
PREDICTED: tuple[Invariance, ...] = (*STANDARDISED, "column linear")


@measure(
    title="LinReg",
    level="neuron",
    needs="moments",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=PREDICTED,
    source="Wu et al. 2020 (LinReg); El Kheir et al. 2024 (mixedsim)",
    rowwise=True,
    regression="r",
)
def linreg(pair: Pair, settings: Settings) -> NeuronScores:
    """Compute the multiple correlation r of each neuron with the whole other layer, in sample.

    The square root has a kink where nothing is shared. Intervals from regressions that are fitted
    again (`Settings.refit`, a bootstrap) are therefore honest only if neurons share something.
    Those with coefficients held are honest there too (docs/validity.md).
    """
    squared = pair.explained
    return NeuronScores(spread(squared.clamp(max=1).sqrt(), pair.x.varies))


@measure(
    title="LinReg, R²",
    level="neuron",
    needs="moments",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=PREDICTED,
    source="the coefficient of determination; Wu et al. 2020 (LinReg) squared",
    rowwise=True,
    regression="r2",
)
def linreg_r2(pair: Pair, settings: Settings) -> NeuronScores:
    """Compute the share R² of each neuron's variance that the other layer explains, in sample."""
    squared = pair.explained
    return NeuronScores(spread(squared.clamp(max=1), pair.x.varies))


@measure(
    title="LinReg, held-out R²",
    level="neuron",
    needs="folds",
    least_groups=2,
    symmetric=False,
    range=(None, 1.0),
    invariances=PREDICTED,
    source="assonance: design of held-out measures by folds of moments",
    rowwise=True,
    regression="r2",
)
def linreg_heldout(pair: Pair, settings: Settings) -> NeuronScores:
    """Compute the share R² of each neuron's variance that the other layer predicts, held out.

    Coefficients are fitted by least squares on the training folds. Errors, and deviations from the
    training mean, are summed over the held-out folds. Below 0 if the prediction is worse than the
    mean.
    """
    variance, covariance, predicted = pair.held_out
    errors = variance - 2 * covariance + predicted
    return NeuronScores(torch.where(pair.x.varies, 1 - errors / variance, torch.nan))


@measure(
    title="LinReg, held-out r",
    level="neuron",
    needs="folds",
    least_groups=2,
    symmetric=False,
    range=(-1.0, 1.0),
    invariances=PREDICTED,
    source="assonance: design of held-out measures by folds of moments",
    rowwise=True,
    regression="r",
)
def linreg_heldout_r(pair: Pair, settings: Settings) -> NeuronScores:
    """Compute the correlation of each neuron with its held-out prediction from the other layer.

    From the sums of `linreg_heldout`; 0 if only the mean is predicted.
    """
    variance, covariance, predicted = pair.held_out
    r = covariance / (variance * predicted).sqrt().clamp(min=torch.finfo(torch.float64).tiny)
    return NeuronScores(torch.where(pair.x.varies, r.clamp(-1, 1), torch.nan))


@measure(
    title="Ridge, held-out R²",
    level="neuron",
    needs="folds",
    least_groups=3,
    symmetric=False,
    range=(None, 1.0),
    invariances=STANDARDISED,
    source="Hoerl & Kennard 1970; assonance: design of held-out measures by folds of moments",
)
def ridge_heldout(pair: Pair, settings: Settings) -> NeuronScores:
    """Compute the share R² of each neuron's variance that ridge regression predicts, held out.

    As `linreg_heldout`, with a penalty on the slopes of standardised neurons. The penalty, one of
    23 for all neurons of a fold, is chosen by cross-validation within the training folds, so the
    scored fold has no influence on it. NaN with fewer than three folds.
    """
    if len(pair.folds) < 3:
        return NeuronScores(torch.full_like(pair.x.mean, torch.nan))
    variance, covariance, predicted = ridge_held_out(pair.folds)
    errors = variance - 2 * covariance + predicted
    return NeuronScores(torch.where(pair.x.varies, 1 - errors / variance, torch.nan))
