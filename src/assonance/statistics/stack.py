"""Score the single neurons of several layers against one other layer, in few large products."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from assonance.statistics.fold_layer import FoldLayer
from assonance.statistics.held_matching import FoldSums, match_held_out
from assonance.statistics.layer import LayerStatistics, submatrix
from assonance.statistics.lazy import lazy, once
from assonance.statistics.pair import Pair
from assonance.statistics.quadratic import quadratic_forms


class StackedLayers(LayerStatistics):
    """Statistics of the neurons of several layers, concatenated, without their covariances.

    Anything that needs `scatter` is undefined.

    Parameters
    ----------
    layers
        Statistics of the layers at the same frames.
    """

    def __init__(self, layers: Sequence[LayerStatistics]) -> None:
        self.n = layers[0].n
        self.mean = torch.cat([each.mean for each in layers])
        self.shift = torch.cat([each.shift for each in layers])
        self.float64_products = all(each.float64_products for each in layers)
        self._layers = layers

    @lazy
    def norms(self) -> Tensor:
        """See `LayerStatistics.norms`; shape (D,)."""
        return torch.cat([each.norms for each in self._layers])

    @lazy
    def varies(self) -> Tensor:
        """See `LayerStatistics.varies`; shape (D,)."""
        return torch.cat([each.varies for each in self._layers])


class StackedFold:
    """The neurons of several layers in one fold, concatenated; see `FoldLayer`.

    Attributes
    ----------
    training, held_out
        Training and held-out means of the neurons, divided by their norms over all frames; (D,).
    variance
        Σx² of the held-out frames; (D,).
    """

    def __init__(self, layers: Sequence[FoldLayer]) -> None:
        inverse_norms = torch.cat([each.inverse_norms for each in layers])
        self.training = torch.cat([each.training.mean for each in layers]) * inverse_norms
        self.held_out = torch.cat([each.held_out.mean for each in layers]) * inverse_norms
        self.variance = torch.cat([each.variance for each in layers])


def _sums_of_stack(folds: Sequence[StackedFold], counts: Tensor) -> FoldSums:
    """Return the sums of stacked neurons by fold, from their variances about training means."""
    training, held_out = (
        torch.stack([getattr(fold, name) for fold in folds]) for name in ("training", "held_out")
    )
    frames = counts[:, None]
    variance = torch.stack([fold.variance for fold in folds])
    squares = variance + frames * training * (2 * held_out - training)
    return FoldSums(counts, frames * held_out, squares)


class StackedPair(Pair):
    """Neurons of several layers (rows) against one layer (columns), for measures of single neurons.

    Used for replicates and nulls: many small products become few large ones. These are in float32
    unless the products of the column layer were computed in float64, or float32 would cost more
    than 10⁻⁷ of a neuron's variance. The choice does not depend on the row layers, so the score of
    a neuron does not depend on the other rows.

    Parameters
    ----------
    x, y
        Statistics of the concatenated row layers and of the column layer.
    products
        Σ(x − shift)(y − shift)ᵀ of each fold and each row layer.
    x_folds, y_folds
        The same layers in each fold; empty if there are no folds.
    """

    def __init__(
        self,
        x: StackedLayers,
        y: LayerStatistics,
        products: Sequence[Sequence[Tensor]],
        x_folds: Sequence[StackedFold],
        y_folds: Sequence[FoldLayer],
    ) -> None:
        self.x = x
        self.y = y
        self._products = products
        self._folds = list(zip(x_folds, y_folds, strict=True))

    @property
    def product_dtype(self) -> torch.dtype:
        """Dtype of products of matrices with bounded entries."""
        return torch.float64 if self.y.float64_products else torch.float32

    @lazy
    def correlation(self) -> Tensor:
        """See `Pair.correlation`; shape (Vx, Vy)."""
        _, total = self._scaled(self.product_dtype)
        x, y = (layer.mean / layer.norms for layer in (self.x, self.y))
        rows, columns = self.x.varies, self.y.varies
        scaled = submatrix(total, rows, columns)
        x, y = (mean[varies].to(scaled.dtype) for mean, varies in ((x, rows), (y, columns)))
        return torch.addr(scaled, x, y, alpha=-self.x.n).clamp_(-1, 1)

    @lazy
    def explained(self) -> Tensor:
        """See `Pair.explained`; shape (Vx,)."""
        # In float64: for a layer against itself it is a small difference of large terms.
        rows = self.correlation.to(torch.float64)
        explained: Tensor = torch.linalg.vecdot(rows @ self.y.inverse, rows)
        return explained

    @lazy
    def held_out(self) -> tuple[Tensor, Tensor, Tensor]:
        """See `Pair.held_out`; (Dx,) each."""
        if not self._folds:
            undefined = torch.full_like(self.x.mean, torch.nan)
            return undefined, undefined, undefined
        sums = [self._regression(number) for number in range(len(self._folds))]
        variance, covariance, predicted = torch.stack(sums).sum(0)
        return variance, covariance, predicted

    @lazy
    def matched_held_out(self) -> Tensor:
        """See `Pair.matched_held_out`; shape (Dx,)."""
        if not self._folds:
            return torch.full_like(self.x.mean, torch.nan)
        x_folds, y_folds = zip(*self._folds, strict=True)
        y = FoldSums.of_folds(y_folds)
        scaled = self._scaled(self.product_dtype)
        return match_held_out(*scaled, _sums_of_stack(x_folds, y.counts), y)

    def _regression(self, number: int) -> Tensor:
        """Compute Σx², Σx·p and Σp² over the held-out frames of one fold; (3, Dx)."""
        x, y = self._folds[number]
        by_fold, total = self._scaled(y.training.inverse_dtype(self.product_dtype))
        inverse, half_scatter, x_training, x_held_out, y_training, y_held_out = (
            each.to(total)
            for each in (
                *(y.inverse, y.half_scatter, x.training, x.held_out),
                *(layer.mean * y.inverse_norms for layer in (y.training, y.held_out)),
            )
        )
        own = by_fold[number]
        slopes = (total - own).addr_(x_training, y_training, alpha=-y.training.n) @ inverse
        # Σ over held-out frames about the training means, from sums about the shift.
        covariance = torch.linalg.vecdot(own, slopes)
        covariance -= y.held_out.n * (
            x_held_out * (slopes @ y_training) + x_training * (slopes @ (y_held_out - y_training))
        )
        predicted = quadratic_forms(slopes, half_scatter)
        return torch.stack([x.variance, covariance.to(x.variance), predicted.to(x.variance)])

    def _scaled(self, dtype: torch.dtype) -> tuple[list[Tensor], Tensor]:
        """Divide the products of each fold by the neurons' norms; also return their sum."""

        def make() -> tuple[list[Tensor], Tensor]:
            rows, columns = (
                torch.where(layer.varies, 1 / layer.norms, 0.0) for layer in (self.x, self.y)
            )
            widths = [len(product) for product in self._products[0]]
            by_fold = []
            for products in self._products:
                stacked = columns.new_empty(len(rows), len(columns), dtype=dtype)
                for target, product, inverse_norms in zip(
                    torch.split(stacked, widths), products, torch.split(rows, widths), strict=True
                ):
                    target.copy_((product * columns).mul_(inverse_norms[:, None]))
                by_fold.append(stacked)
            return by_fold, reduce(torch.add, by_fold)

        return once(self, ("scaled", dtype), make)
