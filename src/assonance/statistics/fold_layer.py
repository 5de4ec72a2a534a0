"""Compute training and held-out statistics of layers and their cross-products, fold by fold."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from assonance.statistics.layer import LayerStatistics
from assonance.statistics.lazy import forget, lazy, once
from assonance.statistics.quadratic import lower_half


class FoldLayer:
    """Training and held-out statistics of one layer in one fold, for regression on it.

    All tables are about the training means and divided by the neurons' norms over all frames.
    Neurons that are constant in training are 0 throughout.

    Parameters
    ----------
    all_frames, training, held_out
        Statistics of all frames, of the frames of all other folds, and of the fold's frames.
    """

    def __init__(
        self, all_frames: LayerStatistics, training: LayerStatistics, held_out: LayerStatistics
    ) -> None:
        self.all_frames = all_frames
        self.training = training
        self.held_out = held_out

    @lazy
    def inverse_norms(self) -> Tensor:
        """One over the norm of each neuron over all frames, 0 for a constant neuron; (D,)."""
        return torch.where(self.all_frames.varies, 1 / self.all_frames.norms, 0.0)

    @lazy
    def drift(self) -> Tensor:
        """Held-out mean minus training mean, not divided by the norms; (D,)."""
        return self.held_out.mean - self.training.mean

    @lazy
    def variance(self) -> Tensor:
        """Σx² of the held-out frames; (D,)."""
        variance = self.held_out.norms.square() + self.held_out.n * self.drift.square()
        return variance * self.inverse_norms.square()

    @lazy
    def scatter(self) -> Tensor:
        """Σyyᵀ of the held-out frames, in the dtype of `inverse`; (D, D)."""
        return self._scatter()

    @lazy
    def half_scatter(self) -> Tensor:
        """`lower_half` of `scatter`, for quadratic forms; (D, D)."""
        return lower_half(self._scatter())

    def _scatter(self) -> Tensor:
        drift = self.drift
        scatter = torch.addr(self.held_out.scatter, drift, drift, alpha=self.held_out.n)
        scatter = (scatter * self.inverse_norms[:, None]).mul_(self.inverse_norms)
        return scatter.to(self.inverse.dtype)

    @lazy
    def inverse(self) -> Tensor:
        """Inverse of Σyyᵀ of the training frames, 0 for neurons that are constant there; (D, D).

        In float32 if the training layer allows it: see `LayerStatistics.inverse_dtype`.
        """
        training = self.training
        scale = 1 / (training.norms * self.inverse_norms)[training.varies]
        inverse = (training.inverse * scale[:, None]).mul_(scale)
        if not training.varies.all():
            padded = inverse.new_zeros(self.all_frames.scatter.shape)
            padded[torch.outer(training.varies, training.varies)] = inverse.flatten()
            inverse = padded
        inverse = inverse.to(training.inverse_dtype(training.product_dtype))
        forget(training, "correlation", "inverse")  # only held-out CCA needs the first again
        return inverse

    def let_go(self, *, regressions: bool) -> None:
        """Let go of both scatters, once what pairs need of them is computed.

        Parameters
        ----------
        regressions
            Whether regressions on the layer are fitted to the training frames.
        """
        _ = self.variance
        if regressions:
            _ = self.inverse, self.half_scatter
        for each in (self.training, self.held_out):
            each.let_go()


class Products:
    """Cross-products of two layers by fold, and the training and held-out products from them.

    Parameters
    ----------
    by_fold
        Σ(x − shift)(y − shift)ᵀ of each fold, shape (Dx, Dy).
    x, y
        The two layers in each fold.
    """

    def __init__(
        self, by_fold: Sequence[Tensor], x: Sequence[FoldLayer], y: Sequence[FoldLayer]
    ) -> None:
        self.by_fold = by_fold
        self.x = x
        self.y = y

    def swapped(self) -> "Products":
        """Return the products with rows and columns exchanged."""
        return Products([product.T for product in self.by_fold], self.y, self.x)

    def centred(self, fold: int) -> tuple[Tensor, Tensor]:
        """Compute the training and the held-out products, each about their own means."""
        total = once(self, "total", lambda: reduce(torch.add, self.by_fold))
        x, y = self.x[fold], self.y[fold]
        # For a neuron that varies in the held-out fold alone, the difference is rounding. Its
        # training statistics mark it as constant, so the rounding is never used.
        training, held_out = total - self.by_fold[fold], self.by_fold[fold]
        return (
            torch.addr(training, x.training.mean, y.training.mean, alpha=-x.training.n),
            torch.addr(held_out, x.held_out.mean, y.held_out.mean, alpha=-x.held_out.n),
        )

    def scaled(self, dtype: torch.dtype) -> tuple[list[Tensor], Tensor]:
        """Divide the products of each fold by the neurons' norms; also return their sum.

        The norms are those over all frames; (Dx, Dy) each.
        """
        return once(self, dtype, lambda: self._scaled(dtype))

    def standardised(self, fold: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Compute the training and the held-out products, both about the training means.

        Both are divided by the neurons' norms over all frames, as all tables of `FoldLayer`.
        """
        by_fold, total = self.scaled(dtype)
        x, y = self.x[fold], self.y[fold]
        means = [
            (mean * layer.inverse_norms).to(dtype)
            for layer in (x, y)
            for mean in (layer.training.mean, layer.held_out.mean, layer.drift)
        ]
        training = (total - by_fold[fold]).addr_(means[0], means[3], alpha=-x.training.n)
        held_out = torch.addr(by_fold[fold], means[1], means[4], alpha=-x.held_out.n)
        return training, held_out.addr_(means[2], means[5], alpha=x.held_out.n)

    def _scaled(self, dtype: torch.dtype) -> tuple[list[Tensor], Tensor]:
        rows, columns = self.x[0].inverse_norms[:, None], self.y[0].inverse_norms
        by_fold = [(product * rows).mul_(columns).to(dtype) for product in self.by_fold]
        return by_fold, reduce(torch.add, by_fold)
