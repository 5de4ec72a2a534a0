"""Compute the statistics of a pair of layers, in total and by fold, that measures use."""

from collections.abc import Sequence

import torch
from torch import Tensor

from assonance.statistics.fold_layer import Products
from assonance.statistics.held_matching import FoldSums, match_held_out
from assonance.statistics.hsic import BlockPair
from assonance.statistics.kernel_sample import KernelSample
from assonance.statistics.layer import LayerStatistics, submatrix
from assonance.statistics.lazy import lazy, once
from assonance.statistics.quadratic import quadratic_forms
from assonance.statistics.svd import svd


class Fold:
    """Training and held-out statistics of two layers in one fold.

    Parameters
    ----------
    number
        Number of the fold, from 0.
    products
        Cross-products of the two layers in all folds.
    """

    def __init__(self, number: int, products: Products) -> None:
        self.number = number
        self.products = products
        self.x = products.x[number]
        self.y = products.y[number]
        self._reverse: Fold | None = None

    def swapped(self) -> "Fold":
        """Return the same fold with rows and columns exchanged."""
        other = Fold(self.number, self.products.swapped())
        other._reverse = self
        return other

    @lazy
    def training(self) -> "Pair":
        """Statistics of the training frames alone."""
        return Pair(self.x.training, self.y.training, self._centred[0])

    @lazy
    def held_out(self) -> "Pair":
        """Statistics of the held-out frames alone."""
        return Pair(self.x.held_out, self.y.held_out, self._centred[1])

    @lazy
    def regression(self) -> tuple[Tensor, Tensor, Tensor]:
        """Σx², Σx·p and Σp² of this fold's held-out frames, as in `Pair.held_out`; (Dx,) each."""
        if self._reverse:
            return self._reverse._regression_of_y
        y = self.y
        training, held_out = self._standardised(y.inverse.dtype)
        slopes = training @ y.inverse
        covariance = torch.linalg.vecdot(held_out, slopes)
        predicted = quadratic_forms(slopes, y.half_scatter)
        return self.x.variance, covariance.to(torch.float64), predicted

    @lazy
    def _regression_of_y(self) -> tuple[Tensor, Tensor, Tensor]:
        """Σy², Σy·p and Σp² for the regression of y on all of x; (Dy,) each."""
        x = self.x
        training, held_out = self._standardised(x.inverse.dtype)
        slopes = x.inverse @ training
        covariance = held_out.mul(slopes).sum(0)
        predicted = quadratic_forms(slopes, x.half_scatter, 0)
        return self.y.variance, covariance.to(torch.float64), predicted

    @lazy
    def _centred(self) -> tuple[Tensor, Tensor]:
        return self.products.centred(self.number)

    def _standardised(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        return once(self, dtype, lambda: self.products.standardised(self.number, dtype))


class Pair:
    """Statistics of two layers at the same frames: the argument of every frame-level measure.

    Derived statistics are cached, and shared with the swapped pair.

    Parameters
    ----------
    x, y
        Statistics of the row and of the column layer.
    cross
        Σ(x − mean)(y − mean)ᵀ, shape (Dx, Dy).
    folds
        Statistics by fold, for held-out measures; empty if there are no folds.
    sample
        A sample of frames of x and of y, or None if no measure needs it.
    blocks
        Unbiased HSIC estimates, or None if no measure needs them.
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
        self._reverse: Pair | None = None

    def swapped(self) -> "Pair":
        """Return the same pair with rows and columns exchanged."""
        other = Pair(
            self.y,
            self.x,
            self.cross.T,
            [fold.swapped() for fold in self.folds],
            self.sample and self.sample[::-1],
            self.blocks and self.blocks.swapped(),
        )
        other._reverse = self
        return other

    @property
    def float64_products(self) -> bool:
        """Whether the products of the two layers were computed in float64."""
        return torch.float64 in (self.x.product_dtype, self.y.product_dtype)

    @property
    def product_dtype(self) -> torch.dtype:
        """Dtype of products of bounded entries with those of the column layer."""
        return self.y.product_dtype

    @lazy
    def correlation(self) -> Tensor:
        """Correlations of the varying neurons of x (rows) and y (columns); shape (Vx, Vy)."""
        if self._reverse:
            return self._reverse.correlation.T
        rows, columns = (1 / layer.norms[layer.varies] for layer in (self.x, self.y))
        cross = submatrix(self.cross, self.x.varies, self.y.varies)
        return (cross * rows[:, None]).mul_(columns).clamp_(-1, 1)

    @lazy
    def projected(self) -> Tensor:
        """Correlations of the neurons of x with the whitened directions of y; (Vx, Ky)."""
        if self._reverse:
            # The whitened directions of x span its neurons, so the result is the same.
            return self.x.loadings @ self.whitened
        return self.correlation @ self.y.whitening

    @lazy
    def explained(self) -> Tensor:
        """Share of each varying neuron's variance that all of y explains, R²; (Vx,)."""
        return self.projected.square().sum(1, dtype=torch.float64)

    @lazy
    def whitened(self) -> Tensor:
        """Correlations of the whitened directions of x and of y; shape (Kx, Ky)."""
        if self._reverse:
            return self._reverse.whitened.T
        return (self.projected.T @ self.x.whitening).T

    def canonical(self, rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the canonical correlations of the leading directions of both layers.

        Parameters
        ----------
        rows, columns
            Number of leading whitened directions of x and of y to keep; at least 1.

        Returns
        -------
        tuple of Tensor
            Canonical directions in x, shape (rows, K); correlations, float64, at most 1, shape
            (K,); canonical directions in y, shape (columns, K).
        """
        if self._reverse:
            return self._reverse.canonical(columns, rows)[::-1]

        def decompose() -> tuple[Tensor, Tensor, Tensor]:
            left, values, right = svd(self.whitened[:rows, :columns])
            return left, values.clamp(max=1), right

        return once(self, ("canonical", rows, columns), decompose)

    @lazy
    def nuclear_norm(self) -> float:
        """Nuclear norm (sum of singular values) of `cross` for the neurons that vary."""
        if self._reverse:
            return self._reverse.nuclear_norm
        return float(
            torch.linalg.svdvals(submatrix(self.cross, self.x.varies, self.y.varies)).sum()
        )

    @lazy
    def held_out(self) -> tuple[Tensor, Tensor, Tensor]:
        """Σx², Σx·p and Σp² over the held-out frames of all folds; (Dx,) each.

        p is the prediction of neuron x from all of y, by least squares on the training frames of
        each fold. All are about the training means and divided by the neuron's norm over all
        frames. NaN if there are no folds.
        """
        if not self.folds:
            undefined = torch.full_like(self.x.mean, torch.nan)
            return undefined, undefined, undefined
        sums = [torch.stack(fold.regression) for fold in self.folds]
        variance, covariance, predicted = torch.stack(sums).sum(0)
        return variance, covariance, predicted

    @lazy
    def matched_held_out(self) -> Tensor:
        """Correlation of each neuron of x with the partners that other folds chose; (Dx,).

        See `match_held_out`. NaN if there are no folds.
        """
        if not self.folds:
            return torch.full_like(self.x.mean, torch.nan)
        products = (self._reverse or self).folds[0].products
        x, y = (FoldSums.of_folds(layers) for layers in (products.x, products.y))
        # Partners are chosen no more precisely than the products were computed.
        by_fold, total = products.scaled(torch.float64 if self.float64_products else torch.float32)
        if self._reverse:
            return match_held_out([each.T for each in by_fold], total.T, y, x)
        return match_held_out(by_fold, total, x, y)
