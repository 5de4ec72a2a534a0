"""Compute held-out ridge regression from moments by fold, with nested cross-validation."""

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from assonance.statistics.layer import LayerStatistics
from assonance.statistics.pair import Fold, Pair

# Candidate penalties on the squared slopes of z-scored neurons, divided by the number of training
# frames.
STRENGTHS = tuple(10 ** (half / 2) for half in range(-16, 7))


class RidgePath:
    """Ridge regression of x on all of y for every strength, from one factorisation of y.

    Slopes are along the eigenvectors of y's correlations, where every penalty is diagonal.

    Parameters
    ----------
    training
        Statistics of the frames that slopes are fitted to.
    """

    def __init__(self, training: Pair) -> None:
        self.training = training
        y = training.y
        self.values, vectors = y.spectrum
        self.axes = vectors / y.norms[y.varies, None]
        self.cross = self.axes.T @ training.cross[:, y.varies].T

    def errors(self, held_out: Pair, weights: Tensor) -> Tensor:
        """Compute the squared error over held-out frames for every strength, up to a constant.

        Parameters
        ----------
        held_out
            Statistics of frames that slopes were not fitted to.
        weights
            Weight of each neuron of x in the sum over neurons, shape (Dx,).

        Returns
        -------
        Tensor
            The error minus the weighted Σx², for each of `STRENGTHS`; shape (S,).
        """
        cross, scatter = self._along(held_out)
        linear = (self.cross * cross) @ weights
        quadratic = scatter * ((self.cross * weights) @ self.cross.T)
        inverse = 1 / (self.values[:, None] + self.values.new_tensor(STRENGTHS))
        return (inverse * (quadratic @ inverse)).sum(0) - 2 * linear @ inverse

    def predict(self, held_out: Pair, strength: float) -> tuple[Tensor, Tensor]:
        """Compute Σx·p and Σp² over held-out frames, about the training means; (Dx,) each."""
        cross, scatter = self._along(held_out)
        slopes = self.cross / (self.values + strength)[:, None]
        return (cross * slopes).sum(0), (slopes * (scatter @ slopes)).sum(0)

    def _along(self, held_out: Pair) -> tuple[Tensor, Tensor]:
        """Compute held-out products of y along the axes with x, (K, Dx), and with itself, (K, K).

        Both are about the training means.
        """
        n, varies = held_out.x.n, self.training.y.varies
        x_drift = held_out.x.mean - self.training.x.mean
        y_drift = self.axes.T @ (held_out.y.mean - self.training.y.mean)[varies]
        cross = self.axes.T @ held_out.cross[:, varies].T + n * torch.outer(y_drift, x_drift)
        scatter = self.axes.T @ held_out.y.scatter[varies][:, varies] @ self.axes
        return cross, scatter + n * torch.outer(y_drift, y_drift)


def ridge_held_out(folds: Sequence[Fold]) -> tuple[Tensor, Tensor, Tensor]:
    """Compute Σx², Σx·p and Σp² as `Pair.held_out` does, with p by ridge regression; (Dx,) each.

    Not divided by the neurons' norms. Each fold has its own strength: see `choose_strengths`.

    Parameters
    ----------
    folds
        At least three.
    """
    strengths = choose_strengths(folds)
    sums = []
    for fold, strength in zip(folds, strengths, strict=True):
        drift = fold.held_out.x.mean - fold.training.x.mean
        variance = fold.held_out.x.norms.square() + fold.held_out.x.n * drift.square()
        sums.append(
            torch.stack([variance, *RidgePath(fold.training).predict(fold.held_out, strength)])
        )
    variance, covariance, predicted = torch.stack(sums).sum(0)
    return variance, covariance, predicted


def choose_strengths(folds: Sequence[Fold]) -> list[float]:
    """Choose a ridge strength for each fold by cross-validation within its training folds.

    Each training fold is held out from the other training folds in turn. The strength with the
    smallest error is chosen, summed over neurons scaled to equal variance.
    """
    pairs = [fold.held_out for fold in folds]
    weights = [
        torch.where(x.varies, 1 / x.norms.square(), 0.0)
        for x in (fold.training.x for fold in folds)
    ]
    errors = [0 * pairs[0].cross.new_tensor(STRENGTHS) for _ in folds]
    for i, j in combinations(range(len(folds)), 2):
        path = RidgePath(_pool([pair for k, pair in enumerate(pairs) if k not in (i, j)]))
        errors[i] += path.errors(pairs[j], weights[i])
        errors[j] += path.errors(pairs[i], weights[j])
    return [STRENGTHS[int(each.argmin())] for each in errors]


def _pool(pairs: Sequence[Pair]) -> Pair:
    """Pool the frames of the same two layers in disjoint folds."""
    x = _pool_layers([pair.x for pair in pairs])
    y = _pool_layers([pair.y for pair in pairs])
    cross = torch.stack(
        [
            pair.cross + pair.x.n * torch.outer(pair.x.mean - x.mean, pair.y.mean - y.mean)
            for pair in pairs
        ]
    ).sum(0)
    return Pair(x, y, cross)


def _pool_layers(layers: Sequence[LayerStatistics]) -> LayerStatistics:
    n = sum(layer.n for layer in layers)
    mean = torch.stack([layer.n * layer.mean for layer in layers]).sum(0) / n
    scatter = torch.zeros_like(layers[0].scatter)
    for layer in layers:
        scatter += layer.scatter
        scatter.addr_(layer.mean - mean, layer.mean - mean, alpha=layer.n)
    first = layers[0]
    return LayerStatistics(
        n,
        mean,
        scatter,
        first.shift,
        float64_products=first.float64_products,
        epsilon=first.epsilon,
    )
