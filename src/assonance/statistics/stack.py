"""Many layers' neurons against one other layer: what needs nothing of a neuron's own layer."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from assonance.statistics.fold_layer import FoldLayer
from assonance.statistics.layer import LayerStatistics, among
from assonance.statistics.lazy import lazy, once
from assonance.statistics.pair import Pair


class StackedLayers(LayerStatistics):
    """The neurons of several layers, one after the other, each by itself.

    There is no scatter: nothing is known of two neurons together.

    Parameters
    ----------
    layers
        Seen at the same frames.
    """

    def __init__(self, layers: Sequence[LayerStatistics]) -> None:
        self.n = layers[0].n
        self.mean = torch.cat([each.mean for each in layers])
        self.shift = torch.cat([each.shift for each in layers])
        self.exact = all(each.exact for each in layers)
        self._layers = layers

    @lazy
    def norms(self) -> Tensor:
        """As of any layer; shape (D,)."""
        return torch.cat([each.norms for each in self._layers])

    @lazy
    def varies(self) -> Tensor:
        """As of any layer; shape (D,)."""
        return torch.cat([each.varies for each in self._layers])


class StackedFold:
    """Several layers' neurons in one fold, each by itself; see `FoldLayer`.

    Attributes
    ----------
    training, held_out
        Means of the neurons in either, in units of their norms over all frames; (D,).
    variance
        Σx² of the held-out frames; (D,).
    """

    def __init__(self, layers: Sequence[FoldLayer]) -> None:
        units = torch.cat([each.units for each in layers])
        self.training = torch.cat([each.training.mean for each in layers]) * units
        self.held_out = torch.cat([each.held_out.mean for each in layers]) * units
        self.variance = torch.cat([each.variance for each in layers])


class StackedPair(Pair):
    """Several layers (rows) against one (columns), for measures that take neurons one by one.

    For scores that only tell how far others move, or what chance gives: many small products
    become few large ones, in float32 unless the products of the column layer were made in float64
    or 10⁻⁷ of a neuron's variance would be lost. What the row layers are like has no say in it: a
    neuron is scored the same whatever others are beside it.

    Parameters
    ----------
    x, y
        Statistics of the row layers together, and of the column layer.
    products
        Σ(x − shift)(y − shift)ᵀ of each fold and each row layer.
    x_folds, y_folds
        The same layers in each fold; empty where there is one alone.
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
    def product_type(self) -> torch.dtype:
        """In what products of bounded entries are made."""
        return torch.float64 if self.y.exact else torch.float32

    @lazy
    def correlation(self) -> Tensor:
        """As of any pair; shape (Vx, Vy)."""
        _, total = self._scaled(self.product_type)
        x, y = (layer.mean / layer.norms for layer in (self.x, self.y))
        rows, columns = self.x.varies, self.y.varies
        found = among(total, rows, columns)
        x, y = (mean[varies].to(found.dtype) for mean, varies in ((x, rows), (y, columns)))
        return torch.addr(found, x, y, alpha=-self.x.n).clamp_(-1, 1)

    @lazy
    def explained(self) -> Tensor:
        """As of any pair; shape (Vx,)."""
        # In float64: what a layer knows of itself is a difference of large terms.
        rows = self.correlation.to(torch.float64)
        explained: Tensor = torch.linalg.vecdot(rows @ self.y.inverse, rows)
        return explained

    @lazy
    def held_out(self) -> tuple[Tensor, Tensor, Tensor]:
        """As of any pair; (Dx,) each."""
        if not self._folds:
            nothing = torch.full_like(self.x.mean, torch.nan)
            return nothing, nothing, nothing
        totals = [self._fold(number) for number in range(len(self._folds))]
        variance, covariance, predicted = torch.stack(totals).sum(0)
        return variance, covariance, predicted

    def _fold(self, number: int) -> Tensor:
        """Σx², Σx·p and Σp² of one fold, about the training means; (3, Dx)."""
        x, y = self._folds[number]
        parts, total = self._scaled(y.training.inverse_type(self.product_type))
        inverse, scatter, x_seen, x_unseen, y_seen, y_unseen = (
            each.to(total)
            for each in (
                *(y.inverse, y.scatter, x.training, x.held_out),
                *(part.mean * y.units for part in (y.training, y.held_out)),
            )
        )
        own = parts[number]
        slopes = (total - own).addr_(x_seen, y_seen, alpha=-y.training.n) @ inverse
        # Σ(x − seen)(y − seen)ᵀ of the held-out frames, whose sums are known about the shift.
        covariance = torch.linalg.vecdot(own, slopes)
        covariance -= y.held_out.n * (
            x_unseen * (slopes @ y_seen) + x_seen * (slopes @ (y_unseen - y_seen))
        )
        predicted = torch.linalg.vecdot(slopes @ scatter, slopes)
        return torch.stack([x.variance, *(each.to(x.variance) for each in (covariance, predicted))])

    def _scaled(self, precision: torch.dtype) -> tuple[list[Tensor], Tensor]:
        """Products of each fold in units of the neurons' norms, and of all; (Dx, Dy) each."""

        def make() -> tuple[list[Tensor], Tensor]:
            rows, columns = (
                torch.where(layer.varies, 1 / layer.norms, 0.0) for layer in (self.x, self.y)
            )
            sizes = [len(block) for block in self._products[0]]
            parts = []
            for blocks in self._products:
                part = columns.new_empty(len(rows), len(columns), dtype=precision)
                for place, block, units in zip(
                    torch.split(part, sizes), blocks, torch.split(rows, sizes), strict=True
                ):
                    place.copy_((block * columns).mul_(units[:, None]))
                parts.append(part)
            return parts, reduce(torch.add, parts)

        return once(self, ("scaled", precision), make)
