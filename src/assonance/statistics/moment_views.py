"""Parts of the frames that are left out or drawn, whole units of speech in each."""

from collections.abc import Mapping, Sequence
from functools import reduce

import torch
from torch import Tensor

from assonance.statistics.folds import FoldedMoments, FoldMoments
from assonance.statistics.lazy import once
from assonance.statistics.moments import Moments


class GroupedMoments:
    """Moments by part, whole parts making up folds; parts can be left out, or count repeatedly.

    Parameters
    ----------
    parts
        Moments of each part, made with one shift.
    folds
        Fold of each part, ascending from 0.

    Attributes
    ----------
    by_fold : list of Moments
        Of each fold.
    whole : FoldedMoments
        Everything, by fold.
    """

    def __init__(self, parts: Sequence[Moments], folds: Sequence[int]) -> None:
        self.parts = tuple(parts)
        self.folds = tuple(folds)
        self.by_fold = [
            reduce(
                Moments.merge, [part for part, own in zip(parts, folds, strict=True) if own == f]
            )
            for f in range(max(folds) + 1)
        ]

        self.whole = FoldedMoments(self.by_fold)

    def weighted(self, weights: Sequence[int]) -> FoldedMoments:
        """Everything, each part as often as its weight says, by the same folds."""
        by_fold = [self._fold(number, whole, weights) for number, whole in enumerate(self.by_fold)]
        return FoldedMoments(by_fold, part_of=self.whole)

    def _fold(self, number: int, whole: Moments, weights: Sequence[int]) -> FoldMoments:
        own = [place for place, fold in enumerate(self.folds) if fold == number]
        parts = [self.parts[place] for place in own]
        times = [weights[place] for place in own]
        if set(times) == {1}:
            return whole
        if sorted(times) == [0] + [1] * (len(own) - 1):
            left = parts.pop(times.index(0))
            return LeaveOneOut(whole, left, parts)
        return Reweighted(whole, parts, times)


class Reweighted:
    """A fold's moments where each of its parts counts any number of times.

    Parameters
    ----------
    whole, parts
        Of the fold, and of its parts.
    times
        How often each counts.
    """

    def __init__(self, whole: Moments, parts: Sequence[Moments], times: Sequence[int]) -> None:
        self._whole = whole
        self._drawn = [(part, count) for part, count in zip(parts, times, strict=True) if count]
        self.n = sum(count * part.n for part, count in self._drawn)
        self.exact = whole.exact
        self.unit = whole.unit
        self.shift = whole.shift
        self.sums: Mapping[str, Tensor] = {
            name: _weighted(sums, [(part.sums[name], count) for part, count in self._drawn])
            for name, sums in whole.sums.items()
        }

    def product(self, a: str, b: str) -> Tensor:
        """Σ(x − shift)(y − shift)ᵀ of layers a (rows) and b (columns)."""

        def make() -> Tensor:
            drawn = [(part.product(a, b), count) for part, count in self._drawn]
            return _weighted(self._whole.product(a, b), drawn)

        # A layer's own product is asked for again with every fold.
        return once(self, a, make) if a == b else make()


def _weighted(like: Tensor, drawn: Sequence[tuple[Tensor, int]]) -> Tensor:
    total = torch.zeros_like(like)
    for each, count in drawn:
        total.add_(each, alpha=count)
    return total


class LeaveOneOut:
    """What is left of a fold's moments without one of its parts.

    Parameters
    ----------
    whole, part, others
        Of the fold, of the part left out, and of each of the others.
    """

    def __init__(self, whole: Moments, part: Moments, others: Sequence[Moments]) -> None:
        self._whole = whole
        self._part = part
        self._others = others
        self.n = whole.n - part.n
        self.exact = whole.exact
        self.unit = whole.unit
        self.shift = whole.shift
        self.sums: Mapping[str, Tensor] = {
            name: reduce(torch.add, [other.sums[name] for other in others], sums.new_zeros(()))
            for name, sums in whole.sums.items()
        }

    def product(self, a: str, b: str) -> Tensor:
        """Σ(x − shift)(y − shift)ᵀ of layers a (rows) and b (columns)."""
        if a == b:
            # Added up, not subtracted: where a neuron varies in the part left out alone, a
            # difference would leave rounding that passes for variation.
            return reduce(torch.add, [other.product(a, a) for other in self._others])
        return self._whole.product(a, b) - self._part.product(a, b)


class ShiftedProducts:
    """A fold's moments with other products of one layer with another.

    Parameters
    ----------
    own
        Moments of the fold.
    products
        Products of two different layers, in either order, about the same shift.
    """

    def __init__(self, own: Moments, products: Mapping[tuple[str, str], Tensor]) -> None:
        self._products = products
        self.n = own.n
        self.exact = own.exact
        self.unit = own.unit
        self.shift = own.shift
        self.sums = own.sums

    def product(self, a: str, b: str) -> Tensor:
        """Σ(x − shift)(y − shift)ᵀ of layers a (rows) and b (columns)."""
        return self._products[a, b] if (a, b) in self._products else self._products[b, a].T


class Selected:
    """A fold's moments of some neurons of one layer, under names of their own.

    Parameters
    ----------
    own
        Moments of the fold.
    layer
        Name of the layer.
    chosen
        Indices of neurons, by the name that they go by.
    """

    def __init__(self, own: FoldMoments, layer: str, chosen: Mapping[str, Tensor]) -> None:
        self._own = own
        self._layer = layer
        self._chosen = chosen
        self.n = own.n
        self.exact = frozenset(chosen if layer in own.exact else ())
        self.unit = own.unit
        self.shift = {name: own.shift[layer][neurons] for name, neurons in chosen.items()}
        self.sums = {name: own.sums[layer][neurons] for name, neurons in chosen.items()}

    def product(self, a: str, b: str) -> Tensor:
        """Σ(x − shift)(y − shift)ᵀ of neurons a (rows) and b (columns)."""
        rows, columns = self._chosen[a], self._chosen[b]
        return self._own.product(self._layer, self._layer)[rows][:, columns]


def halves(moments: FoldedMoments, layer: str, seed: int) -> FoldedMoments:
    """Part the neurons of a layer into two random halves, layers ``"first"`` and ``"second"``.

    Of an odd number one is in neither.
    """
    width = len(moments.parts[0].shift[layer])
    order = torch.randperm(width, generator=torch.Generator().manual_seed(seed))
    chosen = {"first": order[: width // 2], "second": order[width // 2 : width // 2 * 2]}
    parts = [Selected(part, layer, chosen) for part in moments.parts]
    return FoldedMoments(parts)
