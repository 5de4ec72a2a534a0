"""Moments kept by fold, so that held-out statistics need no second pass over the frames."""

from collections.abc import Iterable, Mapping, Sequence, Set
from functools import reduce
from typing import Protocol, Self

import torch
from torch import Tensor

from assonance.statistics.fold_layer import FoldLayer, Products
from assonance.statistics.kernel_sample import KernelSample
from assonance.statistics.layer import LayerStatistics
from assonance.statistics.lazy import once
from assonance.statistics.pair import Fold, Pair
from assonance.statistics.stack import StackedFold, StackedLayers, StackedPair


class FoldMoments(Protocol):
    """Moments of one fold: `Moments`, or what is read as if it were."""

    @property
    def n(self) -> int:
        """Frames."""

    @property
    def exact(self) -> Set[str]:
        """Layers of which all products were made in float64."""

    @property
    def unit(self) -> float:
        """Rounding of the frames' own values, as a share of them."""

    @property
    def shift(self) -> Mapping[str, Tensor]:
        """What was taken off each neuron, (D,)."""

    @property
    def sums(self) -> Mapping[str, Tensor]:
        """Σ(x − shift), (D,)."""

    def product(self, a: str, b: str) -> Tensor:
        """Σ(x − shift)(y − shift)ᵀ of layers a (rows) and b (columns)."""


class FoldedMoments:
    """Moments of disjoint folds of the frames, and the pairs of layers read off them.

    Layers are read once and shared by all their pairs, with the factors that measures cache.

    Parameters
    ----------
    parts
        Moments of each fold, made with one shift; a single part means no folds.
    part_of
        Moments of more frames, these among them.
    """

    def __init__(
        self,
        parts: Sequence[FoldMoments],
        *,
        part_of: "FoldedMoments | None" = None,
    ) -> None:
        self.parts = tuple(part for part in parts if part.n)
        # None where it is its own: what refers to itself outlives its use.
        self._alike: FoldedMoments | None = None
        self._part_of = part_of

    def with_cross(self, parts: Sequence[FoldMoments]) -> Self:
        """Return moments of the same layers with other products of one layer with another.

        Parameters
        ----------
        parts
            Fold by fold; only products of two different layers are read from them.
        """
        other = type(self)(parts)
        other._alike = self
        return other

    def layer(self, name: str) -> LayerStatistics:
        """Return one layer's statistics over all frames."""
        if self._alike is not None:
            return self._alike.layer(name)

        def make() -> LayerStatistics:
            more = self._part_of.layer(name) if self._part_of else None
            return self._layer(name, self.parts, more)

        return once(self, ("layer", name), make)

    def pair(self, a: str, b: str, sample: tuple[KernelSample, KernelSample] | None = None) -> Pair:
        """Return layer a (rows) against layer b (columns), whole and by fold."""
        products = [part.product(a, b) for part in self.parts]
        x, y = self.layer(a), self.layer(b)
        cross = torch.addr(_add(products), x.mean, y.mean, alpha=-x.n)
        by_fold = Products(products, self._fold_layers(a), self._fold_layers(b))
        folds = [Fold(number, by_fold) for number in range(len(by_fold.x))]
        return Pair(x, y, cross, folds, sample)

    def stack(self, rows: Sequence[str], column: str) -> StackedPair:
        """Return the neurons of several layers, one by one, against one layer (columns)."""
        x_folds = zip(*(self._fold_layers(name) for name in rows), strict=True)
        return StackedPair(
            StackedLayers([self.layer(name) for name in rows]),
            self.layer(column),
            [[part.product(name, column) for name in rows] for part in self.parts],
            [StackedFold(layers) for layers in x_folds],
            self._fold_layers(column),
        )

    def _fold_layers(self, name: str) -> list[FoldLayer]:
        """Return a layer in each fold; in none where there is one alone."""
        count = len(self.parts)
        return [self._fold_layer(name, number) for number in range(count)] if count > 1 else []

    def _fold_layer(self, name: str, fold: int) -> FoldLayer:
        if self._alike is not None:
            return self._alike._fold_layer(name, fold)

        def make() -> FoldLayer:
            # Training folds are added up, not subtracted from the total: where a neuron varies in
            # the held-out fold alone, a difference would leave rounding that passes for variation.
            others = [part for number, part in enumerate(self.parts) if number != fold]
            whole = self.layer(name)
            more = whole.part_of or whole
            training, held_out = (
                self._layer(name, parts, more) for parts in (others, [self.parts[fold]])
            )
            return FoldLayer(whole, training, held_out)

        return once(self, (name, fold), make)

    def _layer(
        self, name: str, parts: Sequence[FoldMoments], part_of: LayerStatistics | None
    ) -> LayerStatistics:
        n = sum(part.n for part in parts)
        mean = _add(part.sums[name] for part in parts) / n
        product = _add(part.product(name, name) for part in parts)
        scatter = torch.addr(product, mean, mean, alpha=-n)
        exact = all(name in part.exact for part in self.parts)
        unit = max(part.unit for part in self.parts)
        shift = parts[0].shift[name]
        return LayerStatistics(n, mean, scatter, shift, exact=exact, unit=unit, part_of=part_of)


def _add(values: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, values)
