"""The pass over the frames: neuron and layer measures of layers from their stores."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.cautions import constant_neurons
from assonance.measures import Measure, Settings
from assonance.parallel import on_cores
from assonance.progress import Progress
from assonance.scores import Scores
from assonance.statistics import (
    CHUNK_FRAMES,
    FoldedMoments,
    KernelSample,
    Moments,
    assign_folds,
    sample_indices,
)
from assonance.store import ActivationStore
from assonance.tiles import Tile, plan

Wanted = Callable[[str, str], bool]


@dataclass(frozen=True)
class Layer:
    """Where a layer's frames are."""

    model: str
    label: str
    store: ActivationStore


class FramePass:
    """Neuron and layer measures of every wanted pair of layers, a tile at a time.

    Parameters
    ----------
    layers
        By name, in order.
    ids
        The utterances that every store holds, in the corpus's order.
    measures, settings
        What is measured, and how.
    wanted
        Which pairs; asked in the order of `layers`.
    device
        Where torch computes.
    """

    def __init__(
        self,
        layers: Mapping[str, Layer],
        ids: Sequence[str],
        measures: Sequence[Measure],
        settings: Settings,
        *,
        wanted: Wanted,
        device: str,
    ) -> None:
        self.layers = layers
        self.ids = ids
        self.measures = measures
        self.settings = settings
        self.wanted = wanted
        self.device = device
        self.needs = {each.needs for each in measures}
        store = next(iter(layers.values())).store
        sizes = [store.n_frames(id) for id in ids]
        self.frames = sum(sizes)
        self.offsets = dict(zip(ids, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
        count = settings.folds if "folds" in self.needs else 1
        self.folds = assign_folds(sizes, count, settings.seed)
        self.sampled = sample_indices(self.frames, settings.sample_frames, settings.seed)
        self.widths = {name: layer.store.layers[layer.label] for name, layer in layers.items()}
        first = self._read(ids[0], layers)
        self.shift = {name: frames.to(torch.float64).mean(0) for name, frames in first.items()}

    def run(
        self, others: NDArray[np.bool_], *, memory: float, progress: Progress
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
        scores = Scores(self.widths, self.measures, others)
        parts = int(self.folds.max()) + 1
        tiles = plan(self.widths, self.wanted, folds=parts, memory=memory)
        cautions: dict[str, list[str]] = {}
        stage = progress.stage("comparing layers", sum(len(tile.pairs) for tile in tiles))
        with stage as advance, on_cores() as share:
            for tile in tiles:
                moments, samples = self._gather(tile, advance)
                list(share(moments.prepare, tile.layers))
                for name in tile.layers:
                    if name not in cautions:
                        cautions[name] = constant_neurons(name, moments.layer(name))
                score = partial(self._score, scores, moments, samples)
                for _ in share(score, tile.pairs):
                    advance(0.5)
        return scores, [line for lines in cautions.values() for line in lines]

    def _score(
        self,
        scores: Scores,
        moments: FoldedMoments,
        samples: Mapping[str, KernelSample],
        pair: tuple[str, str],
    ) -> None:
        a, b = pair
        sample = (samples[a], samples[b]) if samples else None
        scores.add(a, b, moments.pair(a, b, sample), self.settings)

    def _gather(
        self, tile: Tile, advance: Callable[[float], None]
    ) -> tuple[FoldedMoments, dict[str, KernelSample]]:
        """Add up a tile's frames, fold by fold, and keep the sampled ones.

        Half of a pair's work is counted to this, half to its measures.
        """
        shift = {name: self.shift[name] for name in tile.layers}
        kept: dict[str, list[Tensor]] = {name: [] for name in tile.layers}
        places: list[NDArray[np.int64]] = []
        parts = []
        for fold in range(int(self.folds.max()) + 1):
            part = Moments(shift, tile.pairs)
            ids = [id for id, of in zip(self.ids, self.folds, strict=True) if of == fold]
            for first, chunk in self._chunks(ids, tile.layers):
                part.update(chunk)
                if "sample" in self.needs:
                    rows = np.flatnonzero(np.isin(first, self.sampled))
                    places.append(first[rows])
                    for name, frames in chunk.items():
                        kept[name].append(frames[torch.from_numpy(rows)])
                advance(len(tile.pairs) / 2 * len(first) / self.frames)
            parts.append(part)
        if "sample" not in self.needs:
            return FoldedMoments(parts), {}
        order = torch.from_numpy(np.argsort(np.concatenate(places)))
        samples = {name: KernelSample(torch.cat(frames)[order]) for name, frames in kept.items()}
        return FoldedMoments(parts), samples

    def _chunks(
        self, ids: Sequence[str], names: Sequence[str]
    ) -> Iterator[tuple[NDArray[np.int64], dict[str, Tensor]]]:
        """Read utterances in chunks of frames, with each frame's place in the whole corpus."""
        waiting: list[dict[str, Tensor]] = []
        places: list[NDArray[np.int64]] = []
        for number, id in enumerate(ids):
            frames = self._read(id, names)
            waiting.append(frames)
            count = len(frames[names[0]])
            places.append(np.arange(self.offsets[id], self.offsets[id] + count))
            if sum(map(len, places)) >= CHUNK_FRAMES or number == len(ids) - 1:
                chunk = {name: torch.cat([each[name] for each in waiting]) for name in names}
                yield np.concatenate(places), chunk
                waiting, places = [], []

    def _read(self, id: str, names: Iterable[str]) -> dict[str, Tensor]:
        """Read one utterance's frames of some layers, each store once."""
        by_store: dict[ActivationStore, list[str]] = {}
        for name in names:
            by_store.setdefault(self.layers[name].store, []).append(name)
        frames = {}
        for store, some in by_store.items():
            arrays = store.read(id, [self.layers[name].label for name in some])
            for name in some:
                array = arrays[self.layers[name].label]
                frames[name] = torch.from_numpy(array).to(self.device)
        return frames
