"""Derive the moments of jackknife and bootstrap replicates, shifts and halves from sums."""

from collections.abc import Mapping, Sequence
from functools import reduce

import torch
from torch import Tensor

from assonance.statistics.adding import add_up
from assonance.statistics.folds import FoldedMoments, FoldMoments
from assonance.statistics.lazy import forget, once
from assonance.statistics.moments import Moments


class GroupedMoments:
    """Moments by jackknife group and fold, from which those of replicates are derived.

    Each jackknife group lies within one fold.

    Parameters
    ----------
    groups
        Moments of each jackknife group, about the same shift.
    fold_of_group
        Fold of each group, ascending from 0.
    layers
        By layer, its own moments by group, where they are kept apart.

    Attributes
    ----------
    by_fold : list of Together
        Moments of each fold.
    whole : FoldedMoments
        All frames, by fold.
    """

    def __init__(
        self,
        groups: Sequence[Moments],
        fold_of_group: Sequence[int],
        layers: "Mapping[str, GroupedMoments] | None" = None,
    ) -> None:
        self.groups: tuple[FoldMoments, ...] = tuple(groups)
        if layers is not None:
            self.groups = tuple(
                Joined(group, {name: each.groups[number] for name, each in layers.items()})
                for number, group in enumerate(groups)
            )
        self.fold_of_group = tuple(fold_of_group)
        self.by_fold: list[Together] = [
            Together(
                [each for each, own in zip(self.groups, fold_of_group, strict=True) if own == fold]
            )
            for fold in range(max(fold_of_group) + 1)
        ]
        apart = None if layers is None else {name: each.whole for name, each in layers.items()}
        self.whole: FoldedMoments = FoldedMoments(self.by_fold, layers=apart)

    def weighted(self, weights: Sequence[int]) -> FoldedMoments:
        """Return all frames, those of each group counted as often as its weight, by fold."""
        by_fold = [
            self._replicate(number, fold, weights) for number, fold in enumerate(self.by_fold)
        ]
        return FoldedMoments(by_fold, superset=self.whole)

    def without(self, group: int) -> FoldedMoments:
        """Return all frames but those of one group, in a single fold: nothing is held out."""
        others = [each for number, each in enumerate(self.groups) if number != group]
        total = once(self, "total", lambda: Together(self.groups, keep=True))
        return FoldedMoments([Difference(total, self.groups[group], others)], superset=self.whole)

    def _replicate(self, number: int, fold: FoldMoments, weights: Sequence[int]) -> FoldMoments:
        own = [group for group, own_fold in enumerate(self.fold_of_group) if own_fold == number]
        groups = [self.groups[group] for group in own]
        own_weights = [weights[group] for group in own]
        if set(own_weights) == {1}:
            return fold
        if sorted(own_weights) == [0] + [1] * (len(own) - 1):
            left_out = groups.pop(own_weights.index(0))
            return LeaveOneOut(fold, left_out, groups)
        return Reweighted(fold, groups, own_weights)


class Joined:
    """Products of pairs of layers, with each layer's sum and own product from its own moments.

    Parameters
    ----------
    crossed
        Moments of several layers.
    own
        Moments of each layer alone, of the same frames about the same shift.
    """

    def __init__(self, crossed: Moments, own: Mapping[str, FoldMoments]) -> None:
        self._crossed = crossed
        self._own = own
        self.n = crossed.n
        self.float64_products = crossed.float64_products
        self.epsilon = crossed.epsilon
        self.shift = crossed.shift
        self.sums = {name: each.sums[name] for name, each in own.items()}

    def product(self, a: str, b: str) -> Tensor:
        """Return Σ(x − shift)(y − shift)ᵀ of layers a (rows) and b (columns)."""
        return self._own[a].product(a, a) if a == b else self._crossed.product(a, b)


class Together:
    """Moments of several disjoint sets of frames together.

    Parameters
    ----------
    parts
        Moments of each set, about the same shift.
    keep
        Whether to keep products of two different layers once they are added up, as those of a
        layer with itself are.
    """

    def __init__(self, parts: Sequence[FoldMoments], *, keep: bool = False) -> None:
        self._parts = tuple(parts)
        self._keep = keep
        self.n = sum(part.n for part in parts)
        self.float64_products = frozenset.intersection(
            *(frozenset(part.float64_products) for part in parts)
        )
        self.epsilon = max(part.epsilon for part in parts)
        self.shift = parts[0].shift
        self.sums: Mapping[str, Tensor] = {
            name: torch.stack([part.sums[name] for part in parts]).sum(0) for name in self.shift
        }

    def product(self, a: str, b: str) -> Tensor:
        """Return Σ(x − shift)(y − shift)ᵀ of layers a (rows) and b (columns)."""

        def make() -> Tensor:
            return add_up([part.product(a, b) for part in self._parts])

        return once(self, (a, b), make) if a == b or self._keep else make()

    def let_go(self, name: str) -> None:
        """Let go of the product of a layer with itself."""
        forget(self, (name, name))


class Reweighted:
    """Moments of a fold with each jackknife group counted as often as its weight.

    Parameters
    ----------
    fold, groups
        Moments of the fold and of each of its jackknife groups.
    weights
        How often each group counts; 0 leaves it out.
    """

    def __init__(
        self, fold: FoldMoments, groups: Sequence[FoldMoments], weights: Sequence[int]
    ) -> None:
        self._fold = fold
        self._drawn = [
            (group, weight) for group, weight in zip(groups, weights, strict=True) if weight
        ]
        self.n = sum(weight * group.n for group, weight in self._drawn)
        self.float64_products = fold.float64_products
        self.epsilon = fold.epsilon
        self.shift = fold.shift
        self.sums: Mapping[str, Tensor] = {
            name: _weighted_sum(sums, [(group.sums[name], weight) for group, weight in self._drawn])
            for name, sums in fold.sums.items()
        }

    def product(self, a: str, b: str) -> Tensor:
        """Return Σ(x − shift)(y − shift)ᵀ of layers a (rows) and b (columns)."""

        def make() -> Tensor:
            drawn = [(group.product(a, b), weight) for group, weight in self._drawn]
            return _weighted_sum(self._fold.product(a, b), drawn)

        # Every fold's training statistics need a layer's product with itself again.
        return once(self, a, make) if a == b else make()


def _weighted_sum(like: Tensor, drawn: Sequence[tuple[Tensor, int]]) -> Tensor:
    total = torch.zeros_like(like)
    for values, weight in drawn:
        total.add_(values, alpha=weight)
    return total


class LeaveOneOut:
    """Moments of a fold with one jackknife group left out.

    Parameters
    ----------
    fold, left_out, others
        Moments of the fold, of the group left out, and of each other group of the fold.
    """

    def __init__(
        self, fold: FoldMoments, left_out: FoldMoments, others: Sequence[FoldMoments]
    ) -> None:
        self._fold = fold
        self._left_out = left_out
        self._others = others
        self.n = fold.n - left_out.n
        self.float64_products = fold.float64_products
        self.epsilon = fold.epsilon
        self.shift = fold.shift
        self.sums: Mapping[str, Tensor] = {
            name: reduce(torch.add, [other.sums[name] for other in others], sums.new_zeros(()))
            for name, sums in fold.sums.items()
        }

    def product(self, a: str, b: str) -> Tensor:
        """Return Σ(x − shift)(y − shift)ᵀ of layers a (rows) and b (columns)."""
        if a == b:
            # Added up, not subtracted: for a neuron that varies in the group left out alone, the
            # difference would be rounding that looks like variance.
            return reduce(torch.add, [other.product(a, a) for other in self._others])
        return self._fold.product(a, b) - self._left_out.product(a, b)


class Difference(LeaveOneOut):
    """Moments of all frames with one jackknife group left out, by subtraction.

    Only the squares on the diagonal of a layer's product with itself are added up.
    """

    def product(self, a: str, b: str) -> Tensor:
        """Return Σ(x − shift)(y − shift)ᵀ of layers a (rows) and b (columns)."""
        product = self._fold.product(a, b) - self._left_out.product(a, b)
        if a == b:
            # Squares are added up: for a neuron that varies in the group left out alone, the
            # difference would be rounding that looks like variance.
            squares = [other.product(a, a).diagonal() for other in self._others]
            product.diagonal().copy_(torch.stack(squares).sum(0))
        return product


class ShiftedProducts:
    """Moments of a fold with other products of different layers: for the circular-shift null.

    Parameters
    ----------
    own
        Moments of the fold.
    products
        Products of two different layers, in either order, about the same shift.
    """

    def __init__(self, own: FoldMoments, products: Mapping[tuple[str, str], Tensor]) -> None:
        self._products = products
        self.n = own.n
        self.float64_products = own.float64_products
        self.epsilon = own.epsilon
        self.shift = own.shift
        self.sums = own.sums

    def product(self, a: str, b: str) -> Tensor:
        """Return Σ(x − shift)(y − shift)ᵀ of layers a (rows) and b (columns)."""
        return self._products[a, b] if (a, b) in self._products else self._products[b, a].T


class SelectedNeurons:
    """Moments of a fold for subsets of the neurons of one layer, each named as a layer.

    Parameters
    ----------
    own
        Moments of the fold.
    layer
        Name of the layer.
    subsets
        Indices of neurons, by the name of the subset.
    """

    def __init__(self, own: FoldMoments, layer: str, subsets: Mapping[str, Tensor]) -> None:
        self._own = own
        self._layer = layer
        self._subsets = subsets
        self.n = own.n
        self.float64_products = frozenset(subsets if layer in own.float64_products else ())
        self.epsilon = own.epsilon
        self.shift = {name: own.shift[layer][neurons] for name, neurons in subsets.items()}
        self.sums = {name: own.sums[layer][neurons] for name, neurons in subsets.items()}

    def product(self, a: str, b: str) -> Tensor:
        """Return Σ(x − shift)(y − shift)ᵀ of subsets a (rows) and b (columns)."""
        rows, columns = self._subsets[a], self._subsets[b]
        return self._own.product(self._layer, self._layer)[rows][:, columns]


def halves(moments: FoldedMoments, layer: str, seed: int) -> FoldedMoments:
    """Split the neurons of a layer into two random halves, layers ``"first"`` and ``"second"``.

    If the number of neurons is odd, one neuron is in neither half.
    """
    width = len(moments.folds[0].shift[layer])
    order = torch.randperm(width, generator=torch.Generator().manual_seed(seed))
    subsets = {"first": order[: width // 2], "second": order[width // 2 : width // 2 * 2]}
    return FoldedMoments([SelectedNeurons(fold, layer, subsets) for fold in moments.folds])
