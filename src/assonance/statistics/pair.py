"""What a measure sees: two layers' centred moments, whole and by fold, with what is derived."""

from collections.abc import Sequence

import torch
from torch import Tensor

from assonance.statistics.fold_layer import Products
from assonance.statistics.hsic import BlockPair
from assonance.statistics.kernel_sample import KernelSample
from assonance.statistics.layer import LayerStatistics, among
from assonance.statistics.lazy import lazy, once
from assonance.statistics.svd import svd


class Fold:
    """Two layers in one fold.

    Parameters
    ----------
    number
        Of the fold.
    products
        Of the two layers, in all folds.
    """

    def __init__(self, number: int, products: Products) -> None:
        self.number = number
        self._all = products
        self.x = products.x[number]
        self.y = products.y[number]
        self._reverse: Fold | None = None

    def swapped(self) -> "Fold":
        """Return the same fold with rows and columns exchanged."""
        other = Fold(self.number, self._all.swapped())
        other._reverse = self
        return other

    @lazy
    def training(self) -> "Pair":
        """Statistics of the training frames alone."""
        from assonance.statistics.pair import Pair  # a pair has folds, and a fold two pairs

        return Pair(self.x.training, self.y.training, self._centred[0])

    @lazy
    def held_out(self) -> "Pair":
        """Statistics of the held-out frames alone."""
        from assonance.statistics.pair import Pair

        return Pair(self.x.held_out, self.y.held_out, self._centred[1])

    @lazy
    def regression(self) -> tuple[Tensor, Tensor, Tensor]:
        """Σx², Σx·p and Σp² as in `FineTuning.held_out`, of this fold: x on the whole of y."""
        if self._reverse:
            return self._reverse._of_columns
        y = self.y
        seen, unseen = self._standardised(y.inverse.dtype)
        slopes = seen @ y.inverse
        covariance = torch.linalg.vecdot(unseen, slopes)
        predicted = torch.linalg.vecdot(slopes @ y.scatter, slopes)
        return self.x.variance, covariance.to(torch.float64), predicted.to(torch.float64)

    @lazy
    def _of_columns(self) -> tuple[Tensor, Tensor, Tensor]:
        """Do the same for y on the whole of x."""
        x = self.x
        seen, unseen = self._standardised(x.inverse.dtype)
        slopes = x.inverse @ seen
        covariance = unseen.mul(slopes).sum(0)
        predicted = (x.scatter @ slopes).mul_(slopes).sum(0)
        return self.y.variance, covariance.to(torch.float64), predicted.to(torch.float64)

    @lazy
    def _centred(self) -> tuple[Tensor, Tensor]:
        return self._all.centred(self.number)

    def _standardised(self, precision: torch.dtype) -> tuple[Tensor, Tensor]:
        return once(self, precision, lambda: self._all.standardised(self.number, precision))


class Pair:
    """Two layers seen at the same frames: what a frame-level measure is a function of.

    What is derived is kept, and shared with the same pair seen the other way round.

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
    def exact(self) -> bool:
        """Whether the products of the two layers were made in float64."""
        return torch.float64 in (self.x.product_type, self.y.product_type)

    @property
    def product_type(self) -> torch.dtype:
        """In what products of bounded entries with the columns are made."""
        return self.y.product_type

    @lazy
    def correlation(self) -> Tensor:
        """Correlations of the neurons that vary, rows of x and columns of y; shape (Vx, Vy)."""
        if self._reverse:
            return self._reverse.correlation.T
        rows, columns = (1 / layer.norms[layer.varies] for layer in (self.x, self.y))
        cross = among(self.cross, self.x.varies, self.y.varies)
        return (cross * rows[:, None]).mul_(columns).clamp_(-1, 1)

    @lazy
    def projected(self) -> Tensor:
        """Correlations of the neurons of x with the whitened directions of y; (Vx, Ky)."""
        if self._reverse:
            # The neurons of x by their own whitened directions: all of each, in its own layer.
            return self.x.loadings @ self.whitened
        return self.correlation @ self.y.whitening

    @lazy
    def explained(self) -> Tensor:
        """Share of each varying neuron's variance that the whole of y explains; (Vx,)."""
        return self.projected.square().sum(1, dtype=torch.float64)

    @lazy
    def whitened(self) -> Tensor:
        """Correlations of the whitened directions of x and of y; shape (Kx, Ky)."""
        if self._reverse:
            return self._reverse.whitened.T
        return (self.projected.T @ self.x.whitening).T

    def canonical(self, rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
        """Canonical correlations of the leading directions of both layers.

        Parameters
        ----------
        rows, columns
            How many whitened directions of x and of y to keep; at least 1.

        Returns
        -------
        tuple of Tensor
            Directions in x, shape (rows, K); correlations, at most 1, (K,), in float64; directions
            in y, (columns, K).
        """
        if self._reverse:
            return self._reverse.canonical(columns, rows)[::-1]

        def decompose() -> tuple[Tensor, Tensor, Tensor]:
            left, values, right = svd(self.whitened[:rows, :columns])
            return left, values.clamp(max=1), right

        return once(self, ("canonical", rows, columns), decompose)

    @lazy
    def nuclear_norm(self) -> float:
        """Sum of the singular values of the cross-products of the neurons that vary."""
        if self._reverse:
            return self._reverse.nuclear_norm
        return float(torch.linalg.svdvals(among(self.cross, self.x.varies, self.y.varies)).sum())

    @lazy
    def held_out(self) -> tuple[Tensor, Tensor, Tensor]:
        """Give the sums of held-out frames for the regression of x on the whole of y; (Dx,) each.

        Σx², Σx·p and Σp² of each neuron x and its prediction p, about the means of the training
        frames and in units of the neuron's norm; p by least squares on the training frames of
        each fold, added up over folds. NaN where there are no folds.
        """
        if not self.folds:
            nothing = torch.full_like(self.x.mean, torch.nan)
            return nothing, nothing, nothing
        totals = [torch.stack(fold.regression) for fold in self.folds]
        variance, covariance, predicted = torch.stack(totals).sum(0)
        return variance, covariance, predicted
