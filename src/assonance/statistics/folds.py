"""Keep moments by fold, so that held-out statistics need no second pass over the frames."""

from collections.abc import Iterable, Mapping, Sequence, Set
from functools import reduce
from typing import Protocol

import torch
from torch import Tensor

from assonance.statistics.adding import add_up
from assonance.statistics.fold_layer import FoldLayer, Products
from assonance.statistics.kernel_sample import KernelSample
from assonance.statistics.layer import LayerStatistics
from assonance.statistics.lazy import once
from assonance.statistics.pair import Fold, Pair
from assonance.statistics.stack import StackedFold, StackedLayers, StackedPair


class FoldMoments(Protocol):
    """Protocol of the moments of one fold: `Moments`, or a view with the same attributes."""

    @property
    def n(self) -> int:
        """Number of frames."""

    @property
    def float64_products(self) -> Set[str]:
        """Names of the layers whose products were all computed in float64."""

    @property
    def epsilon(self) -> float:
        """Machine epsilon of the frames."""

    @property
    def shift(self) -> Mapping[str, Tensor]:
        """Pilot shift of each neuron, (D,), by layer."""

    @property
    def sums(self) -> Mapping[str, Tensor]:
        """Σ(x − shift), (D,), by layer."""

    def product(self, a: str, b: str) -> Tensor:
        """Return Σ(x − shift)(y − shift)ᵀ of layers a (rows) and b (columns)."""


class FoldedMoments:
    """Moments of disjoint folds of the frames, and the statistics of layers and pairs from them.

    Statistics of a layer are computed once and shared by all its pairs, with the factorisations
    that measures cache in them.

    Parameters
    ----------
    folds
        Moments of each fold, about the same shift. With a single fold nothing is held out.
    superset
        Moments of a superset of the frames; see `LayerStatistics`.
    layers
        By layer, the moments of the same folds that keep its statistics; these, if None.
    """

    def __init__(
        self,
        folds: Sequence[FoldMoments],
        *,
        superset: "FoldedMoments | None" = None,
        layers: "Mapping[str, FoldedMoments] | None" = None,
    ) -> None:
        self.folds = tuple(fold for fold in folds if fold.n)
        self._layers = layers
        self._superset = superset

    def with_cross(self, folds: Sequence[FoldMoments]) -> "FoldedMoments":
        """Return moments with the same layers and other products of different layers.

        Parameters
        ----------
        folds
            One for each fold; only their products of two different layers are used.
        """
        names = folds[0].shift
        return FoldedMoments(folds, layers={name: self._holder(name) for name in names})

    def _holder(self, name: str) -> "FoldedMoments":
        """Return the moments that keep a layer's statistics."""
        return self if self._layers is None else self._layers[name]

    def layer(self, name: str) -> LayerStatistics:
        """Return the statistics of one layer over all frames."""
        if self._layers is not None:
            return self._layers[name].layer(name)

        def make() -> LayerStatistics:
            superset = self._superset.layer(name) if self._superset else None
            return self.layer_of(name, self.folds, superset)

        return once(self, ("layer", name), make)

    def pair(self, a: str, b: str, sample: tuple[KernelSample, KernelSample] | None = None) -> Pair:
        """Return layer a (rows) against layer b (columns), in total and by fold."""
        products = [fold.product(a, b).to(torch.float64) for fold in self.folds]
        x, y = self.layer(a), self.layer(b)
        cross = torch.addr(add_up(products), x.mean, y.mean, alpha=-x.n)
        by_fold = Products(products, self.fold_layers(a), self.fold_layers(b))
        folds = [Fold(number, by_fold) for number in range(len(by_fold.x))]
        return Pair(x, y, cross, folds, sample)

    def stack(self, rows: Sequence[str], column: str) -> StackedPair:
        """Return the single neurons of several layers (rows) against one layer (columns)."""
        x_folds = zip(*(self.fold_layers(name) for name in rows), strict=True)
        return StackedPair(
            StackedLayers([self.layer(name) for name in rows]),
            self.layer(column),
            [
                [fold.product(name, column).to(torch.float64) for name in rows]
                for fold in self.folds
            ],
            [StackedFold(layers) for layers in x_folds],
            self.fold_layers(column),
        )

    def fold_layers(self, name: str) -> list[FoldLayer]:
        """Return a layer in each fold; empty if there is a single fold."""
        count = len(self.folds)
        return [self.fold_layer(name, number) for number in range(count)] if count > 1 else []

    def fold_layer(self, name: str, number: int) -> FoldLayer:
        """Return the training and held-out statistics of one layer in one fold."""
        if self._layers is not None:
            return self._layers[name].fold_layer(name, number)

        def make() -> FoldLayer:
            # Training folds are added up, not subtracted from the total: for a neuron that varies
            # in the held-out fold alone, the difference would be rounding that looks like variance.
            others = [fold for other, fold in enumerate(self.folds) if other != number]
            whole = self.layer(name)
            superset = whole.superset or whole
            training, held_out = (
                self.layer_of(name, folds, superset) for folds in (others, [self.folds[number]])
            )
            return FoldLayer(whole, training, held_out)

        return once(self, (name, number), make)

    def layer_of(
        self, name: str, folds: Sequence[FoldMoments], superset: LayerStatistics | None
    ) -> LayerStatistics:
        """Compute the statistics of a layer over some of the folds, or over parts of them."""
        n = sum(fold.n for fold in folds)
        mean = _add(fold.sums[name] for fold in folds) / n
        product = add_up([fold.product(name, name) for fold in folds])
        scatter = torch.addr(product, mean, mean, alpha=-n)
        return LayerStatistics(
            n,
            mean,
            scatter,
            folds[0].shift[name],
            float64_products=all(name in fold.float64_products for fold in self.folds),
            epsilon=max(fold.epsilon for fold in self.folds),
            superset=superset,
        )


def _add(values: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, values)
