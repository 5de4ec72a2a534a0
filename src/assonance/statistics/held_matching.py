"""Compute correlations of neurons with partners that other speech chose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from assonance.statistics.fold_layer import FoldLayer

# Correlations that differ by fewer machine epsilons are equal.
ROUNDING = 16


@dataclass(frozen=True)
class FoldSums:
    """Sums of one layer by fold, about its shift and divided by the neurons' norms; float64.

    Attributes
    ----------
    counts
        Number of frames of each fold; (F,).
    sums, squares
        Σx and Σx² of each fold; (F, D). 0 for a constant neuron.
    """

    counts: Tensor
    sums: Tensor
    squares: Tensor

    @classmethod
    def of_folds(cls, folds: Sequence[FoldLayer]) -> Self:
        """Take the sums of the held-out frames of each fold."""
        scale = folds[0].inverse_norms
        held_out = [each.held_out for each in folds]
        sums = torch.stack([each.n * each.mean for each in held_out])
        squares = [each.norms.square() + each.n * each.mean.square() for each in held_out]
        counts = sums.new_tensor([each.n for each in held_out])
        return cls(counts, sums * scale, torch.stack(squares) * scale.square())

    def without(self, fold: int) -> tuple[float, Tensor, Tensor]:
        """Return the number of frames, the means and the Σ(x − mean)² of all other folds."""
        count = float(self.counts.sum() - self.counts[fold])
        mean = (self.sums.sum(0) - self.sums[fold]) / count
        squares = self.squares.sum(0) - self.squares[fold] - count * mean.square()
        return count, mean, squares.clamp(min=0)


def match_held_out(cross: Sequence[Tensor], total: Tensor, x: FoldSums, y: FoldSums) -> Tensor:
    """Compute the correlation of each neuron of x with the partners that other folds chose.

    For each fold the partner is the neuron of y with the highest absolute correlation on all other
    folds, and its sign is that of this correlation; of equal ones the first. The correlation is
    then computed over the frames of all folds, each with its own partner. If all folds choose the
    same partner, it is that of MaxCorr.

    Parameters
    ----------
    cross, total
        Σxyᵀ of each fold about the shifts, divided by the norms of both, and their sum; (Dx, Dy)
        each.
    x, y
        Sums of the two layers.

    Returns
    -------
    Tensor
        Shape (Dx,), float64, between −1 and 1; NaN for neurons that are constant, and for all if y
        has no neuron that varies in every training set.
    """
    rows = torch.arange(len(total), device=total.device)
    covariance, squares, sums = (torch.zeros_like(x.sums[0]) for _ in range(3))
    table, strength = torch.empty_like(total), torch.empty_like(total)
    within = torch.empty_like(total, dtype=torch.bool)
    for fold, own in enumerate(cross):
        count, mean, varied = y.without(fold)
        _, mean_of_rows, varied_rows = x.without(fold)
        # Below this a neuron is constant in training up to rounding.
        varies = varied > torch.finfo(torch.float64).eps * ROUNDING
        scale = torch.where(varies, 1 / varied.sqrt(), 0.0).to(own)
        torch.sub(total, own, out=table)
        table.addr_(mean_of_rows.to(own), mean.to(own), alpha=-count).mul_(scale)
        torch.abs(table, out=strength)
        equal = ROUNDING * torch.finfo(own.dtype).eps * varied_rows.sqrt().to(own)
        torch.ge(strength, (strength.amax(1) - equal)[:, None], out=within)
        best = first_true(within)
        sign = table[rows, best].sign().to(sums)
        covariance += sign * own[rows, best]
        squares += y.squares[fold, best]
        sums += sign * y.sums[fold, best]
    frames, all_rows = x.counts.sum(), x.sums.sum(0)
    covariance -= all_rows * sums / frames
    norms = (x.squares.sum(0) - all_rows.square() / frames) * (squares - sums.square() / frames)
    return (covariance / norms.sqrt()).clamp(-1, 1)


def first_true(values: Tensor) -> Tensor:
    """Return the place of the first true value in each row; (N, M) to (N,)."""
    if values.device.type == "cpu":  # NumPy stops at the first, PyTorch goes on
        return torch.from_numpy(values.numpy().argmax(1))
    return values.to(torch.uint8).argmax(1)
