"""Compute errors of regressions by jackknife group, with the coefficients held fixed."""

from dataclasses import dataclass

import torch
from torch import Tensor

from assonance.statistics.layer_groups import LayerGroups


@dataclass(frozen=True)
class HeldErrors:
    """Errors of the predictions p of neurons x from a whole other layer, float64.

    All are about the training means, and sums are divided by the neurons' squared norms over all
    frames. Each fold has one fit, to all groups outside it.

    Attributes
    ----------
    variance, errors
        Σx² and Σ(x − p)² of the frames of each jackknife group, held out; (G, S).
    fitted
        Σ(x − p)²/Σx² over the training frames of all folds; (S,).
    """

    variance: Tensor
    errors: Tensor
    fitted: Tensor


def held_errors(
    rows: LayerGroups, neurons: Tensor, column: LayerGroups, cross: Tensor
) -> HeldErrors:
    """Predict neurons from a whole other layer, and add up the errors by jackknife group.

    Parameters
    ----------
    rows, column
        The layer of the neurons, and the layer that they are predicted from.
    neurons
        Indices of the neurons, (S,).
    cross
        Σxyᵀ of each group about the pilot shifts, divided by the norms of both; (G, S, D).
    """
    dtype = torch.float64 if cross.dtype == torch.float64 else column.fit_dtype
    cross = cross.to(dtype)
    sums, squares = rows.sums[:, neurons], rows.squares[:, neurons]
    variance, errors = torch.empty_like(squares), torch.empty_like(squares)
    fitted = squares.new_zeros(2, len(neurons))
    for fit in column.fits:
        training = torch.ones(len(cross), dtype=torch.bool, device=cross.device)
        training[list(fit.tested)] = False
        mean = sums[training].sum(0) / fit.count
        products = torch.tensordot(training.to(dtype), cross, 1)
        products.addr_(mean.to(dtype), fit.mean.to(dtype), alpha=-fit.count)
        slopes = products @ fit.inverse.to(dtype)
        seen = squares[training].sum(0) - fit.count * mean.square()
        explained = torch.linalg.vecdot(products, slopes).to(torch.float64)
        fitted += torch.stack([seen - explained, seen])
        for group in fit.tested:
            n, x, y = column.counts[group], sums[group], column.sums[group]
            # Sums about the training means, from those about the pilot shifts.
            variance[group] = squares[group] - 2 * mean * x + n * mean.square()
            total, level = ((slopes @ each.to(dtype)).to(torch.float64) for each in (y, fit.mean))
            covariance = torch.linalg.vecdot(cross[group], slopes).to(torch.float64)
            covariance += n * mean * level - mean * total - x * level
            scatter = column.scatter(group, dtype)
            predicted = torch.linalg.vecdot(slopes @ scatter, slopes).to(torch.float64)
            predicted += n * level.square() - 2 * total * level
            errors[group] = variance[group] - 2 * covariance + predicted
    return HeldErrors(variance, errors, fitted[0] / fitted[1])
