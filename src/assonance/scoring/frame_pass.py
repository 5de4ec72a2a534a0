"""The pass over the frames: neuron and layer measures of layers seen at the same frames."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from assonance.inference.resampling import assign_parts, groups_left_out, weights_of_replicates
from assonance.measures import Measure
from assonance.measures.layer_descriptors import describe
from assonance.measures.registry import SHIFTED
from assonance.scoring.caveats import (
    Groups,
    constant_neurons,
    few_effective_frames,
    no_intervals,
    too_few_groups,
)
from assonance.scoring.frame_source import FrameReader, FrameSource
from assonance.scoring.frame_sums import Ends, FrameSums, PairView, SumsPlan, find_delicate
from assonance.scoring.replicates import ReplicateScores
from assonance.scoring.scores import Scores, half_scores
from assonance.scoring.tiles import Tile, plan, stacks
from assonance.settings import Settings
from assonance.statistics import sample_indices
from assonance.utils.cores import Map, worker_pool
from assonance.utils.memory import trim_heap
from assonance.utils.progress import Progress

Wanted = Callable[[str, str], bool]


def _places(sizes: Sequence[int], folds: NDArray[np.int64]) -> list[int]:
    """Count the places further on with which each fold's speech can be paired, all different."""
    frames, groups = np.bincount(folds, weights=sizes), np.bincount(folds)
    return [int(n if count == 1 else count) - 1 for n, count in zip(frames, groups, strict=True)]


def _left(
    weights: Sequence[int], in_part: NDArray[np.int64], folds: NDArray[np.int64], units: int
) -> Groups:
    """Count the groups of frames where each part counts as often as its weight says."""
    drawn = np.asarray(weights) > 0
    return Groups(int(in_part[drawn].sum()), units, len(set(folds[drawn].tolist())))


def _none(a: str, b: str) -> bool:
    return False


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
    replicates
        Which pairs to score without each part of the frames too, or of parts drawn, for intervals;
        none by default.
    shifts
        Which pairs to score where the column layer's frames are those of another place.

    Attributes
    ----------
    unscored : dict
        The measures that have no score for want of groups of frames, each with the reason.
    """

    def __init__(
        self,
        source: FrameSource,
        measures: Sequence[Measure],
        settings: Settings,
        *,
        wanted: Wanted = lambda a, b: True,
        device: str = "cpu",
        replicates: Wanted | None = None,
        shifts: Wanted | None = None,
    ) -> None:
        self.source = source
        self.measures = measures
        self.settings = settings
        self.wanted = wanted
        self.frames = sum(source.sizes)
        self.replicated = replicates or _none
        self.shifted_too = shifts or _none
        needs = {each.needs for each in measures}
        if replicates:
            parts, fold_of_part = groups_left_out(source.sizes, source.units, settings)
        else:
            folds = settings.folds if "folds" in needs else 1
            parts, fold_of_part = assign_parts(
                source.sizes, source.units, folds=folds, parts=folds, seed=settings.seed
            )
        self.replicates: list[list[int]] = (
            weights_of_replicates(fold_of_part.tolist(), settings) if replicates else []
        )
        self.shifts = (
            min(settings.shifts, *_places(source.sizes, fold_of_part[parts])) if shifts else 0
        )
        in_part = np.bincount(parts)
        groups = _left([1] * len(in_part), in_part, fold_of_part, len(set(source.units)))
        self.unscored = too_few_groups(groups, measures, settings)
        self._cautions = [*dict.fromkeys(self.unscored.values())]
        if replicates:
            left = [
                _left(weights, in_part, fold_of_part, groups.units) for weights in self.replicates
            ]
            self._cautions += no_intervals(groups, left, measures, settings)
        self.reader = FrameReader(source, device)
        self.plan = SumsPlan(
            parts=parts,
            folds=fold_of_part,
            shift={name: mean.to(device) for name, mean in source.means().items()},
            needs=needs,
            exact=frozenset(),
            sampled=sample_indices(self.frames, settings.sample_frames, settings.seed),
        )

    def run(
        self, others: NDArray[np.bool_] | None, *, memory: float, progress: Progress
    ) -> "PassResult":
        """Score every wanted pair.

        Parameters
        ----------
        others
            See `Scores`.
        memory
            Bytes that sums and factors may take.
        progress
            Told of the pairs done.
        """
        widths = self.source.widths
        scores = Scores(widths, self.measures, others)
        replicates = ReplicateScores(
            widths,
            [each for each in self.measures if each.replicated(self.settings)],
            scores.others,
            len(self.replicates),
            # Quantiles of draws are not told by sums over them.
            scores if self.settings.bootstrap is None else None,
        )
        nulls = ReplicateScores(
            widths,
            [each for each in self.measures if each.needs in SHIFTED],
            scores.others,
            self.shifts,
        )
        tiles = plan(
            widths,
            self.wanted,
            parts=len(self.plan.folds),
            folds=int(self.plan.folds.max()) + 1,
            memory=memory,
            sampled=len(self.plan.sampled),
            kernels=sum(each.needs == "sample" for each in self.measures),
        )
        found = PassResult(scores, replicates, nulls, [*self._cautions])
        alone: dict[str, _LayerSummary] = {}
        stage = progress.stage("comparing layers", sum(len(tile.pairs) for tile in tiles))
        with stage as advance, worker_pool() as share:
            for tile in tiles:
                new = [name for name in tile.layers if name not in alone]
                alone |= self._add_tile(tile, new, found, share, advance)
                trim_heap()
        seen = [alone[name] for name in widths if name in alone]
        found.cautions.extend(line for each in seen for line in each.cautions)
        worth = {name: each.effective_frames for name, each in alone.items()}
        found.cautions.extend(few_effective_frames(worth, widths))
        return found

    def _add_tile(
        self,
        tile: Tile,
        new: Sequence[str],
        found: "PassResult",
        share: Map,
        advance: Callable[[float], None],
    ) -> dict[str, "_LayerSummary"]:
        """Gather a tile's sums and score its pairs, and what is new of its layers by themselves.

        Nothing of the sums is left afterwards: there is room for one tile's alone.
        """
        rounds = 1 + len(self.replicates) + self.shifts

        def each_pair(score: Callable[[str, str], None], pairs: Sequence[Ends]) -> None:
            for _ in share(lambda pair: score(*pair), pairs):
                pass

        def again(
            scores: ReplicateScores, repeat: int, view: PairView, pairs: Sequence[Ends]
        ) -> None:
            if scores.of_pairs:
                each_pair(partial(self._add, scores, repeat, view), pairs)
            add = partial(self._add_rows, scores, repeat, view)
            for _ in share(lambda stack: add(*stack), stacks(pairs, self.source.widths)):
                pass
            advance(len(tile.pairs) / 2 / rounds)

        delicate = find_delicate(self.reader, self.plan.shift, new, share)
        self.plan = replace(self.plan, exact=self.plan.exact | delicate)
        gathered = FrameSums(self.reader, self.plan, tile, share, advance)
        alone = dict(zip(new, share(partial(self._alone, gathered), new), strict=True))
        for name, each in alone.items():
            found.scores.describe(name, each.descriptors)
            found.scores.halve(name, each.halves)
        each_pair(partial(self._add_whole, found.scores, gathered.whole), tile.pairs)
        advance(len(tile.pairs) / 2 / rounds)
        chosen = [pair for pair in tile.pairs if self.replicated(*pair)]
        for number, weights in enumerate(self.replicates):
            again(found.replicates, number, gathered.weighted(weights), chosen)
        # A layer has no floor against itself.
        chosen = [(a, b) for a, b in tile.pairs if a != b and self.shifted_too(a, b)]
        for shift in range(self.shifts):
            moved = gathered.shifted((shift + 1) / (self.shifts + 1), chosen)
            again(found.nulls, shift, moved, chosen)
        return alone

    def _alone(self, gathered: FrameSums, name: str) -> "_LayerSummary":
        """Describe a layer, and score one half of its neurons against the other."""
        moments = gathered.moments
        layer, sample = moments.layer(name), gathered.samples.get(name)
        descriptors = describe(layer, sample, gathered.of_groups[name], len(self.source.sizes))
        halved = [each for each in self.measures if each.needs in ("moments", "folds")]
        return _LayerSummary(
            descriptors,
            half_scores(moments, name, halved, self.settings) if halved and self.shifts else {},
            constant_neurons(name, layer),
        )

    def _add_whole(self, scores: Scores, view: PairView, a: str, b: str) -> None:
        scores.add(a, b, view.pair(a, b), self.settings)

    def _add(self, scores: ReplicateScores, repeat: int, view: PairView, a: str, b: str) -> None:
        scores.add(a, b, repeat, view.pair(a, b), self.settings)

    def _add_rows(
        self, scores: ReplicateScores, repeat: int, view: PairView, rows: Sequence[str], column: str
    ) -> None:
        scores.add_rows(rows, column, repeat, view.stack(rows, column), self.settings)


@dataclass(frozen=True)
class PassResult:
    """What a pass over the frames found.

    Attributes
    ----------
    scores
        Of all frames.
    replicates
        Without each part in turn, or of parts drawn, of the measures that have an interval.
    nulls
        With the column layer's frames from each of some other places.
    cautions
        What to beware of in the layers.
    """

    scores: Scores
    replicates: ReplicateScores
    nulls: ReplicateScores
    cautions: list[str]


@dataclass(frozen=True)
class _LayerSummary:
    """What a layer is by itself: its descriptors, scores of its halves, what to beware of."""

    descriptors: Mapping[str, float]
    halves: Mapping[str, float]
    cautions: Sequence[str]

    @property
    def effective_frames(self) -> float:
        return self.descriptors["effective_frames"]
