"""The pass over frames: neuron and layer measures of every pair of layers, tile by tile."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assonance.inference.localisation import ROTATED
from assonance.inference.resampling import Resampling
from assonance.measures import Measure
from assonance.measures.layer_descriptors import describe
from assonance.measures.registry import SHIFTED
from assonance.scoring.caveats import (
    constant_neurons,
    doubtful_matches,
    groups_caveats,
)
from assonance.scoring.frame_source import FrameReader, FrameSource
from assonance.scoring.frame_sums import Ends, FrameSums, PairView
from assonance.scoring.held_alignments import ALIGNED
from assonance.scoring.held_scores import HeldLayers, HeldScores
from assonance.scoring.kept_sums import is_held, lets_go
from assonance.scoring.layer_sums import LayerSums, SumsPlan
from assonance.scoring.pair_rules import EVERY_PAIR, PairRules
from assonance.scoring.pass_result import PassResult
from assonance.scoring.replicates import ReplicateScores
from assonance.scoring.scores import Scores, half_scores
from assonance.scoring.tile_tables import LayerSummary, TileTables, TileWork
from assonance.scoring.tiles import cut_tiles, stacks, tables_size
from assonance.settings import Settings
from assonance.statistics import sample_indices
from assonance.utils.cores import Map, worker_pool
from assonance.utils.memory import resident_bytes, trim_full_heap, trim_heap
from assonance.utils.pieces import NOWHERE, Piece, Pieces
from assonance.utils.progress import Progress
from assonance.utils.work import HERE, Advance, Work

# The stages of this pass: scores alone, and everything.
SCORES, LAYERS = "scores", "layers"
# Memory that labelling results and reporting them takes, in times of the tables' own.
_SHOWN = 2


class FramePass:
    """Neuron and layer measures of every pair of layers, a tile at a time.

    Parameters
    ----------
    source
        The frames.
    measures, settings
        What is measured, and how.
    resampling
        Folds, jackknife groups, replicates and shifts; see `assonance.scoring.resampled`.
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
        self.unscored, self._caveats = groups_caveats(
            len(set(source.units)), measures, settings, resampling
        )
        if resampling.weights and not self.held:
            self._caveats += doubtful_matches(measures, settings)
        self.reader = FrameReader(source, device)
        self.plan = SumsPlan(
            resampling=resampling,
            means={name: mean.to(device) for name, mean in source.means().items()},
            needs={each.needs for each in measures},
            sampled=sample_indices(sum(source.sizes), settings.sample_frames, settings.seed),
        )
        self._lets_go = lets_go(measures, settings, resampling)
        regressions = [each for each in measures if each.regression]
        self._fits = any(self.held or each.needs == "folds" for each in regressions)
        # Sums of layers of earlier tiles that the next ones need too.
        self._known: dict[str, LayerSums] = {}
        # Parts of `HeldScores` that are the same in every tile.
        self._layers = HeldLayers()

    def run(
        self,
        *,
        memory: float,
        progress: Progress,
        work: Work = HERE,
        pieces: Pieces = NOWHERE,
        alone: bool = False,
        first: Callable[[PassResult], None] | None = None,
    ) -> PassResult:
        """Score every pair.

        Parameters
        ----------
        memory
            Bytes that sums and factors may take.
        progress
            Progress, in pairs.
        work
            Where tiles are computed.
        pieces
            Keeps finished tiles.
        alone
            Whether to compute scores alone, without replicates and nulls. They are kept, and a
            later run takes them over; only the sums are computed twice.
        first
            Receives what is known once all pairs that come first are computed, if others follow.
        """
        tiles = self.tiles(memory)
        ahead = sum(self.rules.comes_first(*each.tile.pairs[0]) for each in tiles)
        every = self._tables(list(self.source.widths))
        total = sum(tile.size for tile in tiles)
        with progress.stage("comparing layers", total) as advance:
            stage, compute = SCORES if alone else LAYERS, partial(self.compute, alone=alone)
            found = work.each(stage, compute, tiles, pieces, advance)
            for number, (tile, piece) in enumerate(zip(tiles, found, strict=True), 1):
                every.merge(tile, piece)
                if first is not None and number == ahead < len(tiles):
                    self._make_room(memory)
                    first(every.result(self.settings, self._caveats))
        self._known = {}
        return every.result(self.settings, self._caveats)

    def _make_room(self, memory: float) -> None:
        """Let go of sums for later tiles where a report leaves no room for them."""
        tables = tables_size(self.source.widths, self.measures, self.resampling)
        if resident_bytes() + _SHOWN * tables > memory:
            self._known = {}
            trim_heap()

    def compute(
        self, tiles: Sequence[TileWork], pieces: Pieces, advance: Advance, *, alone: bool = False
    ) -> Iterator[Piece]:
        """Compute tiles one by one, or their scores alone, except what is kept."""
        for tile in tiles:
            about = self._determined_by(tile)
            name = pieces.name(SCORES if alone else LAYERS, about)
            piece = pieces.read(name)
            if piece is None:
                scored = None if alone else pieces.read(pieces.name(SCORES, about))
                with worker_pool() as pool_map:
                    piece = self._tile(tile, scored, pool_map, advance, alone=alone)
                pieces.write(name, piece)
                trim_full_heap()
            else:
                advance(tile.size)
            yield piece

    @property
    def held(self) -> bool:
        """Whether replicates of single neurons' measures fit nothing again; see `HeldScores`.

        With two folds, leaving a group out can leave a single fold: then the exact jackknife
        decides what has an interval.
        """
        return is_held(self.settings, self.resampling)

    def tiles(self, memory: float) -> list[TileWork]:
        """Cut the pairs into tiles, and describe each layer with its first."""
        tiles = cut_tiles(
            *(self.source, self.measures, self.settings, self.resampling, self.rules, memory)
        )
        first = {name: tile for tile in reversed(tiles) for name in tile.layers}
        return [
            TileWork(tile, tuple(name for name in tile.layers if first[name] is tile))
            for tile in tiles
        ]

    def _determined_by(self, work: TileWork) -> Any:
        """Return all that a tile's piece is determined by, besides the frames."""
        rules, resampling = self.rules, self.resampling
        return [
            [
                (*pair, rules.gets_interval(*pair), rules.gets_null(*pair))
                for pair in work.tile.pairs
            ],
            self._others(work.tile.layers),
            work.first,
            max(self.source.widths.values()),
            [each.name for each in self.measures],
            asdict(self.settings),
            asdict(resampling),
            self.single_intervals,
        ]

    def _others(self, names: Sequence[str]) -> NDArray[np.bool_]:
        return np.array([[self.rules.is_other(a, b) for b in names] for a in names], dtype=bool)

    def _tables(self, names: Sequence[str]) -> TileTables:
        """Make empty tables of scores, replicates and nulls of some layers."""
        widths = {name: self.source.widths[name] for name in names}
        # The last bits of a mean over neurons depend on the padding, so all tiles have the same.
        most = max(self.source.widths.values())
        others = self._others(names)
        scores = Scores(widths, self.measures, others, most)
        replicated = [each for each in self.measures if each.replicated(self.settings)]
        # Sums over the replicates give the jackknife's interval, but no quantiles of draws.
        summed = self.single_intervals and self.settings.bootstrap is None
        repeats = len(self.resampling.weights)
        replicates = ReplicateScores(
            widths, replicated, others, repeats, scores if summed else None, most
        )
        held = None
        if self.held:
            aligned = [each for each in replicates.pairwise if each.name in ALIGNED]
            held = HeldScores(
                [*replicates.rowwise, *aligned], scores, replicates, self.settings, self._layers
            )
            replicates.pairwise = [each for each in replicates.pairwise if each not in aligned]
        # A floor needs no null: that of MaxCorr is the null of its rotated form, too.
        shifted = [each for each in self.measures if each.needs in SHIFTED and each.name != ROTATED]
        nulls = ReplicateScores(widths, shifted, others, self.resampling.shifts, most=most)
        return TileTables(scores, replicates, held, nulls)

    def _sums(self, work: TileWork, pool_map: Map, advance: Advance) -> FrameSums:
        """Compute a tile's sums."""
        tile = work.tile
        staying = {*tile.layers, *tile.kept}
        self._known = {
            name: each
            for name, each in self._known.items()
            if name in staying and (each.whole or (name, name) not in tile.pairs)
        }
        sums = FrameSums(self.reader, self.plan, tile, pool_map, advance, self._known)
        self._known |= sums.layers
        return sums

    def _score(
        self,
        work: TileWork,
        tables: TileTables,
        sums: FrameSums,
        pool_map: Map,
        *,
        scored: bool,
        alone: bool,
    ) -> Iterator[None]:
        """Score a tile's pairs and add the replicates that fit nothing again; yield after each.

        Parameters
        ----------
        work, tables, sums, pool_map
            The tile, its tables and sums, and a `map` over the worker pool.
        scored
            Whether the scores are in the tables.
        alone
            Whether scores are computed without replicates.
        """
        full = sums.full
        held = None if alone else tables.held
        replicated = {pair for pair in work.tile.pairs if held and self.rules.gets_interval(*pair)}
        left_out = sums.left_out() if held else None
        selves = {a for a, b in work.tile.pairs if a == b}
        ready = {name: Event() for name in work.tile.layers}

        def add_layer(name: str) -> LayerSummary | None:
            layer = sums.layers[name]
            try:
                if held:
                    held.prepare(layer.groups, left_out)
                summary = None if scored or name not in work.first else self._summary(sums, name)
                if name in selves:
                    add((name, name))
                if self._lets_go:
                    layer.let_go(regressions=self._fits)
            finally:
                ready[name].set()
            return summary

        def add(ends: Ends) -> None:
            if not scored:
                tables.scores.add(*ends, full.pair(*ends), self.settings)
            if held and ends in replicated:
                x, y = (sums.layers[name].groups for name in ends)
                products = sums.products(*ends)
                held.add(x, y, products, left_out, lambda: full.pair(*ends))

        def add_item(item: str | Ends) -> LayerSummary | None:
            if isinstance(item, str):
                return add_layer(item)
            for name in item:
                ready[name].wait()
            add(item)
            return None

        # Layers are begun first, so that whatever a pair waits for is being computed.
        items = [*work.tile.layers, *(pair for pair in work.tile.pairs if pair[0] != pair[1])]
        for item, summary in zip(items, pool_map(add_item, items), strict=True):
            if isinstance(item, str) and summary is not None:
                tables.summarise(item, summary)
            if item in selves or not isinstance(item, str):
                yield

    def _tile(
        self,
        work: TileWork,
        scored: Piece | None,
        pool_map: Map,
        advance: Advance,
        *,
        alone: bool,
    ) -> Piece:
        """Compute scores, replicates and nulls of a tile: the scores alone, or all but these.

        The sums of pairs are dropped on return: memory holds those of one tile.
        """
        resampling, tile = self.resampling, work.tile
        tables = self._tables(tile.layers)
        pairwise = tables.replicates.pairwise
        repeats, shifts = (0, 0) if alone else (len(resampling.weights), resampling.shifts)
        fitted = resampling.weights[:repeats] if pairwise or not tables.held else ()
        step = len(tile.pairs) / 2 / (1 + repeats + shifts)
        sums = self._sums(work, pool_map, advance)
        if scored is not None:
            tables.merge(work, scored)
        there = scored is not None
        for _ in self._score(work, tables, sums, pool_map, scored=there, alone=alone):
            advance(step * (1 + repeats - len(fitted)) / len(tile.pairs))
        if alone:
            return tables.scores_piece()
        pairs = [pair for pair in tile.pairs if self.rules.gets_interval(*pair)]
        by_fold = not tables.held or any(each.needs == "folds" for each in pairwise)
        for replicate, weights in enumerate(fitted):
            view = sums.weighted(weights) if by_fold else sums.without(replicate)
            self._add_repeat(
                tables.replicates, replicate, view, pairs, pool_map, rowwise=not tables.held
            )
            advance(step)
        pairs = [pair for pair in tile.pairs if self.rules.gets_null(*pair)]
        for shift in range(shifts):
            view = sums.shifted((shift + 1) / (shifts + 1), pairs)
            self._add_repeat(tables.nulls, shift, view, pairs, pool_map)
            advance(step)
        return tables.piece()

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
            list(pool_map(add, pairs))
        if rowwise:
            list(pool_map(add_rows, stacks(pairs, self.source.widths)))

    def _summary(self, sums: FrameSums, name: str) -> LayerSummary:
        """Describe a layer, and score one half of its neurons against the other."""
        moments = sums.moments
        layer, sample = moments.layer(name), sums.samples.get(name)
        utterances = len(self.source.sizes)
        descriptors = describe(layer, sample, sums.layers[name].utterance_squares, utterances)
        needs = ("moments", "folds") if self.resampling.shifts else ()
        halved = [each for each in self.measures if each.needs in needs]
        halves = half_scores(moments, name, halved, self.settings)
        return LayerSummary(descriptors, halves, constant_neurons(name, layer))
