"""Sums over frames for one tile of layers, in total and per jackknife group."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from assonance.scoring.frame_source import FrameReader, Frames
from assonance.scoring.layer_sums import LayerSums, SumsPlan, pieces
from assonance.scoring.tiles import Tile
from assonance.statistics import (
    FoldedMoments,
    GroupedMoments,
    HsicBlockSums,
    KernelSample,
    Moments,
    Pair,
    ShiftedProducts,
    StackedPair,
    weighted_blocks,
)
from assonance.statistics.hsic_left_out import HsicLeftOut
from assonance.statistics.moments import two_float32
from assonance.utils.cores import Map
from assonance.utils.memory import Scratch

Ends = tuple[str, str]


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
        self._offsets = np.cumsum([0, *reader.source.sizes])
        scratch = Scratch()
        new = [each for name, each in self.layers.items() if name not in known]
        if new:
            self._add_layers(new, scratch)
        delicate = pool_map(lambda each: each.delicate, self.layers.values())
        self._exact = {name for name, each in zip(self.layers, delicate, strict=True) if each}
        groups: list[Moments] = []
        self._blocks: list[HsicBlockSums] = []
        for group in range(plan.resampling.groups):
            moments, blocks = self._add_group(group, scratch, advance)
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

    def _add_layers(self, layers: Sequence[LayerSums], scratch: Scratch) -> None:
        """Let layers sum over their own frames."""
        names = [each.name for each in layers]
        for group in range(self._plan.resampling.groups):
            list(self._map(LayerSums.open_group, layers))
            for chunk in self._chunks(group, names):
                firsts = [int(self._offsets[utterance]) for utterance, _ in chunk]

                def add(
                    layer: LayerSums,
                    firsts: Sequence[int] = firsts,
                    chunk: Sequence[tuple[int, Frames]] = chunk,
                ) -> None:
                    own = [frames[layer.name] for _, frames in chunk]
                    layer.add(list(zip(firsts, own, strict=True)), scratch)

                list(self._map(add, layers))

    def _add_group(
        self, group: int, scratch: Scratch, advance: Callable[[float], None]
    ) -> tuple[Moments, HsicBlockSums | None]:
        """Multiply pairs over the frames of one jackknife group."""
        plan, tile = self._plan, self._tile
        moments = Moments(self._means, tile.pairs, float64_products=self._exact, own=False)
        blocks = (
            HsicBlockSums(self._means, tile.pairs, utterances="blocks" in plan.needs)
            if plan.needs & {"norms", "blocks"}
            else None
        )
        for chunk in self._chunks(group, tile.layers):
            before = moments.n
            frames = [layers for _, layers in chunk]
            for piece in pieces(frames):
                moments.update(*piece, pool_map=self._map, scratch=scratch)
            if blocks is not None:
                for block in self._map(blocks.utterance_terms, frames):
                    blocks.add(block)
            advance(len(tile.pairs) / 2 * (moments.n - before) / self._offsets[-1])
        return moments, blocks

    def _chunks(self, group: int, names: Sequence[str]) -> Iterator[list[tuple[int, Frames]]]:
        """Read the frames of one jackknife group."""
        utterances = np.flatnonzero(self._plan.resampling.group_of_utterance == group).tolist()
        return self._reader.chunks(utterances, names, self._map)

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

    def left_out(self) -> HsicLeftOut | None:
        """Return sums over utterances with each jackknife group left out, if measures need them."""
        return HsicLeftOut(self._blocks) if self._blocks else None

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
        rolled = self._map(lambda each: each.rolled(roll), self.samples.values())
        samples = self.samples, dict(zip(self.samples, rolled, strict=True))
        return PairView(moments, None, samples if self.samples else None)

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
        if name in self._exact:
            return values - self._means[name]
        high, low = two_float32(self._means[name])
        return (values.to(torch.float32) - high).sub_(low)
