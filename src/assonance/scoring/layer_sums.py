"""Sums over frames of one layer alone, and what all its pairs share."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.inference.resampling import Resampling
from assonance.scoring.frame_source import Frames, length
from assonance.statistics import CHUNK_FRAMES, GroupedMoments, KernelSample, Moments
from assonance.statistics.layer import SMALL
from assonance.statistics.layer_groups import LayerGroups
from assonance.statistics.lazy import lazy
from assonance.statistics.moment_views import Together
from assonance.utils.memory import Scratch


@dataclass(frozen=True)
class SumsPlan:
    """Which sums to compute, for any layers.

    Attributes
    ----------
    resampling
        Jackknife group of each utterance, and fold of each group.
    means
        Mean of each neuron, subtracted from its frames, (D,) by layer name.
    needs
        Statistics that the measures need; see `assonance.measures.Measure`.
    sampled
        Indices of the sampled frames, ascending.
    """

    resampling: Resampling
    means: Frames
    needs: Set[str]
    sampled: NDArray[np.int64]


class LayerSums:
    """Sums over frames of one layer, in total and per jackknife group.

    They depend on no other layer, so they are computed once for as many pairs as memory allows.

    Parameters
    ----------
    name
        The layer.
    plan
        Which sums to compute.

    Attributes
    ----------
    utterance_squares : Tensor
        Σ over utterances of the squared sum of each neuron about its mean, (D,).
    whole : bool
        Whether the layer's products with itself are there.
    """

    def __init__(self, name: str, plan: SumsPlan) -> None:
        self.name = name
        self._plan = plan
        self._mean = plan.means[name]
        self._groups: list[Moments] = []
        self._kept: list[Tensor] = []
        self._indices: list[NDArray[np.int64]] = []
        self.utterance_squares = torch.zeros_like(self._mean)
        self.whole = True

    def open_group(self) -> None:
        """Begin the next jackknife group."""
        shift = {self.name: self._mean}
        self._groups.append(Moments(shift, ()))

    def add(self, chunk: Sequence[tuple[int, Tensor]], scratch: Scratch) -> None:
        """Add utterances of the open group.

        Parameters
        ----------
        chunk
            For each utterance, the index of its first frame and its frames, (T, D).
        scratch
            Buffers to reuse.
        """
        moments = self._groups[-1]
        for piece in pieces([{self.name: frames} for _, frames in chunk]):
            moments.update(*piece, scratch=scratch)
        for first, frames in chunk:
            total = frames.to(torch.float64).sum(0) - len(frames) * self._mean
            self.utterance_squares += total.square()
            if "sample" in self._plan.needs:
                self._sample(first, frames)

    @lazy
    def delicate(self) -> bool:
        """Whether float32 is not precise enough for products with other layers.

        See `LayerStatistics.delicate`. A layer is judged alone, once all its frames are added. So
        its precision depends on no other layer and on no measure. False for a narrow layer and for
        float64 frames, whose products are float64 anyway.
        """
        doubles = all(self.name in each.float64_products for each in self._groups)
        if doubles or len(self._mean) <= SMALL:
            return False
        one_fold = GroupedMoments(self._groups, [0] * len(self._groups))
        return one_fold.whole.layer(self.name).delicate

    @lazy
    def grouped(self) -> GroupedMoments:
        """Return moments by jackknife group and fold."""
        if self.delicate:
            for each in self._groups:
                each.float64_products |= {self.name}
        return GroupedMoments(self._groups, self._plan.resampling.fold_of_group.tolist())

    @lazy
    def groups(self) -> LayerGroups:
        """Return sums by jackknife group, for replicates that fit nothing again."""
        return LayerGroups(self.grouped, self.name)

    def let_go(self, *, regressions: bool) -> None:
        """Let go of the layer's products with itself, which only a pair of the two needs again.

        What pairs with other layers need is computed before: statistics over all frames, and
        tables by fold. With intervals, tables by group must be there; see `HeldScores.prepare`.

        Parameters
        ----------
        regressions
            Whether regressions on the layer are fitted to the training frames of each fold.
        """
        if not self.whole:
            return
        whole = self.grouped.whole
        whole.layer(self.name)
        for fold in whole.fold_layers(self.name):
            fold.let_go(regressions=regressions)
        holders: list[Moments | Together] = [*self._groups, *self.grouped.by_fold]
        for each in holders:
            each.let_go(self.name)
        self.whole = False

    @lazy
    def sample(self) -> KernelSample | None:
        """Return sampled frames in the order of the corpus; None if no measure needs them."""
        if not self._kept:
            return None
        order = torch.from_numpy(np.argsort(np.concatenate(self._indices)))
        frames = torch.cat(self._kept)
        self._kept = []
        return KernelSample(frames[order.to(frames.device)])

    def _sample(self, first: int, frames: Tensor) -> None:
        """Keep the sampled frames of an utterance whose first frame has the index `first`."""
        start, stop = np.searchsorted(self._plan.sampled, [first, first + len(frames)])
        indices = self._plan.sampled[start:stop]
        self._indices.append(indices)
        self._kept.append(frames[torch.from_numpy(indices - first).to(frames.device)])


def pieces(
    utterances: Sequence[Mapping[str, Tensor]],
) -> Iterator[Sequence[Mapping[str, Tensor]]]:
    """Yield the short utterances of a chunk together, and pieces of those longer than a chunk."""
    short = [layers for layers in utterances if length(layers) < CHUNK_FRAMES]
    if short:
        yield short
    for layers in utterances:
        count = length(layers) // CHUNK_FRAMES
        for number in range(count):
            yield [{name: frames.tensor_split(count)[number] for name, frames in layers.items()}]
