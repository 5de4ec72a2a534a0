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


def match_held_out(cross: Tensor, x: FoldSums, y: FoldSums) -> Tensor:
    """Compute the correlation of each neuron of x with the partners that other folds chose.

    For each fold the partner is the neuron of y with the highest absolute correlation on all other
    folds, and its sign is that of this correlation; of equal ones the first. The correlation is
    then computed over the frames of all folds, each with its own partner. If all folds choose the
    same partner, it is that of MaxCorr.

    Parameters
    ----------
    cross
        Σxyᵀ of each fold about the shifts, divided by the norms of both; (F, Dx, Dy).
    x, y
        Sums of the two layers.

    Returns
    -------
    Tensor
        Shape (Dx,), float64, between −1 and 1; NaN for neurons that are constant, and for all if y
        has no neuron that varies in every training set.
    """
    total = cross.sum(0)
    rows = torch.arange(len(total), device=total.device)
    covariance, squares, sums = (torch.zeros_like(x.sums[0]) for _ in range(3))
    for fold, own in enumerate(cross):
        count, mean, varied = y.without(fold)
        _, mean_of_rows, varied_rows = x.without(fold)
        table = (total - own).addr_(mean_of_rows.to(own), mean.to(own), alpha=-count)
        # Below this a neuron is constant in training up to rounding.
        varies = varied > torch.finfo(torch.float64).eps * ROUNDING
        table = torch.where(varies, table / varied.sqrt().to(own), 0.0)
        strength = table.abs()
        equal = ROUNDING * torch.finfo(own.dtype).eps * varied_rows.sqrt().to(own)
        best = (strength >= (strength.amax(1) - equal)[:, None]).to(torch.uint8).argmax(1)
        sign = table[rows, best].sign().to(sums)
        covariance += sign * own[rows, best]
        squares += y.squares[fold, best]
        sums += sign * y.sums[fold, best]
    frames, all_rows = x.counts.sum(), x.sums.sum(0)
    covariance -= all_rows * sums / frames
    norms = (x.squares.sum(0) - all_rows.square() / frames) * (squares - sums.square() / frames)
    return (covariance / norms.sqrt()).clamp(-1, 1)
