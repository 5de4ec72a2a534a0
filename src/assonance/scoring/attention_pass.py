"""The pass over attention maps: head measures of every pair of layers, utterance by utterance."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from assonance.inference.resampling import Resampling, hash_name
from assonance.measures import Measure
from assonance.measures.roles import WITHOUT_POSITIONS
from assonance.scoring.attention_sums import AttentionSums, Batch, BatchState, GroupSums, batches
from assonance.scoring.caveats import ONE_GROUP, few_interval_groups
from assonance.scoring.head_scores import (
    head_descriptors,
    head_maps,
    head_replicates,
    head_scores,
)
from assonance.scoring.map_source import MapSource
from assonance.scoring.pair_rules import EVERY_PAIR, PairRules
from assonance.scoring.pass_result import PassResult
from assonance.settings import Settings
from assonance.statistics import (
    HeadMaps,
    HeadProfiles,
    HeadSums,
    UtteranceMaps,
    sample_queries,
)
from assonance.statistics.head_maps import MOST_CELLS, PARTS_OF_TIME
from assonance.utils.cores import Map, few_ahead, worker_pool
from assonance.utils.memory import trim_full_heap
from assonance.utils.pieces import NOWHERE, Piece, Pieces
from assonance.utils.progress import Progress
from assonance.utils.work import HERE, Advance, Work

# The stage of this pass.
ATTENTION = "attention"
_FLOAT32, _FLOAT64 = 4, 8
# Tables of all heads by all heads that are in memory while an utterance is compared, and that the
# sums of another are, which wait to be added.
_TABLES = 24 + 9
# Seconds between two states of a batch that are kept, at least; and times what keeping one takes.
_PAUSE, _SHARE = 5.0, 20


class AttentionPass:
    """Head measures of every pair of layers, an utterance at a time.

    The maps of all layers are read, compared and dropped: they are too large to keep.

    Parameters
    ----------
    source
        The maps.
    measures, settings
        Head measures, and how they are computed.
    resampling
        Jackknife group of each utterance, and replicates.
    rules
        Which pairs get scores. All by default.
    descriptors
        Whether to describe single heads, average their maps, keep those of one utterance, and
        score heads that attend by position alone.
    rows
        Number of query frames of each piece of which divergences are computed, a random sample
        that all heads share; 0 for all.
    """

    def __init__(
        self,
        source: MapSource,
        measures: Sequence[Measure],
        settings: Settings,
        resampling: Resampling,
        *,
        rules: PairRules = EVERY_PAIR,
        descriptors: bool = True,
        rows: int = 0,
    ) -> None:
        self.source = source
        self.measures = measures
        self.settings = settings
        self.resampling = resampling
        self.descriptors = descriptors
        self.rows = rows
        self.heads = source.heads
        names = list(self.heads)
        self.pairs = [
            (a, b) for i, a in enumerate(names) for b in names[i:] if rules.is_scored(a, b)
        ]

    @property
    def map_bytes(self) -> list[int]:
        """Bytes of the maps of each utterance, or of the longest piece of it."""
        heads = sum(self.heads.values())
        return [_FLOAT32 * heads * frames**2 for frames in self.source.frames]

    @property
    def table_bytes(self) -> int:
        """Bytes of the tables of all heads that comparing an utterance takes, besides its maps."""
        return _FLOAT64 * _TABLES * sum(self.heads.values()) ** 2

    @property
    def head_pairs(self) -> int:
        """Number of pairs of heads that get a score."""
        return sum(self.heads[a] * self.heads[b] for a, b in self.pairs)

    @cached_property
    def shown(self) -> int:
        """The utterance whose maps are kept: its length is nearest to the median.

        Of two that are equally near it is the one whose name comes first.
        """
        lengths = self.source.durations
        median = float(np.median(lengths))
        apart = [round(abs(each - median), 6) for each in lengths]
        return min(range(len(apart)), key=lambda each: (apart[each], self.source.names[each]))

    def run(
        self,
        *,
        memory: float,
        at_once: int | None = None,
        progress: Progress,
        work: Work = HERE,
        pieces: Pieces = NOWHERE,
    ) -> PassResult:
        """Score every pair.

        Parameters
        ----------
        memory
            Bytes that maps may take. An utterance that does not fit alone is left out.
        at_once
            Number of utterances that are read at once. By default as many as fit.
        progress
            Progress, in seconds of speech.
        work
            Where batches of utterances are computed.
        pieces
            Keeps the sums of batches.

        Returns
        -------
        PassResult
            Caveats alone if there are no heads, or if every utterance is too long.
        """
        if not self.heads:
            return PassResult(caveats=["no model gives attention maps, so heads are not compared"])
        source = self.source
        divided, kept = self.batches(memory), self.fitting(memory)
        too_long = [index for index in range(len(source.names)) if index not in kept]
        caveats = self._too_long(too_long, memory)
        if not kept:
            return PassResult(caveats=caveats)
        if at_once is None:
            at_once = int(min(len(kept), memory / max(1, *kept.values())))
        # A jackknife reads each group once, a bootstrap all of them for every draw.
        kept_in = pieces if self.settings.bootstrap is None else NOWHERE
        by_group = GroupSums(self._empty, self.resampling.groups, kept_in)
        with progress.stage("comparing attention", sum(source.durations)) as advance:
            advance(sum(source.durations[index] for index in too_long))
            compute = partial(self.compute, at_once=at_once)
            found = work.each(ATTENTION, compute, divided, pieces, advance)
            total = self._add_up(divided, found, by_group, pieces)
            with worker_pool() as pool_map:  # one thread for each of many small tables
                result = self._scored(by_group, total, pool_map)
        del by_group
        trim_full_heap()
        for utterance, noted in total.noted.items():
            source.recall(utterance, noted)
        broken: dict[str, list[str]] = {}
        for utterance, heads in sorted(total.broken.items()):
            for head in heads:
                broken.setdefault(head, []).append(source.names[utterance])
        caveats += [*result.caveats, *_broken_maps(broken, len(kept))]
        if self.resampling.intervals and not self.resampling.weights:
            caveats.append(ONE_GROUP)
        if self.resampling.intervals:
            groups = self.resampling.groups
            caveats = [*few_interval_groups(groups, self.measures, self.settings), *caveats]
        return replace(result, broken=broken, caveats=caveats)

    def fitting(self, memory: float) -> dict[int, int]:
        """Return the utterances whose maps fit into the memory, each with the bytes of its maps."""
        return {index: size for index, size in enumerate(self.map_bytes) if size <= memory}

    def batches(self, memory: float) -> list[Batch]:
        """Divide the utterances whose maps fit into the memory."""
        kept = list(self.fitting(memory))
        groups = self.resampling.group_of_utterance.tolist()
        return batches(kept, groups, self.source.durations)

    def compute(
        self, divided: Sequence[Batch], pieces: Pieces, advance: Advance, *, at_once: int
    ) -> Iterator[Piece]:
        """Compare the heads of batches of utterances, except what is kept.

        The sums so far are kept after an utterance, at most every five seconds, and less often
        where that takes long.
        """
        names = [self._name(batch, pieces) for batch in divided]
        states = [
            BatchState.of(pieces.read(name), batch)
            for name, batch in zip(names, divided, strict=True)
        ]
        todo = [
            index
            for batch, state in zip(divided, states, strict=True)
            for index in batch.utterances[state.done :]
        ]
        at_once = max(1, min(at_once, len(todo)))
        slots = threading.BoundedSemaphore(at_once)
        with worker_pool() as pool_map:
            # Each core has an utterance, or all of them share one.
            outer, inner = (pool_map, map) if at_once > 1 else (map, pool_map)

            def compare(index: int) -> AttentionSums:
                with slots:
                    return self._sums(index, inner)

            # While one utterance is compared, few others wait for their turn.
            compared = few_ahead(outer, compare, todo, 2 * at_once)
            for batch, name, state in zip(divided, names, states, strict=True):
                durations = [self.source.durations[index] for index in batch.utterances]
                done = state.done
                advance(sum(durations[:done]))
                if done == len(durations):
                    yield pieces.read_again(name)
                    continue
                sums = self._empty()
                if state.begun:
                    sums = sums.restore(state.begun)
                written, pause = time.monotonic(), _PAUSE
                while done < len(durations):
                    one = next(compared)
                    sums = sums.merge(one) if done else one
                    done += 1
                    advance(durations[done - 1])
                    now = time.monotonic()
                    if done == len(durations) or now - written > pause:
                        pieces.write(name, sums.piece(done))
                        written = time.monotonic()
                        pause = max(_PAUSE, _SHARE * (written - now))
                yield sums.piece(done)

    def _add_up(
        self,
        divided: Sequence[Batch],
        found: Iterator[Piece],
        by_group: GroupSums,
        pieces: Pieces,
    ) -> AttentionSums:
        """Add up the pieces of all batches, and note those of each group for replicates."""
        total = self._empty()
        for batch, piece in zip(divided, found, strict=True):
            total = total.merge(self._empty().restore(piece))
            if self.resampling.weights:
                by_group.add(batch.group, self._name(batch, pieces), piece)
        return total

    def _name(self, batch: Batch, pieces: Pieces) -> str:
        """Name a batch's piece after all that determines it, besides the maps."""
        parts = sorted({each.needs for each in self.measures})
        about = [self.descriptors, self.rows, self.settings.seed, self.settings.attention_seconds]
        grids = [PARTS_OF_TIME, MOST_CELLS] if self.descriptors else []
        of = [self.heads, self.pairs, parts, about, grids, batch.utterances]
        return pieces.name(ATTENTION, of)

    def _sums(self, utterance: int, pool_map: Map) -> AttentionSums:
        """Read an utterance piece by piece, and compare its heads."""
        sums = self._empty()
        for piece, maps in enumerate(self.source.read(utterance)):
            intact = sums.heads.update(maps, pool_map, self._queries(maps, utterance, piece))
            if self.descriptors:
                sums.shapes.update(maps, intact, pool_map)
                sums.maps.update(maps, intact, pool_map)
                if piece == 0 and utterance == self.shown:
                    seconds = self.source.durations[utterance] / self.source.pieces[utterance]
                    sums.shown = UtteranceMaps.of(maps, intact, seconds, pool_map)
            sums.lengths.append(maps[0].shape[-1])
        sums.note_broken(utterance)
        sums.noted[utterance] = list(self.source.noted(utterance))
        return sums

    def _queries(
        self, maps: Sequence[Tensor], utterance: int, piece: int
    ) -> NDArray[np.int64] | None:
        """Sample the query frames of a piece; None for all."""
        if not self.rows:
            return None
        drawn_by = hash_name(self.source.names[utterance], self.settings.seed)
        return sample_queries(maps[0].shape[-1], self.rows, [drawn_by, piece])

    def _scored(
        self, groups: Sequence[HeadSums], total: AttentionSums, pool_map: Map
    ) -> PassResult:
        """Score the sums of all jackknife groups."""
        tables = head_scores([total.heads], self.measures, self.settings)
        replicates = head_replicates(
            *(groups, total.heads, self.measures, self.settings),
            self.resampling.weights,
            pool_map,
        )
        result = PassResult(
            scores=tables.scores,
            singles=tables.heads,
            matches=tables.matches,
            replicates=replicates,
            caveats=self._sampled(total.heads),
        )
        if not self.descriptors:
            return result
        descriptors = head_descriptors(self.heads, total.shapes)
        result = replace(
            result,
            singles=xr.merge([tables.heads, descriptors], join="exact"),
            maps=head_maps(self.heads, total.maps, total.shown, self.source.names[self.shown]),
        )
        measures = [each for each in self.measures if each.name not in WITHOUT_POSITIONS]
        if not measures:
            return result
        sums = self._by_position(total, measures, pool_map)
        position = head_scores([sums], measures, self.settings)
        return replace(
            result,
            position_scores=_by_position_alone(position.scores),
            position_singles=_by_position_alone(position.heads),
        )

    def _sampled(self, sums: HeadSums) -> list[str]:
        """Return a caveat about divergences of sampled query frames, with their error."""
        if not self.rows:
            return []
        total = sums.total
        errors = total.divergence_variance.sqrt() / total.rows
        largest = float(errors[sums.compared()].nan_to_num().max())
        if not largest:
            return []
        return [
            f"Jensen–Shannon divergences are of {self.rows} frames drawn at random from each "
            "utterance, or from each piece of a long one; the standard error of this is at most "
            f"{largest:.1g} for two heads, and intervals contain it; --attention-rows 0 takes all "
            "frames"
        ]

    def _too_long(self, utterances: Sequence[int], memory: float) -> list[str]:
        """Return a caveat about the utterances whose maps exceed the memory."""
        if not utterances:
            return []
        return [
            f"{len(utterances)} of {len(self.source.names)} utterances, the first "
            f"{self.source.names[utterances[0]]!r}, are too long for their attention to fit into "
            f"{memory / 2**30:.1f} GiB and are left out of the attention measures; cut them up or "
            "allow more memory"
        ]

    def _empty(self) -> AttentionSums:
        count = sum(self.heads.values())
        return AttentionSums(self._no_heads(), HeadProfiles(count), HeadMaps(count))

    def _no_heads(self) -> HeadSums:
        return HeadSums(self.heads, self.pairs, [each.needs for each in self.measures])

    def _by_position(
        self, total: AttentionSums, measures: Sequence[Measure], pool_map: Map
    ) -> HeadSums:
        """Compare heads that attend by position alone, at the median length."""
        sums = HeadSums(self.heads, self.pairs, [each.needs for each in measures])
        maps = total.shapes.position_only(int(np.median(total.lengths)))
        sums.update(torch.split(maps, list(self.heads.values())), pool_map)
        return sums


def _by_position_alone(scores: xr.Dataset) -> xr.Dataset:
    """Say in the measures' titles that heads attend by position alone."""
    for array in scores.data_vars.values():
        array.attrs["long_name"] += ", of heads that attend by position alone"
    return scores


def _broken_maps(broken: Mapping[str, Sequence[str]], count: int) -> list[str]:
    """Return a caveat about broken maps, by head the names of their utterances, of `count`."""
    if not broken:
        return []
    head, names = next(iter(broken.items()))
    return [
        f"{len(broken)} attention heads have maps that are not finite or whose rows do not sum to "
        f"one; the first is {head}, in {len(names)} of {count} utterances, the first {names[0]!r}; "
        "these maps are left out of these heads' scores"
    ]
