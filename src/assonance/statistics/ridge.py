"""Ridge regression from moments by fold; the held-out fold has no part in its strength."""

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from assonance.statistics.layer import LayerStatistics
from assonance.statistics.pair import Fold, Pair

# Penalties tried, in frames for each frame: that on the squared slopes of z-scored neurons, by the
# number of training frames.
STRENGTHS = tuple(10 ** (half / 2) for half in range(-16, 7))


class RidgePath:
    """The regression of x on the whole of y along the eigenvectors of y's correlations.

    Along them, the slopes of every strength are those of one factorization.

    Parameters
    ----------
    training
        What slopes are fitted to.
    """

    def __init__(self, training: Pair) -> None:
        self.training = training
        y = training.y
        self.values, vectors = y.spectrum
        self.axes = vectors / y.norms[y.varies, None]
        self.cross = self.axes.T @ training.cross[:, y.varies].T

    def errors(self, held_out: Pair, weights: Tensor) -> Tensor:
        """Squared errors at the held-out frames, summed over neurons by weights, up to a constant.

        Parameters
        ----------
        held_out
            Frames that slopes were not fitted to.
        weights
            Of each neuron of x, shape (Dx,).

        Returns
        -------
        Tensor
            For each of `STRENGTHS`, shape (S,).
        """
        cross, scatter = self._along(held_out)
        linear = (self.cross * cross) @ weights
        quadratic = scatter * ((self.cross * weights) @ self.cross.T)
        inverse = 1 / (self.values[:, None] + self.values.new_tensor(STRENGTHS))
        return (inverse * (quadratic @ inverse)).sum(0) - 2 * linear @ inverse

    def predict(self, held_out: Pair, strength: float) -> tuple[Tensor, Tensor]:
        """Σx·p and Σp² of the held-out frames, about the training means; (Dx,) each."""
        cross, scatter = self._along(held_out)
        slopes = self.cross / (self.values + strength)[:, None]
        return (cross * slopes).sum(0), (slopes * (scatter @ slopes)).sum(0)

    def _along(self, held_out: Pair) -> tuple[Tensor, Tensor]:
        """Products of the held-out frames along the axes with x, (K, Dx), and y's own, (K, K)."""
        n, varies = held_out.x.n, self.training.y.varies
        x_drift = held_out.x.mean - self.training.x.mean
        y_drift = self.axes.T @ (held_out.y.mean - self.training.y.mean)[varies]
        cross = self.axes.T @ held_out.cross[:, varies].T + n * torch.outer(y_drift, x_drift)
        scatter = self.axes.T @ held_out.y.scatter[varies][:, varies] @ self.axes
        return cross, scatter + n * torch.outer(y_drift, y_drift)


def ridge_held_out(folds: Sequence[Fold]) -> tuple[Tensor, Tensor, Tensor]:
    """As `FineTuning.held_out`, by ridge regression with a strength for each fold.

    The strength is the one of the smallest error, summed over neurons of equal variance, when
    each training fold is held out from the others in turn.

    Parameters
    ----------
    folds
        At least three.
    """
    chosen = choose_strengths(folds)
    sums = []
    for fold, strength in zip(folds, chosen, strict=True):
        drift = fold.held_out.x.mean - fold.training.x.mean
        variance = fold.held_out.x.norms.square() + fold.held_out.x.n * drift.square()
        sums.append(
            torch.stack([variance, *RidgePath(fold.training).predict(fold.held_out, strength)])
        )
    variance, covariance, predicted = torch.stack(sums).sum(0)
    return variance, covariance, predicted


def choose_strengths(folds: Sequence[Fold]) -> list[float]:
    """Choose a strength for each fold, by holding out each of the other folds in turn."""
    parts = [fold.held_out for fold in folds]
    weights = [
        torch.where(x.varies, 1 / x.norms.square(), 0.0)
        for x in (fold.training.x for fold in folds)
    ]
    errors = [0 * parts[0].cross.new_tensor(STRENGTHS) for _ in folds]
    for i, j in combinations(range(len(folds)), 2):
        path = RidgePath(_joined([part for k, part in enumerate(parts) if k not in (i, j)]))
        errors[i] += path.errors(parts[j], weights[i])
        errors[j] += path.errors(parts[i], weights[j])
    return [STRENGTHS[int(each.argmin())] for each in errors]


def _joined(parts: Sequence[Pair]) -> Pair:
    """Pool the frames of disjoint parts."""
    x = _joined_layers([part.x for part in parts])
    y = _joined_layers([part.y for part in parts])
    cross = torch.stack(
        [
            part.cross + part.x.n * torch.outer(part.x.mean - x.mean, part.y.mean - y.mean)
            for part in parts
        ]
    ).sum(0)
    return Pair(x, y, cross)


def _joined_layers(parts: Sequence[LayerStatistics]) -> LayerStatistics:
    n = sum(part.n for part in parts)
    mean = torch.stack([part.n * part.mean for part in parts]).sum(0) / n
    scatter = torch.zeros_like(parts[0].scatter)
    for part in parts:
        scatter += part.scatter
        scatter.addr_(part.mean - mean, part.mean - mean, alpha=part.n)
    first = parts[0]
    return LayerStatistics(n, mean, scatter, first.shift, exact=first.exact, unit=first.unit)
