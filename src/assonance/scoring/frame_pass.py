"""The pass over frames: neuron and layer measures of every pair of layers, tile by tile."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from assonance.inference.intervals import HELD
from assonance.inference.localisation import LOCALISATION, ROTATED
from assonance.inference.resampling import Resampling
from assonance.measures import Measure
from assonance.measures.layer_descriptors import describe
from assonance.measures.registry import SHIFTED
from assonance.scoring.caveats import (
    Groups,
    constant_neurons,
    few_effective_frames,
    few_interval_groups,
    no_intervals,
    too_few_groups,
)
from assonance.scoring.frame_source import FrameReader, FrameSource
from assonance.scoring.frame_sums import Ends, FrameSums, PairView, find_delicate
from assonance.scoring.held_scores import HeldScores
from assonance.scoring.layer_sums import LayerSums, SumsPlan
from assonance.scoring.pair_rules import EVERY_PAIR, PairRules
from assonance.scoring.pass_result import PassResult
from assonance.scoring.replicates import ReplicateScores
from assonance.scoring.scores import Scores, half_scores
from assonance.scoring.tiles import Tile, plan, stacks
from assonance.settings import Settings
from assonance.statistics import sample_indices
from assonance.utils.cores import Map, worker_pool
from assonance.utils.memory import trim_heap
from assonance.utils.progress import Progress

Advance = Callable[[float], None]


def resample_frames(
    source: FrameSource,
    measures: Sequence[Measure],
    settings: Settings,
    *,
    intervals: bool = False,
    nulls: bool = False,
) -> Resampling:
    """Assign a source's utterances to folds and jackknife groups, as the measures need them.

    Parameters
    ----------
    source, measures, settings
        Frames, what is measured, and the number of folds, groups, draws and shifts.
    intervals, nulls
        Whether to resample for intervals, and to shift for nulls.
    """
    if intervals:
        resampling = Resampling.of_groups(source.sizes, source.units, settings)
    else:
        held_out = any(each.needs == "folds" for each in measures)
        resampling = Resampling.of_folds(source.sizes, source.units, settings, held_out=held_out)
    return resampling.with_shifts(source.sizes, settings.shifts) if nulls else resampling


class FramePass:
    """Neuron and layer measures of every pair of layers, a tile at a time.

    Parameters
    ----------
    source
        The frames.
    measures, settings
        What is measured, and how.
    resampling
        Folds, jackknife groups, replicates and shifts; see `resample_frames`.
    rules
        Which pairs get scores, intervals and nulls. All by default.
    device
        Torch device.
    single_intervals
        Whether to compute jackknife intervals of single neurons.

    Attributes
    ----------
    unscored : dict
        Measures that have no score because there is too little speech, each with the reason.
    """

    def __init__(
        self,
        source: FrameSource,
        measures: Sequence[Measure],
        settings: Settings,
        resampling: Resampling,
        *,
        rules: PairRules = EVERY_PAIR,
        device: str = "cpu",
        single_intervals: bool = True,
    ) -> None:
        self.source = source
        self.measures = measures
        self.settings = settings
        self.resampling = resampling
        self.rules = rules
        self.single_intervals = single_intervals
        self.unscored, self._caveats = _groups_caveats(source, measures, settings, resampling)
        self.reader = FrameReader(source, device)
        self.plan = SumsPlan(
            resampling=resampling,
            means={name: mean.to(device) for name, mean in source.means().items()},
            needs={each.needs for each in measures},
            exact=frozenset(),
            sampled=sample_indices(sum(source.sizes), settings.sample_frames, settings.seed),
        )
        # Sums of the layers of the last tile: the next one may need them too.
        self._known: dict[str, LayerSums] = {}

    def run(self, *, memory: float, progress: Progress) -> PassResult:
        """Score every pair.

        Parameters
        ----------
        memory
            Bytes that sums and factors may take.
        progress
            Progress, in pairs.
        """
        widths = self.source.widths
        tiles = plan(
            widths,
            self.rules.is_scored,
            groups=self.resampling.groups,
            folds=self.resampling.folds,
            memory=memory,
            sampled=len(self.plan.sampled),
            kernels=sum(each.needs == "sample" for each in self.measures),
            held=self.held,
        )
        tables = self._tables()
        layers: dict[str, _LayerSummary] = {}
        stage = progress.stage("comparing layers", sum(len(tile.pairs) for tile in tiles))
        with stage as advance, worker_pool() as pool_map:
            for tile in tiles:
                new = [name for name in tile.layers if name not in layers]
                layers |= self._add_tile(tile, new, tables, pool_map, advance)
                trim_heap()
        return self._labelled(tables, layers)

    @property
    def held(self) -> bool:
        """Whether replicates of single neurons' measures fit nothing again; see `HeldScores`.

        With two folds, leaving a group out can leave a single fold: then the exact jackknife
        decides what has an interval.
        """
        exact = self.settings.refit or self.settings.bootstrap is not None
        return bool(self.resampling.weights) and self.resampling.folds > 2 and not exact

    def _tables(self) -> "_Tables":
        """Make empty tables of scores, replicates and nulls."""
        widths, names = self.source.widths, list(self.source.widths)
        others = np.array([[self.rules.is_other(a, b) for b in names] for a in names], dtype=bool)
        scores = Scores(widths, self.measures, others)
        replicated = [each for each in self.measures if each.replicated(self.settings)]
        # Sums over the replicates give the jackknife's interval, but no quantiles of draws.
        summed = self.single_intervals and self.settings.bootstrap is None
        repeats = len(self.resampling.weights)
        replicates = ReplicateScores(
            widths, replicated, others, repeats, scores if summed else None
        )
        return _Tables(
            scores,
            replicates,
            HeldScores(replicates.rowwise, scores, replicates, self.settings)
            if self.held
            else None,
            ReplicateScores(
                widths,
                # A floor needs no null: that of MaxCorr is the null of its rotated form, too.
                [each for each in self.measures if each.needs in SHIFTED and each.name != ROTATED],
                others,
                self.resampling.shifts,
            ),
        )

    def _labelled(self, tables: "_Tables", layers: Mapping[str, "_LayerSummary"]) -> PassResult:
        """Label the tables, and collect the layers' caveats in the order of the layers."""
        widths = self.source.widths
        scored = [layers[name] for name in widths if name in layers]
        effective = {name: each.effective_frames for name, each in layers.items()}
        return PassResult(
            scores=tables.scores.dataset(),
            singles=tables.scores.neuron_dataset(),
            matches=tables.scores.match_dataset(),
            single_intervals=tables.replicates.neuron_dataset(),
            replicates=self._replicates(tables.replicates),
            draws=tables.scores.draws_dataset(),
            nulls=tables.nulls.dataset("shift"),
            halves=tables.scores.halves_dataset(),
            caveats=(
                *self._caveats,
                *(caveat for each in scored for caveat in each.caveats),
                *few_effective_frames(effective, widths),
            ),
        )

    def _replicates(self, replicates: ReplicateScores) -> xr.Dataset:
        """Label the replicates, and mark those that hold coefficients."""
        labelled = replicates.dataset(self.settings.replicated)
        regressions = {each.name for each in self.measures if each.regression}
        for name in labelled.data_vars:
            if self.held and (name in regressions or name == LOCALISATION):
                labelled[name].attrs[HELD] = 1
        return labelled

    def _add_tile(
        self,
        tile: Tile,
        new: Sequence[str],
        tables: "_Tables",
        pool_map: Map,
        advance: Advance,
    ) -> dict[str, "_LayerSummary"]:
        """Compute a tile's sums, score its pairs, and describe its new layers.

        The sums of pairs are dropped on return: memory holds those of one tile.
        """
        settings, resampling = self.settings, self.resampling
        step = len(tile.pairs) / 2 / (1 + len(resampling.weights) + resampling.shifts)
        delicate = find_delicate(self.reader, self.plan.means, new, pool_map)
        self.plan = replace(self.plan, exact=self.plan.exact | delicate)
        self._known = {name: self._known[name] for name in tile.layers if name in self._known}
        sums = FrameSums(self.reader, self.plan, tile, pool_map, advance, self._known)
        self._known = sums.layers
        summaries = pool_map(lambda name: self._summary(sums, name), new)
        layers = dict(zip(new, summaries, strict=True))
        for name, each in layers.items():
            tables.scores.describe(name, each.descriptors)
            tables.scores.halve(name, each.halves)
        full = sums.full

        def add(ends: Ends) -> None:
            tables.scores.add(*ends, full.pair(*ends), settings)

        _run(pool_map, add, tile.pairs)
        advance(step)
        pairs = [pair for pair in tile.pairs if self.rules.gets_interval(*pair)]
        if tables.held:
            self._add_held(tables.held, sums, pairs, pool_map)
        pairwise = tables.replicates.pairwise
        by_fold = not tables.held or any(each.needs == "folds" for each in pairwise)
        for replicate, weights in enumerate(resampling.weights):
            if pairwise or not tables.held:
                view = sums.weighted(weights) if by_fold else sums.without(replicate)
                self._add_repeat(
                    tables.replicates, replicate, view, pairs, pool_map, rowwise=not tables.held
                )
            advance(step)
        pairs = [pair for pair in tile.pairs if self.rules.gets_null(*pair)]
        for shift in range(resampling.shifts):
            view = sums.shifted((shift + 1) / (resampling.shifts + 1), pairs)
            self._add_repeat(tables.nulls, shift, view, pairs, pool_map)
            advance(step)
        return layers

    def _add_repeat(
        self,
        scores: ReplicateScores,
        repeat: int,
        view: PairView,
        pairs: Sequence[Ends],
        pool_map: Map,
        *,
        rowwise: bool = True,
    ) -> None:
        """Score pairs in one replicate, or under one shift."""

        def add(ends: Ends) -> None:
            scores.add(*ends, repeat, view.pair(*ends), self.settings)

        def add_rows(stack: tuple[Sequence[str], str]) -> None:
            scores.add_rows(*stack, repeat, view.stack(*stack), self.settings)

        if scores.pairwise:
            _run(pool_map, add, pairs)
        if rowwise:
            _run(pool_map, add_rows, stacks(pairs, self.source.widths))

    def _add_held(
        self, held: HeldScores, sums: FrameSums, pairs: Sequence[Ends], pool_map: Map
    ) -> None:
        """Compute all replicates of single neurons' measures, a pair at a time."""
        layers = {name: each.groups for name, each in sums.layers.items()}
        needed = [layers[name] for name in layers if any(name in pair for pair in pairs)]

        def add(ends: Ends) -> None:
            held.add(layers[ends[0]], layers[ends[1]], sums.products(*ends))

        _run(pool_map, held.prepare, needed)
        _run(pool_map, add, pairs)

    def _summary(self, sums: FrameSums, name: str) -> "_LayerSummary":
        """Describe a layer, and score one half of its neurons against the other."""
        moments = sums.moments
        layer, sample = moments.layer(name), sums.samples.get(name)
        utterances = len(self.source.sizes)
        descriptors = describe(layer, sample, sums.layers[name].utterance_squares, utterances)
        halved = [each for each in self.measures if each.needs in ("moments", "folds")]
        return _LayerSummary(
            descriptors,
            half_scores(moments, name, halved, self.settings)
            if halved and self.resampling.shifts
            else {},
            constant_neurons(name, layer),
        )


def _run(pool_map: Map, work: Callable[[Any], None], items: Sequence[Any]) -> None:
    """Run work on every item, and wait for all."""
    for _ in pool_map(work, items):
        pass


@dataclass(frozen=True)
class _Tables:
    """Tables that a pass fills in."""

    scores: Scores
    replicates: ReplicateScores
    held: HeldScores | None
    nulls: ReplicateScores


@dataclass(frozen=True)
class _LayerSummary:
    """Descriptors, scores of halves and caveats of a single layer."""

    descriptors: Mapping[str, float]
    halves: Mapping[str, float]
    caveats: Sequence[str]

    @property
    def effective_frames(self) -> float:
        return self.descriptors["effective_frames"]


def _groups_caveats(
    source: FrameSource, measures: Sequence[Measure], settings: Settings, resampling: Resampling
) -> tuple[dict[str, str], list[str]]:
    """Return measures without a score for want of speech, with reasons, and all such caveats."""
    units = len(set(source.units))
    all_groups = _remaining([1] * resampling.groups, resampling, units)
    unscored = too_few_groups(all_groups, measures, settings)
    caveats = [*dict.fromkeys(unscored.values())]
    if resampling.intervals:
        caveats += few_interval_groups(resampling.groups, measures, settings)
        left = [_remaining(weights, resampling, units) for weights in resampling.weights]
        caveats += no_intervals(all_groups, left, measures, settings)
    return unscored, caveats


def _remaining(weights: Sequence[int], resampling: Resampling, units: int) -> Groups:
    """Count the utterances and folds of the jackknife groups with a weight above 0."""
    kept = np.asarray(weights) > 0
    utterances = np.bincount(resampling.group_of_utterance)[kept].sum()
    return Groups(int(utterances), units, len(set(resampling.fold_of_group[kept].tolist())))
