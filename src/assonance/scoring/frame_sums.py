"""What is added up of some layers in one pass over their frames, whole and by part."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.scoring.frame_source import FrameReader, Frames, length
from assonance.scoring.tiles import Tile
from assonance.statistics import (
    CHUNK_FRAMES,
    FoldedMoments,
    GroupedMoments,
    HsicBlockSums,
    KernelSample,
    LayerStatistics,
    Moments,
    Pair,
    ShiftedProducts,
    StackedPair,
    weighted_blocks,
)
from assonance.statistics.layer import SMALL
from assonance.utils.cores import Map
from assonance.utils.memory import Scratch

Ends = tuple[str, str]
# How many frames tell whether a layer is delicate: so many for each neuron, of at most so many
# groups. With four a neuron, inflation reads a third too high at most where frames are independent.
_FRAMES_A_NEURON = 4
_GROUPS = 256


class PairView:
    """Layers as they are seen in some frames.

    Parameters
    ----------
    moments
        Sums of the frames.
    blocks
        Sums for unbiased estimates, where measures need them.
    samples
        Sampled frames by name, of row layers and of column layers, where measures need them.
    """

    def __init__(
        self,
        moments: FoldedMoments,
        blocks: HsicBlockSums | None,
        samples: tuple[Mapping[str, KernelSample], Mapping[str, KernelSample]] | None = None,
    ) -> None:
        self._moments = moments
        self._blocks = blocks
        self._samples = samples

    def pair(self, a: str, b: str) -> Pair:
        """Return layer a (rows) against layer b (columns)."""
        sample = self._samples and (self._samples[0][a], self._samples[1][b])
        pair = self._moments.pair(a, b, sample)
        if self._blocks is not None:
            pair.blocks = self._blocks.pair(a, b, pair.cross, pair.x.scatter, pair.y.scatter)
        return pair

    def stack(self, rows: Sequence[str], column: str) -> StackedPair:
        """Return the neurons of several layers, one by one, against one layer (columns)."""
        return self._moments.stack(rows, column)


@dataclass(frozen=True)
class SumsPlan:
    """What to add up, of whatever layers.

    Attributes
    ----------
    parts, folds
        Part of each group; fold of each part.
    shift
        What is taken off each neuron, (D,) by layer name.
    needs
        What the measures are functions of; see `assonance.measures.Measure`.
    exact
        Layers whose products are made in float64.
    sampled
        Places of the sampled frames, ascending.
    """

    parts: NDArray[np.int64]
    folds: NDArray[np.int64]
    shift: Frames
    needs: Set[str]
    exact: Set[str]
    sampled: NDArray[np.int64]


class FrameSums:
    """What is added up of a tile's layers in one pass over the frames.

    Half of a pair's work is counted to this, half to its measures.

    Attributes
    ----------
    moments : FoldedMoments
        Of all frames.
    samples : dict
        Sampled frames by layer, where measures need them.
    of_groups : dict
        Layer to Σ over groups of the squared sum of each neuron about its shift, (D,).
    """

    def __init__(
        self,
        reader: FrameReader,
        plan: SumsPlan,
        tile: Tile,
        share: Map,
        advance: Callable[[float], None],
    ) -> None:
        self._reader = reader
        self._plan = plan
        self._tile = tile
        self._share = share
        self._shift = shift = {name: plan.shift[name] for name in tile.layers}
        self._wanted = plan.sampled if "sample" in plan.needs else None
        self._kept: dict[str, list[Tensor]] = {name: [] for name in tile.layers}
        self._places: list[NDArray[np.int64]] = []
        self.of_groups = {name: torch.zeros_like(mean) for name, mean in shift.items()}
        offsets = np.cumsum([0, *reader.source.sizes])
        parts, self._blocks, scratch = [], [], Scratch()
        for number in range(len(plan.folds)):
            part = Moments(shift, tile.pairs, float64_products=plan.exact)
            blocks = (
                HsicBlockSums(shift, tile.pairs, utterances="blocks" in plan.needs)
                if plan.needs & {"norms", "blocks"}
                else None
            )
            groups = np.flatnonzero(plan.parts == number).tolist()
            for chunk in reader.chunks(groups, tile.layers):
                seen = part.n
                for pieces in _pieces([layers for _, layers in chunk]):
                    part.update(*pieces, pool_map=share, scratch=scratch)
                if blocks is not None:
                    for block in share(blocks.utterance_terms, [layers for _, layers in chunk]):
                        blocks.add(block)
                for group, layers in chunk:
                    for name, frames in layers.items():
                        total = frames.to(torch.float64).sum(0) - len(frames) * shift[name]
                        self.of_groups[name] += total.square()
                    self._sample(int(offsets[group]), layers)
                advance(len(tile.pairs) / 2 * (part.n - seen) / offsets[-1])
            parts.append(part)
            self._blocks += [blocks] if blocks is not None else []
        self._parted = GroupedMoments(parts, plan.folds.tolist())
        self.moments = self._parted.whole
        whole = [1] * len(self._blocks)
        self.blocks = weighted_blocks(self._blocks, whole) if self._blocks else None
        self.samples = self._samples()

    @property
    def whole(self) -> PairView:
        """All frames."""
        return PairView(
            self.moments, self.blocks, (self.samples, self.samples) if self.samples else None
        )

    def weighted(self, weights: Sequence[int]) -> PairView:
        """Take each part of the frames as often as its weight says."""
        blocks = weighted_blocks(self._blocks, weights) if self._blocks else None
        return PairView(self._parted.weighted(weights), blocks)

    def shifted(self, share: float, pairs: Sequence[Ends]) -> PairView:
        """Pair layers with what the second makes of other places, for some pairs.

        Within each fold speech is paired with that of utterances further on, round in a circle,
        so that every layer keeps its own frames in every fold. `share` says how far on, as a share
        of each fold.
        """
        products = []
        scratch = Scratch()
        names = [name for name in self._tile.layers if any(name in pair for pair in pairs)]
        for fold in range(int(self._plan.folds.max()) + 1):
            groups = np.flatnonzero(self._plan.folds[self._plan.parts] == fold).tolist()
            added = {
                (a, b): self._shift[a].new_zeros(len(self._shift[a]), len(self._shift[b]))
                for a, b in pairs
            }
            for rows, columns in self._reader.shifted(groups, names, share) if names else ():
                x, y = (self._about_mean(frames) for frames in (rows, columns))

                def add(
                    pair: Ends, x: Frames = x, y: Frames = y, added: dict[Ends, Tensor] = added
                ) -> None:
                    a, b = x[pair[0]], y[pair[1]]
                    if a.dtype != b.dtype:
                        a, b = a.to(torch.float64), b.to(torch.float64)
                    out = scratch.like(a, a.shape[1], b.shape[1])
                    added[pair].add_(torch.mm(a.T, b, out=out))

                list(self._share(add, added))
            products.append(added)
        crossed = [
            ShiftedProducts(own, added)
            for own, added in zip(self._parted.by_fold, products, strict=True)
        ]
        moments = self.moments.with_cross(crossed)
        turn = -round(share * len(self._plan.sampled))
        turned = {name: each.rolled(turn) for name, each in self.samples.items()}
        return PairView(moments, None, (self.samples, turned) if turned else None)

    def _about_mean(self, frames: Frames) -> Frames:
        """Frames about the shift, in float32 unless the layer is multiplied in float64.

        Which it is follows from the layer alone: a null needs no more digits than that.
        """
        return {
            name: (values - self._shift[name]).to(
                torch.float64 if name in self._plan.exact else torch.float32
            )
            for name, values in frames.items()
        }

    def _sample(self, offset: int, layers: Mapping[str, Tensor]) -> None:
        """Keep the sampled frames of one group, whose first frame is at `offset` in the whole."""
        if self._wanted is None:
            return
        first, last = np.searchsorted(self._wanted, [offset, offset + length(layers)])
        places = self._wanted[first:last]
        self._places.append(places)
        rows = torch.from_numpy(places - offset)
        for name, frames in layers.items():
            self._kept[name].append(frames[rows.to(frames.device)])

    def _samples(self) -> dict[str, KernelSample]:
        """Put the sampled frames into the order of the whole, however they were read."""
        if self._wanted is None:
            return {}
        order = torch.from_numpy(np.argsort(np.concatenate(self._places)))
        joined = {name: torch.cat(frames) for name, frames in self._kept.items()}
        return {
            name: KernelSample(frames[order.to(frames.device)]) for name, frames in joined.items()
        }


def find_delicate(
    reader: FrameReader, shift: Frames, names: Sequence[str], share: Map
) -> frozenset[str]:
    """Return the layers that float32 is not precise enough for; see `LayerStatistics.delicate`.

    Judged from frames spread evenly over the corpus, all of them where there are few. A layer is
    judged by itself, whatever it is compared with and by which measures. Small layers and frames in
    float64 need not be judged: their products are made in float64 anyway.

    Parameters
    ----------
    reader
        Of the frames.
    shift
        Mean of each neuron over all frames, (D,) by layer name.
    names
        Layers to judge.
    share
        A `map` that may call its function from several threads.
    """
    wide = [name for name in names if len(shift[name]) > SMALL]
    sizes = reader.source.sizes
    groups = range(0, len(sizes), -(-len(sizes) // _GROUPS))
    total = sum(sizes[group] for group in groups)
    steps = {name: max(1, total // (_FRAMES_A_NEURON * len(shift[name]))) for name in wide}
    kept: dict[str, list[Tensor]] = {name: [] for name in wide}
    seen = 0
    for chunk in reader.chunks(groups, wide) if wide else ():
        for _, layers in chunk:
            for name, frames in layers.items():
                kept[name].append(frames[-seen % steps[name] :: steps[name]].clone())
            seen += length(layers)

    def judge(name: str) -> bool:
        frames = torch.cat(kept.pop(name))
        if frames.dtype == torch.float64:
            return False
        about = frames.to(torch.float64) - shift[name]
        mean = about.mean(0)
        scatter = torch.addr(about.T @ about, mean, mean, alpha=-len(about))
        unit = torch.finfo(frames.dtype).eps
        return LayerStatistics(len(about), mean, scatter, shift[name], epsilon=unit).delicate

    judged = zip(wide, share(judge, wide), strict=True)
    return frozenset(name for name, delicate in judged if delicate)


def _pieces(
    utterances: Sequence[Mapping[str, Tensor]],
) -> Iterator[Sequence[Mapping[str, Tensor]]]:
    """Take a chunk's utterances together, but cut one that is a chunk by itself."""
    short = [layers for layers in utterances if length(layers) < CHUNK_FRAMES]
    if short:
        yield short
    for layers in utterances:
        count = length(layers) // CHUNK_FRAMES
        for number in range(count):
            yield [{name: frames.tensor_split(count)[number] for name, frames in layers.items()}]
