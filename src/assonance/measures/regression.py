"""Each neuron predicted linearly from the whole of the other layer, in sample and held out."""

import torch
from torch import Tensor

from assonance.measures.registry import STANDARDISED, NeuronScores, Settings, measure, spread
from assonance.statistics import Fold, Pair


@measure(
    title="LinReg",
    level="neuron",
    needs="moments",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=STANDARDISED,
    source="Wu et al. 2020 (LinReg); El Kheir et al. 2024 (mixedsim)",
)
def linreg(pair: Pair, settings: Settings) -> NeuronScores:
    """Multiple correlation r of each neuron with the whole of the other layer, in sample."""
    squared = (pair.correlation @ pair.y.whitening).square().sum(1)
    return NeuronScores(spread(squared.clamp(max=1).sqrt(), pair.x.varies))


@measure(
    title="LinReg, held-out R²",
    level="neuron",
    needs="folds",
    symmetric=False,
    range=(None, 1.0),
    invariances=STANDARDISED,
    source="assonance: design of held-out measures by folds of moments",
)
def linreg_heldout(pair: Pair, settings: Settings) -> NeuronScores:
    """Share R² of each neuron's variance that the other layer predicts in unseen utterances.

    Coefficients by least squares on the training folds, errors on the held-out fold about the
    training mean, both summed over folds. Below 0 where the prediction is worse than the mean.
    """
    variance, covariance, predicted = _held_out_sums(pair)
    errors = variance - 2 * covariance + predicted
    return NeuronScores(torch.where(pair.x.varies, 1 - errors / variance, torch.nan))


@measure(
    title="LinReg, held-out r",
    level="neuron",
    needs="folds",
    symmetric=False,
    range=(-1.0, 1.0),
    invariances=STANDARDISED,
    source="assonance: design of held-out measures by folds of moments",
)
def linreg_heldout_r(pair: Pair, settings: Settings) -> NeuronScores:
    """Correlation of each neuron with its prediction from the other layer in unseen utterances.

    Sums as for `linreg_heldout`; 0 where the other layer predicts nothing but the mean.
    """
    variance, covariance, predicted = _held_out_sums(pair)
    r = covariance / (variance * predicted).sqrt().clamp(min=torch.finfo(torch.float64).tiny)
    return NeuronScores(torch.where(pair.x.varies, r.clamp(-1, 1), torch.nan))


def _held_out_sums(pair: Pair) -> tuple[Tensor, Tensor, Tensor]:
    """Σx², Σx·p and Σp² of held-out neurons x and predictions p about the training means; (Dx,)."""
    totals = [_fold_sums(fold) for fold in pair.folds]
    variance, covariance, predicted = (
        torch.stack(part).sum(0) for part in zip(*totals, strict=True)
    )
    return variance, covariance, predicted


def _fold_sums(fold: Fold) -> tuple[Tensor, Tensor, Tensor]:
    training, held_out = fold.training, fold.held_out
    x_drift = held_out.x.mean - training.x.mean
    y_drift = held_out.y.mean - training.y.mean
    n = held_out.x.n
    y_scatter = held_out.y.scatter + n * torch.outer(y_drift, y_drift)
    cross = held_out.cross + n * torch.outer(x_drift, y_drift)
    variance = held_out.x.norms.square() + n * x_drift.square()

    varies = training.y.varies
    whitening = training.y.whitening / training.y.norms[varies, None]
    slopes = whitening @ (whitening.T @ training.cross[:, varies].T)
    covariance = (cross[:, varies].T * slopes).sum(0)
    predicted = (slopes * (y_scatter[varies][:, varies] @ slopes)).sum(0)
    return variance, covariance, predicted
