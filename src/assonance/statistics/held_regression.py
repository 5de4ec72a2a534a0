"""Compute errors of regressions by jackknife group, with the coefficients held fixed."""

from dataclasses import dataclass

import torch
from torch import Tensor

from assonance.statistics.layer_groups import LayerGroups
from assonance.statistics.quadratic import quadratic_forms


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
        Their `LayerGroups.cross`, of these neurons; (G + 1, S, D).
    """
    dtype = torch.float64 if cross.dtype == torch.float64 else column.fit_dtype
    cross = cross.to(dtype)
    sums, squares = rows.sums[:, neurons], rows.squares[:, neurons]
    variance, errors = torch.empty_like(squares), torch.empty_like(squares)
    seen, explained = (squares.new_zeros(len(neurons)) for _ in range(2))
    for fit, half_scatters in zip(column.fits, column.half_scatters, strict=True):
        held = torch.tensor(fit.tested, device=cross.device)
        training = torch.ones(len(sums), dtype=torch.bool, device=cross.device)
        training[held] = False
        own, x, y = cross[held], sums[held], column.sums[held]
        n = column.counts[held, None]
        mean = sums[training].sum(0) / fit.count
        products = cross[-1] - own.sum(0)
        products.addr_(mean.to(dtype), fit.mean.to(dtype), alpha=-fit.count)
        slopes = products @ fit.inverse.to(dtype)
        seen += squares[training].sum(0) - fit.count * mean.square()
        explained += torch.linalg.vecdot(products, slopes).to(torch.float64)
        # Sums about the training means, from those about the pilot shifts.
        variance[held] = squares[held] - 2 * mean * x + n * mean.square()
        total, level = ((each.to(dtype) @ slopes.T).to(torch.float64) for each in (y, fit.mean))
        covariance = torch.linalg.vecdot(own, slopes).to(torch.float64)
        covariance += n * mean * level - mean * total - x * level
        predicted = quadratic_forms(slopes, half_scatters.to(dtype))
        predicted += n * level.square() - 2 * total * level
        errors[held] = variance[held] - 2 * covariance + predicted
    return HeldErrors(variance, errors, 1 - explained / seen)
