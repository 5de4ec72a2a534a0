"""Parts of the frames that are left out in turn, whole units of speech in each."""

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.statistics.folds import FoldedMoments, FoldMoments, assign_folds
from assonance.statistics.moments import Moments


def assign_parts(
    sizes: Sequence[int], units: Sequence[int], *, folds: int, parts: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Share utterances out to folds of about equal size, and each fold's to parts.

    What depends on each other (pieces of one recording, utterances of one speaker) is a unit and
    never split. The folds do not depend on how many parts there are.

    Parameters
    ----------
    sizes
        Frames of each utterance.
    units
        Number of the unit that each belongs to, from 0 on.
    folds, parts
        How many; fewer where there are fewer units.
    seed
        Of the order in which units are placed.

    Returns
    -------
    tuple of numpy.ndarray
        Part of each utterance, shape (len(sizes),), and fold of each part, ascending.
    """
    weights = np.bincount(units, weights=sizes).astype(np.int64)
    fold_of_unit = assign_folds(weights.tolist(), folds, seed)
    part_of_unit = np.zeros(len(weights), dtype=np.int64)
    fold_of_part: list[int] = []
    count = int(fold_of_unit.max()) + 1
    for fold in range(count):
        members = np.flatnonzero(fold_of_unit == fold)
        wanted = max(1, parts // count + (fold < parts % count))
        within = assign_folds(weights[members].tolist(), wanted, seed)
        part_of_unit[members] = len(fold_of_part) + within
        fold_of_part += [fold] * (int(within.max()) + 1)
    return part_of_unit[np.asarray(units)], np.array(fold_of_part)


class PartedMoments:
    """Moments by part, whole parts making up folds; each part can be left out.

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

    def without(self, part: int) -> FoldedMoments:
        """Everything but one part, by the same folds."""
        left = self.folds[part]
        others = [
            each
            for number, (each, fold) in enumerate(zip(self.parts, self.folds, strict=True))
            if fold == left and number != part
        ]
        by_fold: list[Moments | Remainder] = list(self.by_fold)
        by_fold[left] = Remainder(self.by_fold[left], self.parts[part], others)
        return FoldedMoments(by_fold, part_of=self.whole)


class Remainder:
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


class Crossed:
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
        self.exact = own.exact
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
