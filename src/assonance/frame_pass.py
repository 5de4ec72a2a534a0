"""The pass over the frames: neuron and layer measures of layers seen at the same frames."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.cautions import constant_neurons
from assonance.describe import describe
from assonance.measures import Measure, Settings
from assonance.parallel import Map, Scratch, on_cores
from assonance.progress import Progress
from assonance.scores import Scores
from assonance.statistics import (
    CHUNK_FRAMES,
    BlockSums,
    FoldedMoments,
    KernelSample,
    Moments,
    Pair,
    assign_folds,
    sample_indices,
)
from assonance.tiles import Tile, plan

Wanted = Callable[[str, str], bool]


class FrameSource(Protocol):
    """Layers seen at the same frames, in groups whose frames depend on each other."""

    @property
    def widths(self) -> Mapping[str, int]:
        """Layer name to its number of neurons, in order."""

    @property
    def sizes(self) -> Sequence[int]:
        """Frames of each group."""

    def read(self, group: int, names: Sequence[str]) -> Mapping[str, Tensor]:
        """Frames of one group, shape (T, D) by layer name, float32 or float64."""

    def means(self) -> Mapping[str, Tensor]:
        """Mean of each neuron over all frames, float64, shape (D,) by layer name."""


class FramePass:
    """Neuron and layer measures of every wanted pair of layers, a tile at a time.

    Parameters
    ----------
    source
        The frames.
    measures, settings
        What is measured, and how.
    wanted
        Which pairs; asked in the order of the layers. All by default.
    device
        Where torch computes.
    """

    def __init__(
        self,
        source: FrameSource,
        measures: Sequence[Measure],
        settings: Settings,
        *,
        wanted: Wanted = lambda a, b: True,
        device: str = "cpu",
    ) -> None:
        self.source = source
        self.measures = measures
        self.settings = settings
        self.wanted = wanted
        self.device = device
        self.needs = {each.needs for each in measures}
        self.frames = sum(source.sizes)
        self.offsets = np.cumsum([0, *source.sizes[:-1]])
        count = settings.folds if "folds" in self.needs else 1
        self.folds = assign_folds(source.sizes, count, settings.seed)
        self.sampled = sample_indices(self.frames, settings.sample_frames, settings.seed)
        self.shift = {name: mean.to(device) for name, mean in source.means().items()}

    def run(
        self, others: NDArray[np.bool_] | None, *, memory: float, progress: Progress
    ) -> tuple[Scores, list[str]]:
        """Score every wanted pair.

        Parameters
        ----------
        others
            See `Scores`.
        memory
            Bytes that sums and factors may take.
        progress
            Told of the pairs done.

        Returns
        -------
        tuple of Scores and list of str
            The scores, and what to beware of in the layers.
        """
        widths = self.source.widths
        scores = Scores(widths, self.measures, others)
        tiles = plan(widths, self.wanted, folds=int(self.folds.max()) + 1, memory=memory)
        cautions: dict[str, list[str]] = {}
        stage = progress.stage("comparing layers", sum(len(tile.pairs) for tile in tiles))
        with stage as advance, on_cores() as share:
            for tile in tiles:
                gathered = _Gathered(self, tile, share, advance)
                for name in tile.layers:
                    if name not in cautions:
                        layer = gathered.moments.layer(name)
                        cautions[name] = constant_neurons(name, layer)
                        scores.describe(name, describe(layer, gathered.samples.get(name)))
                for _ in share(partial(self._score, scores, gathered), tile.pairs):
                    advance(0.5)
        return scores, [line for name in widths for line in cautions.get(name, [])]

    def _score(self, scores: Scores, gathered: "_Gathered", pair: tuple[str, str]) -> None:
        scores.add(*pair, gathered.pair(*pair), self.settings)

    def chunks(
        self, groups: Sequence[int], names: Sequence[str]
    ) -> Iterator[list[tuple[int, Mapping[str, Tensor]]]]:
        """Read groups, as many at a time as make a chunk of frames, each with its number."""
        waiting: list[tuple[int, Mapping[str, Tensor]]] = []
        frames = 0
        for number, group in enumerate(groups):
            layers = self.source.read(group, names)
            waiting.append((group, {name: layers[name].to(self.device) for name in names}))
            frames += self.source.sizes[group]
            if frames >= CHUNK_FRAMES or number == len(groups) - 1:
                yield waiting
                waiting, frames = [], 0


class _Gathered:
    """What is added up of a tile's layers in one pass over the frames.

    Half of a pair's work is counted to this, half to its measures.
    """

    def __init__(
        self, over: FramePass, tile: Tile, share: Map, advance: Callable[[float], None]
    ) -> None:
        shift = {name: over.shift[name] for name in tile.layers}
        self.blocks = (
            BlockSums(shift, tile.pairs, utterances="blocks" in over.needs)
            if over.needs & {"norms", "blocks"}
            else None
        )
        self._wanted = over.sampled if "sample" in over.needs else None
        self._kept: dict[str, list[Tensor]] = {name: [] for name in tile.layers}
        self._places: list[NDArray[np.int64]] = []
        precise = any(each.precise for each in over.measures)
        parts, scratch = [], Scratch()
        for fold in range(int(over.folds.max()) + 1):
            part = Moments(shift, tile.pairs, precise=precise)
            groups = np.flatnonzero(over.folds == fold).tolist()
            for chunk in over.chunks(groups, tile.layers):
                seen = part.n
                for pieces in _pieces([layers for _, layers in chunk]):
                    part.update(*pieces, share=share, scratch=scratch)
                if self.blocks is not None:
                    for block in share(self.blocks.summed, [layers for _, layers in chunk]):
                        self.blocks.add(block)
                for group, layers in chunk:
                    self._sample(int(over.offsets[group]), layers)
                advance(len(tile.pairs) / 2 * (part.n - seen) / over.frames)
            parts.append(part)
        self.moments = FoldedMoments(parts)
        self.samples = self._samples()

    def pair(self, a: str, b: str) -> Pair:
        """Return layer a (rows) against layer b (columns)."""
        sample = (self.samples[a], self.samples[b]) if self.samples else None
        pair = self.moments.pair(a, b, sample)
        if self.blocks is not None:
            pair.blocks = self.blocks.pair(a, b, pair.cross, pair.x.scatter, pair.y.scatter)
        return pair

    def _sample(self, offset: int, layers: Mapping[str, Tensor]) -> None:
        """Keep the sampled frames of one group, whose first frame is at `offset` in the whole."""
        if self._wanted is None:
            return
        first, last = np.searchsorted(self._wanted, [offset, offset + _length(layers)])
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


def _pieces(
    utterances: Sequence[Mapping[str, Tensor]],
) -> Iterator[Sequence[Mapping[str, Tensor]]]:
    """Take a chunk's utterances together, but cut one that is a chunk by itself."""
    short = [layers for layers in utterances if _length(layers) < CHUNK_FRAMES]
    if short:
        yield short
    for layers in utterances:
        count = _length(layers) // CHUNK_FRAMES
        for number in range(count):
            yield [{name: frames.tensor_split(count)[number] for name, frames in layers.items()}]


def _length(layers: Mapping[str, Tensor]) -> int:
    return len(next(iter(layers.values())))
