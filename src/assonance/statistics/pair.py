"""What a measure sees: two layers' centred moments, whole and by fold, with what is derived."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from assonance.statistics.hsic import BlockPair
from assonance.statistics.lazy import lazy
from assonance.statistics.sample import KernelSample

# A neuron whose deviation is below this share of its distance from zero does not vary: float32
# cannot tell its values apart, and what is left is the rounding of the sums.
CONSTANT = 1e-12
# Sums about a shift cannot tell a smaller deviation than this share of its distance from the mean.
NEXT_TO_SHIFT = 1e-6


class LayerStatistics:
    """One layer's mean and scatter, and the factors that the measures share.

    Parameters
    ----------
    n
        Frames.
    mean
        Mean of each neuron about the pilot shift, shape (D,).
    scatter
        Σ(x − mean)(x − mean)ᵀ, shape (D, D).
    shift
        The pilot shift, shape (D,).
    """

    def __init__(self, n: int, mean: Tensor, scatter: Tensor, shift: Tensor) -> None:
        self.n = n
        self.mean = mean
        self.scatter = scatter
        self.shift = shift

    @lazy
    def norms(self) -> Tensor:
        """Norm of each centred neuron over the frames, √Σ(x − mean)²; shape (D,)."""
        return self.scatter.diagonal().clamp(min=0).sqrt()

    @lazy
    def varies(self) -> Tensor:
        """Which neurons are not constant; bool, shape (D,)."""
        values, sums = (self.shift + self.mean).abs(), self.mean.abs()
        floor = math.sqrt(self.n) * torch.maximum(CONSTANT * values, NEXT_TO_SHIFT * sums)
        return self.norms > floor.clamp(min=torch.finfo(torch.float64).tiny)

    @lazy
    def correlation(self) -> Tensor:
        """Pearson correlations between the neurons that vary; shape (V, V)."""
        norms = self.norms[self.varies]
        return self.scatter[self.varies][:, self.varies] / torch.outer(norms, norms)

    @lazy
    def spectrum(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues (K,), largest first, and eigenvectors (V, K) of the correlations.

        Only directions that the sums can tell from rounding are kept: those with an eigenvalue
        above V·ε of the largest, and no more of them than frames allow.
        """
        values, vectors = torch.linalg.eigh(self.correlation)
        values, vectors = values.flip(0), vectors.flip(1)
        rounding = len(values) * torch.finfo(values.dtype).eps
        kept = int((values > rounding * values[0]).sum()) if len(values) else 0
        kept = min(kept, self.n - 1)
        return values[:kept], vectors[:, :kept]

    @lazy
    def whitening(self) -> Tensor:
        """V×K matrix taking standardised neurons to uncorrelated directions of norm one."""
        values, vectors = self.spectrum
        return vectors / values.sqrt()

    def rank_of_variance(self, share: float, cut: str) -> int:
        """How many leading directions of the standardised neurons a cut keeps.

        Parameters
        ----------
        share
            Share of the variance, between 0 and 1.
        cut
            ``"reach"`` keeps the fewest directions that reach the share; ``"below"`` those whose
            cumulative share stays below it, so that the one which crosses is dropped.
        """
        values, _ = self.spectrum
        below = int((values.cumsum(0) < share * values.sum()).sum())
        return below if cut == "below" else min(below + 1, len(values))


@dataclass(frozen=True)
class Fold:
    """Statistics of the training frames and of the frames held out from them."""

    training: "Pair"
    held_out: "Pair"

    @property
    def regression(self) -> tuple[Tensor, Tensor, Tensor]:
        """Σx², Σx·p and Σp² as in `Pair.held_out`, of this fold."""
        training, held_out = self.training, self.held_out
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


class Pair:
    """Two layers seen at the same frames: what a frame-level measure is a function of.

    Parameters
    ----------
    x, y
        The row and the column layer.
    cross
        Σ(x − mean)(y − mean)ᵀ, shape (Dx, Dy).
    folds
        The same by fold, for held-out measures; empty where the frames have no groups.
    sample
        Kernel matrices on a sample of frames, for x and for y, where a measure needs them.
    blocks
        Unbiased estimates for kernels, where a measure needs them.
    """

    def __init__(
        self,
        x: LayerStatistics,
        y: LayerStatistics,
        cross: Tensor,
        folds: Sequence[Fold] = (),
        sample: tuple[KernelSample, KernelSample] | None = None,
        blocks: BlockPair | None = None,
    ) -> None:
        self.x = x
        self.y = y
        self.cross = cross
        self.folds = tuple(folds)
        self.sample = sample
        self.blocks = blocks

    def swapped(self) -> "Pair":
        """Return the same pair with rows and columns exchanged."""
        return Pair(
            self.y,
            self.x,
            self.cross.T,
            [Fold(fold.training.swapped(), fold.held_out.swapped()) for fold in self.folds],
            self.sample and self.sample[::-1],
            self.blocks and self.blocks.swapped(),
        )

    @lazy
    def correlation(self) -> Tensor:
        """Correlations of the neurons that vary, rows of x and columns of y; shape (Vx, Vy)."""
        rows, columns = self.x.varies, self.y.varies
        scale = torch.outer(self.x.norms[rows], self.y.norms[columns])
        return (self.cross[rows][:, columns] / scale).clamp(-1, 1)

    @lazy
    def whitened(self) -> Tensor:
        """Cross-correlations of the whitened directions of x and of y; shape (Kx, Ky)."""
        return self.x.whitening.T @ self.correlation @ self.y.whitening

    @lazy
    def nuclear_norm(self) -> float:
        """Sum of the singular values of the cross-products of the neurons that vary."""
        return float(torch.linalg.svdvals(self.cross[self.x.varies][:, self.y.varies]).sum())

    @lazy
    def held_out(self) -> tuple[Tensor, Tensor, Tensor]:
        """Give the sums of held-out frames for the regression of x on the whole of y; (Dx,) each.

        Σx², Σx·p and Σp² of each neuron x and its prediction p, about the means of the training
        frames; p by least squares on the training frames of each fold, added up over folds.
        """
        totals = [fold.regression for fold in self.folds]
        variance, covariance, predicted = (
            torch.stack(part).sum(0) for part in zip(*totals, strict=True)
        )
        return variance, covariance, predicted
