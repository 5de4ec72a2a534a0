"""Sums over frames for one tile of layers, in total and per jackknife group."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from assonance.scoring.frame_source import FrameReader, Frames, length
from assonance.scoring.layer_sums import LayerSums, SumsPlan, pieces
from assonance.scoring.tiles import Tile
from assonance.statistics import (
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
# Frames for each neuron, and utterances at most, that decide whether a layer is delicate. From four
# independent frames a neuron, the inflation is overestimated by a third at most.
_FRAMES_A_NEURON = 4
_UTTERANCES = 256


class PairView:
    """Pairs of layers over some of the frames.

    Parameters
    ----------
    moments
        Moments of the frames.
    blocks
        Sums for unbiased estimates, or None if no measure needs them.
    samples
        Sampled frames by layer, of row layers and of column layers, or None if no measure needs
        them.
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
        """Return the stacked neurons of several layers (rows) against one layer (columns)."""
        return self._moments.stack(rows, column)


class FrameSums:
    """Sums over frames for one tile of layers, in total and per jackknife group.

    Parameters
    ----------
    reader, plan, tile
        Frames, which sums to compute, and of which layers.
    pool_map
        `map` over the worker pool.
    advance
        Progress: gathering the sums counts as half of a pair's work, scoring it as the other half.
    known
        Sums of layers that an earlier tile computed.

    Attributes
    ----------
    layers : dict of LayerSums
        Sums of each layer alone.
    moments : FoldedMoments
        Moments of all frames.
    samples : dict
        Sampled frames by layer, if measures need them.
    """

    def __init__(
        self,
        reader: FrameReader,
        plan: SumsPlan,
        tile: Tile,
        pool_map: Map,
        advance: Callable[[float], None],
        known: Mapping[str, LayerSums] | None = None,
    ) -> None:
        self._reader = reader
        self._plan = plan
        self._tile = tile
        self._map = pool_map
        self._means = {name: plan.means[name] for name in tile.layers}
        known = known or {}
        self.layers = {name: known.get(name) or LayerSums(name, plan) for name in tile.layers}
        new = [each for name, each in self.layers.items() if name not in known]
        self._offsets = np.cumsum([0, *reader.source.sizes])
        groups: list[Moments] = []
        self._blocks: list[HsicBlockSums] = []
        scratch = Scratch()
        for group in range(plan.resampling.groups):
            moments, blocks = self._add_group(group, new, scratch, advance)
            groups.append(moments)
            self._blocks += [blocks] if blocks is not None else []
        self._grouped = GroupedMoments(
            groups,
            plan.resampling.fold_of_group.tolist(),
            {name: each.grouped for name, each in self.layers.items()},
        )
        self.moments = self._grouped.whole
        once = [1] * len(self._blocks)
        self.blocks = weighted_blocks(self._blocks, once) if self._blocks else None
        samples = {name: each.sample for name, each in self.layers.items()}
        self.samples = {name: each for name, each in samples.items() if each is not None}

    def _add_group(
        self,
        group: int,
        new: Sequence[LayerSums],
        scratch: Scratch,
        advance: Callable[[float], None],
    ) -> tuple[Moments, HsicBlockSums | None]:
        """Sum over the frames of one jackknife group, and let new layers do so too."""
        plan, tile = self._plan, self._tile
        moments = Moments(self._means, tile.pairs, float64_products=plan.exact, own=False)
        blocks = (
            HsicBlockSums(self._means, tile.pairs, utterances="blocks" in plan.needs)
            if plan.needs & {"norms", "blocks"}
            else None
        )
        for layer in new:
            layer.open_group()
        utterances = np.flatnonzero(plan.resampling.group_of_utterance == group).tolist()
        for chunk in self._reader.chunks(utterances, tile.layers, self._map):
            before = moments.n
            firsts = [int(self._offsets[utterance]) for utterance, _ in chunk]
            frames = [layers for _, layers in chunk]

            def add(
                layer: LayerSums,
                firsts: Sequence[int] = firsts,
                frames: Sequence[Frames] = frames,
            ) -> None:
                own = [each[layer.name] for each in frames]
                layer.add(list(zip(firsts, own, strict=True)), scratch)

            list(self._map(add, new))
            for piece in pieces(frames):
                moments.update(*piece, pool_map=self._map, scratch=scratch)
            if blocks is not None:
                for block in self._map(blocks.utterance_terms, frames):
                    blocks.add(block)
            advance(len(tile.pairs) / 2 * (moments.n - before) / self._offsets[-1])
        return moments, blocks

    @property
    def full(self) -> PairView:
        """The layers in all frames."""
        return PairView(
            self.moments, self.blocks, (self.samples, self.samples) if self.samples else None
        )

    def weighted(self, weights: Sequence[int]) -> PairView:
        """Return the layers in one replicate: each jackknife group counts as often as weighted."""
        blocks = weighted_blocks(self._blocks, weights) if self._blocks else None
        return PairView(self._grouped.weighted(weights), blocks)

    def without(self, group: int) -> PairView:
        """Return the layers with one jackknife group left out, by no folds: nothing is held out."""
        weights = [int(each != group) for each in range(len(self._blocks))]
        blocks = weighted_blocks(self._blocks, weights) if self._blocks else None
        return PairView(self._grouped.without(group), blocks)

    def blocks_without(self) -> list[HsicBlockSums]:
        """Return sums over utterances with each jackknife group left out, if measures need them."""
        count = len(self._blocks)
        return [
            weighted_blocks(self._blocks, [int(each != group) for each in range(count)])
            for group in range(count)
        ]

    def products(self, a: str, b: str) -> list[Tensor]:
        """Return Σxyᵀ of two layers in each jackknife group, about the pilot shifts."""
        return [group.product(a, b) for group in self._grouped.groups]

    def shifted(self, shift: float, pairs: Sequence[Ends]) -> PairView:
        """Return some pairs with the column layer circularly shifted: one draw of the null.

        Frames are shifted by whole utterances within their fold, so that each layer keeps its own
        frames in each fold.

        Parameters
        ----------
        shift
            Size of the shift, as a fraction of each fold.
        pairs
            Row and column layers.
        """
        scratch = Scratch()
        products = [
            self._shifted_products(fold, shift, pairs, scratch)
            for fold in range(self._plan.resampling.folds)
        ]
        crossed = [
            ShiftedProducts(own, added)
            for own, added in zip(self._grouped.by_fold, products, strict=True)
        ]
        moments = self.moments.with_cross(crossed)
        roll = -round(shift * len(self._plan.sampled))
        rolled = {name: each.rolled(roll) for name, each in self.samples.items()}
        return PairView(moments, None, (self.samples, rolled) if rolled else None)

    def _shifted_products(
        self, fold: int, shift: float, pairs: Sequence[Ends], scratch: Scratch
    ) -> dict[Ends, Tensor]:
        """Compute products of row layers with shifted column layers over one fold."""
        named_rows, named_columns = (
            [*dict.fromkeys(pair[side] for pair in pairs)] for side in (0, 1)
        )
        utterances = np.flatnonzero(self._plan.resampling.fold_of_utterance == fold).tolist()
        added = {
            (a, b): self._means[a].new_zeros(len(self._means[a]), len(self._means[b]))
            for a, b in pairs
        }
        read = self._reader.shifted(utterances, named_rows, named_columns, shift, self._map)
        for rows, columns in read if pairs else ():
            x, y = (
                dict(zip(frames, self._map(self._about_mean, frames.items()), strict=True))
                for frames in (rows, columns)
            )

            def add(pair: Ends, x: Frames = x, y: Frames = y) -> None:
                a, b = x[pair[0]], y[pair[1]]
                if a.dtype != b.dtype:
                    a, b = a.to(torch.float64), b.to(torch.float64)
                out = scratch.like(a, a.shape[1], b.shape[1])
                added[pair].add_(torch.mm(a.T, b, out=out))

            list(self._map(add, added))
        return added

    def _about_mean(self, frames: tuple[str, Tensor]) -> Tensor:
        """Subtract a layer's mean, in float32 unless the layer's products are float64.

        A null needs no more digits. The choice follows from the layer alone.
        """
        name, values = frames
        exact = name in self._plan.exact
        return (values - self._means[name]).to(torch.float64 if exact else torch.float32)


def find_delicate(
    reader: FrameReader, means: Frames, names: Sequence[str], pool_map: Map
) -> frozenset[str]:
    """Return the layers that float32 is not precise enough for; see `LayerStatistics.delicate`.

    A layer is judged alone, from frames spread evenly over the corpus, or from all of a small
    corpus. So its precision depends on no other layer and on no measure. Products of narrow layers,
    and of float64 frames, are float64 anyway.

    Parameters
    ----------
    reader
        Reads the frames.
    means
        Mean of each neuron over all frames, (D,) by layer name.
    names
        Layers to judge.
    pool_map
        A `map` that may call its function from several threads.
    """
    wide = [name for name in names if len(means[name]) > SMALL]
    sizes = reader.source.sizes
    utterances = range(0, len(sizes), -(-len(sizes) // _UTTERANCES))
    total = sum(sizes[utterance] for utterance in utterances)
    steps = {name: max(1, total // (_FRAMES_A_NEURON * len(means[name]))) for name in wide}
    kept: dict[str, list[Tensor]] = {name: [] for name in wide}
    seen = 0
    for chunk in reader.chunks(utterances, wide, pool_map) if wide else ():
        for _, layers in chunk:
            for name, frames in layers.items():
                kept[name].append(frames[-seen % steps[name] :: steps[name]].clone())
            seen += length(layers)

    def judge(name: str) -> bool:
        frames = torch.cat(kept.pop(name))
        if frames.dtype == torch.float64:
            return False
        centred = frames.to(torch.float64) - means[name]
        mean = centred.mean(0)
        scatter = torch.addr(centred.T @ centred, mean, mean, alpha=-len(centred))
        unit = torch.finfo(frames.dtype).eps
        return LayerStatistics(len(centred), mean, scatter, means[name], epsilon=unit).delicate

    judged = zip(wide, pool_map(judge, wide), strict=True)
    return frozenset(name for name, delicate in judged if delicate)
