"""The pass over attention maps: head measures of every pair of layers, utterance by utterance."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from assonance.inference.resampling import Resampling
from assonance.measures import Measure
from assonance.scoring.caveats import ONE_GROUP, few_interval_groups
from assonance.scoring.head_scores import head_descriptors, head_replicates, head_scores
from assonance.scoring.map_source import MapSource
from assonance.scoring.pair_rules import EVERY_PAIR, PairRules
from assonance.scoring.pass_result import PassResult
from assonance.settings import Settings
from assonance.statistics import HeadProfiles, HeadSums, sample_queries
from assonance.utils.cores import Map, worker_pool
from assonance.utils.progress import Progress

_FLOAT32 = 4


@dataclass
class _Sums:
    """Mergeable sums over utterances.

    Attributes
    ----------
    heads
        Comparisons of every two heads.
    shapes
        Descriptors of single heads; empty if they are not requested.
    lengths
        Number of frames of each piece.
    """

    heads: HeadSums
    shapes: HeadProfiles
    lengths: list[int]

    def merge(self, other: "_Sums") -> "_Sums":
        return _Sums(
            self.heads.merge(other.heads),
            self.shapes.merge(other.shapes),
            self.lengths + other.lengths,
        )


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
        Whether to describe single heads, and to score heads that attend by position alone.
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

    def run(self, *, memory: float, progress: Progress) -> PassResult:
        """Score every pair.

        Parameters
        ----------
        memory
            Bytes that maps may take. As many utterances are read at once as fit; an utterance that
            does not fit alone is left out.
        progress
            Progress, in seconds of speech.

        Returns
        -------
        PassResult
            Caveats alone if there are no heads, or if every utterance is too long.
        """
        if not self.heads:
            return PassResult(caveats=["no model gives attention maps, so heads are not compared"])
        source = self.source
        needed = [_FLOAT32 * sum(self.heads.values()) * frames**2 for frames in source.frames]
        kept = [index for index, size in enumerate(needed) if size <= memory]
        too_long = [index for index, size in enumerate(needed) if size > memory]
        caveats = self._too_long(too_long, memory)
        if not kept:
            return PassResult(caveats=caveats)
        at_once = int(min(len(kept), memory / max(needed[index] for index in kept)))
        slots = threading.BoundedSemaphore(at_once)

        by_group: dict[int, _Sums] = {}
        broken: dict[str, list[str]] = {}
        stage = progress.stage("comparing attention", sum(source.durations))
        with stage as advance, worker_pool() as pool_map:
            # Each core has an utterance, or all of them share one.
            outer, inner = (pool_map, map) if at_once > 1 else (map, pool_map)

            def compare(index: int) -> _Sums:
                with slots:
                    return self._sums(index, inner)

            for index, sums in zip(kept, outer(compare, kept), strict=True):
                group = int(self.resampling.group_of_utterance[index])
                by_group[group] = by_group[group].merge(sums) if group in by_group else sums
                for head in _broken(sums.heads):
                    broken.setdefault(head, []).append(source.names[index])
                advance(source.durations[index])
            advance(sum(source.durations[index] for index in too_long))
            result = self._scored(by_group, pool_map)
        caveats += [*result.caveats, *_broken_maps(broken, len(kept))]
        if self.resampling.intervals and not self.resampling.weights:
            caveats.append(ONE_GROUP)
        if self.resampling.intervals:
            groups = self.resampling.groups
            caveats = [*few_interval_groups(groups, self.measures, self.settings), *caveats]
        return replace(result, broken=broken, caveats=caveats)

    def _sums(self, utterance: int, pool_map: Map) -> _Sums:
        """Read an utterance piece by piece, and compare its heads."""
        sums = _Sums(self._empty(), HeadProfiles(sum(self.heads.values())), [])
        for piece, maps in enumerate(self.source.read(utterance)):
            intact = sums.heads.update(maps, pool_map, self._queries(maps, utterance, piece))
            if self.descriptors:
                sums.shapes.update(maps, intact, pool_map)
            sums.lengths.append(maps[0].shape[-1])
        return sums

    def _queries(
        self, maps: Sequence[Tensor], utterance: int, piece: int
    ) -> NDArray[np.int64] | None:
        """Sample the query frames of a piece; None for all."""
        if not self.rows:
            return None
        return sample_queries(maps[0].shape[-1], self.rows, [self.settings.seed, utterance, piece])

    def _scored(self, by_group: Mapping[int, _Sums], pool_map: Map) -> PassResult:
        """Score the sums of all jackknife groups."""
        total = reduce(_Sums.merge, by_group.values())
        nothing = self._empty()
        groups = [
            by_group[group].heads if group in by_group else nothing
            for group in range(self.resampling.groups)
        ]
        tables = head_scores([total.heads], self.measures, self.settings)
        replicates = head_replicates(groups, self.measures, self.settings, self.resampling.weights)
        result = PassResult(
            scores=tables.scores,
            singles=tables.heads,
            matches=tables.matches,
            replicates=replicates,
            caveats=self._sampled(total.heads),
        )
        if not self.descriptors:
            return result
        position = head_scores([self._by_position(total, pool_map)], self.measures, self.settings)
        descriptors = head_descriptors(self.heads, total.shapes)
        return replace(
            result,
            singles=xr.merge([tables.heads, descriptors], join="exact"),
            position_scores=_by_position_alone(position.scores),
            position_singles=_by_position_alone(position.heads),
        )

    def _sampled(self, sums: HeadSums) -> list[str]:
        """Return a caveat about divergences of sampled query frames, with their error."""
        errors = sums.tables["divergence_variance"].sqrt() / sums.tables["rows"]
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

    def _empty(self) -> HeadSums:
        return HeadSums(self.heads, self.pairs, [each.needs for each in self.measures])

    def _by_position(self, total: _Sums, pool_map: Map) -> HeadSums:
        """Compare heads that attend by position alone, at the median length."""
        sums = self._empty()
        maps = total.shapes.position_only(int(np.median(total.lengths)))
        sums.update(torch.split(maps, list(self.heads.values())), pool_map)
        return sums


def _by_position_alone(scores: xr.Dataset) -> xr.Dataset:
    """Say in the measures' titles that heads attend by position alone."""
    for array in scores.data_vars.values():
        array.attrs["long_name"] += ", of heads that attend by position alone"
    return scores


def _broken(sums: HeadSums) -> list[str]:
    """Name the heads that have a broken map."""
    return [
        f"{name} head {head}"
        for name, place in sums.slices().items()
        for head in sums.broken[place].nonzero().flatten().tolist()
    ]


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
