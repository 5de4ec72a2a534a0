"""Moments kept by fold, so that held-out statistics need no second pass over the frames."""

from collections.abc import Iterable, Sequence
from functools import reduce

import numpy as np
import torch
from torch import Tensor

from assonance.statistics.moments import Moments
from assonance.statistics.pair import Fold, LayerStatistics, Pair
from assonance.statistics.sample import KernelSample


def assign_folds(sizes: Sequence[int], folds: int, seed: int) -> np.ndarray:
    """Share whole groups of frames out to folds of about equal size.

    Neighbouring frames depend on each other, so a group (an utterance) is never split.

    Parameters
    ----------
    sizes
        Frames of each group.
    folds
        How many folds; no more than groups are used.
    seed
        Of the order in which groups are placed, each into the smallest fold so far.

    Returns
    -------
    numpy.ndarray
        Fold of each group, shape (len(sizes),).
    """
    filled = np.zeros(min(folds, len(sizes)), dtype=np.int64)
    assigned = np.zeros(len(sizes), dtype=np.int64)
    for group in np.random.default_rng(seed).permutation(len(sizes)):
        assigned[group] = filled.argmin()
        filled[assigned[group]] += sizes[group]
    return assigned


class FoldedMoments:
    """Moments of disjoint folds of the frames, and the pairs of layers read off them.

    Layers are read once and shared by all their pairs, with the factors that measures cache.

    Parameters
    ----------
    parts
        Moments of each fold, made with one shift; a single part means no folds.
    """

    def __init__(self, parts: Sequence[Moments]) -> None:
        self.parts = tuple(part for part in parts if part.n)
        self.total = reduce(Moments.merge, self.parts)
        self._layers: dict[tuple[str, int | None, bool], LayerStatistics] = {}

    def layer(self, name: str) -> LayerStatistics:
        """Return one layer's statistics over all frames."""
        return self._layer(name, None, False)

    def prepare(self, name: str) -> None:
        """Work out one layer's factors, so that its pairs, in whatever thread, find them there."""
        parts = range(len(self.parts)) if len(self.parts) > 1 else ()
        for fold in parts:
            self._layer(name, fold, False)
            _ = self._layer(name, fold, True).whitening
        _ = self._layer(name, None, False).whitening

    def pair(self, a: str, b: str, sample: tuple[KernelSample, KernelSample] | None = None) -> Pair:
        """Return layer a (rows) against layer b (columns), whole and by fold."""
        folds = [
            Fold(self._pair(a, b, fold, True), self._pair(a, b, fold, False))
            for fold in range(len(self.parts))
            if len(self.parts) > 1
        ]
        whole = self._pair(a, b, None, False)
        return Pair(whole.x, whole.y, whole.cross, folds, sample)

    def _pair(self, a: str, b: str, fold: int | None, training: bool) -> Pair:
        x, y = self._layer(a, fold, training), self._layer(b, fold, training)
        product, n = self._product(a, b, fold, training), x.n
        return Pair(x, y, product - n * x.mean[:, None] * y.mean)

    def _layer(self, name: str, fold: int | None, training: bool) -> LayerStatistics:
        key = (name, fold, training)
        if key not in self._layers:
            parts = self._parts(fold, training)
            n = sum(part.n for part in parts)
            mean = _add(part.sums[name] for part in parts) / n
            scatter = self._product(name, name, fold, training) - n * mean[:, None] * mean
            self._layers[key] = LayerStatistics(n, mean, scatter, self.total.shift[name])
        return self._layers[key]

    def _product(self, a: str, b: str, fold: int | None, training: bool) -> Tensor:
        return _add(part.product(a, b) for part in self._parts(fold, training))

    def _parts(self, fold: int | None, training: bool) -> Sequence[Moments]:
        """Moments whose sum is wanted: of all frames, of one fold, or of all but one.

        Training folds are added up, not subtracted from the total: where a neuron varies in the
        held-out fold alone, a difference would leave rounding that passes for variation.
        """
        if fold is None:
            return [self.total]
        if training:
            return [part for index, part in enumerate(self.parts) if index != fold]
        return [self.parts[fold]]


def _add(values: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, values)
