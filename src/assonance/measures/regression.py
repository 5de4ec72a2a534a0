"""Each neuron predicted linearly from the whole of the other layer, in sample and held out."""

import torch

from assonance.measures.registry import STANDARDISED, NeuronScores, measure, spread
from assonance.settings import Settings
from assonance.statistics import Pair
from assonance.statistics.ridge import ridge_held_out


@measure(
    title="LinReg",
    level="neuron",
    needs="moments",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=STANDARDISED,
    source="Wu et al. 2020 (LinReg); El Kheir et al. 2024 (mixedsim)",
    rowwise=True,
)
def linreg(pair: Pair, settings: Settings) -> NeuronScores:
    """Multiple correlation r of each neuron with the whole of the other layer, in sample.

    A root, with a kink where nothing is shared: the interval is honest only where neurons share
    something (see docs/validity.md). `linreg_r2` and the held-out forms have none.
    """
    squared = pair.explained
    return NeuronScores(spread(squared.clamp(max=1).sqrt(), pair.x.varies))


@measure(
    title="LinReg, R²",
    level="neuron",
    needs="moments",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=STANDARDISED,
    source="the coefficient of determination; Wu et al. 2020 (LinReg) squared",
    rowwise=True,
)
def linreg_r2(pair: Pair, settings: Settings) -> NeuronScores:
    """Share R² of each neuron's variance that the whole of the other layer explains, in sample."""
    squared = pair.explained
    return NeuronScores(spread(squared.clamp(max=1), pair.x.varies))


@measure(
    title="LinReg, held-out R²",
    level="neuron",
    needs="folds",
    least_groups=2,
    symmetric=False,
    range=(None, 1.0),
    invariances=STANDARDISED,
    source="assonance: design of held-out measures by folds of moments",
    rowwise=True,
)
def linreg_heldout(pair: Pair, settings: Settings) -> NeuronScores:
    """Share R² of each neuron's variance that the other layer predicts in unseen utterances.

    Coefficients by least squares on the training folds, errors on the held-out fold about the
    training mean, both summed over folds. Below 0 where the prediction is worse than the mean.
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
    invariances=STANDARDISED,
    source="assonance: design of held-out measures by folds of moments",
    rowwise=True,
)
def linreg_heldout_r(pair: Pair, settings: Settings) -> NeuronScores:
    """Correlation of each neuron with its prediction from the other layer in unseen utterances.

    Sums as for `linreg_heldout`; 0 where the other layer predicts nothing but the mean.
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
    """Share R² of each neuron's variance that ridge regression predicts in unseen utterances.

    As `linreg_heldout`, with a penalty on the slopes of z-scored neurons. Its strength, one of 23
    for all neurons of a fold, is the best when each training fold is held out from the others:
    the fold that is scored has no part in it. NaN with fewer than three folds: one is scored, the
    others choose the strength.
    """
    if len(pair.folds) < 3:
        return NeuronScores(torch.full_like(pair.x.mean, torch.nan))
    variance, covariance, predicted = ridge_held_out(pair.folds)
    errors = variance - 2 * covariance + predicted
    return NeuronScores(torch.where(pair.x.varies, 1 - errors / variance, torch.nan))
