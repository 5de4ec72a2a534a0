"""Measure what comparing attention heads costs on this machine, on drawn maps of a few lengths.

All heads of the comparison are compared, since the cost of a pair of heads depends on their number:
large tables of all pairs leave the cache. The models that compute the maps are timed apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, sqrt

import numpy as np
import torch

from assonance.comparison.forecast.costs import fit_costs, seconds_of
from assonance.comparison.forecast.counts import Counts
from assonance.comparison.forecast.model_probe import ReadingCosts
from assonance.scoring.attention_pass import AttentionPass
from assonance.scoring.head_scores import head_scores
from assonance.scoring.map_source import MapsInMemory
from assonance.statistics import HeadSums
from assonance.utils.cores import cores
from assonance.utils.pieces import NOWHERE

_SHARES = (0.25, 0.5, 1.0)  # lengths of maps, of the longest that is drawn
_LONG = 0.9  # quantile of the lengths of speech that this one has
_AFFORDED = 4e10  # pairs of heads times elements of their maps, at most


@dataclass(frozen=True)
class AttentionCosts:
    """Seconds that comparing all heads takes.

    Attributes
    ----------
    piece, frame, square
        Of each piece of speech, of each of its frames, and of each two of its frames.
    score
        Of scoring the sums, once and for each replicate.
    """

    piece: float
    frame: float
    square: float
    score: float


def measure_attention(counts: Counts) -> AttentionCosts | None:
    """Measure what comparing attention takes; None if no heads are compared.

    Sums over maps of several lengths give the cost of a piece, of its frames and of pairs of them.
    """
    whole = counts.attention
    if whole is None:
        return None
    most = min(
        float(np.quantile(whole.source.frames, _LONG)), sqrt(_AFFORDED / max(1, whole.head_pairs))
    )
    lengths = sorted({max(2, ceil(share * most)) for share in _SHARES})
    device = counts.plan.device

    def timed(length: int) -> float:
        compared = _pass(counts, whole, length)
        return seconds_of(lambda: _compare(compared), device)

    timed(2)  # compiles what is compiled at its first use
    taken = [timed(each) for each in lengths]
    # So many pieces are compared side by side.
    incurred = [[cores(), cores() * each, cores() * each**2] for each in lengths]
    piece, frame, square = fit_costs(incurred, taken)
    sums = HeadSums(whole.heads, whole.pairs, [each.needs for each in whole.measures])
    score = seconds_of(lambda: head_scores([sums], whole.measures, counts.plan.settings), device)
    return AttentionCosts(piece, frame, square, score)


def attention_seconds(
    counts: Counts, costs: AttentionCosts | None, reading: Mapping[str, ReadingCosts]
) -> float:
    """Return the seconds that the pass over attention maps takes, models included.

    Parameters
    ----------
    counts
        The comparison.
    costs
        Costs of comparing heads.
    reading
        Costs of each model.
    """
    if counts.attention is None or costs is None:
        return 0.0
    source = counts.attention.source
    roster = counts.extracted.roster
    second = sum(reading[name].seconds for name, each in roster.items() if each.model.heads)
    pieces = np.array(source.pieces)
    frames = np.array(source.frames)
    compared = costs.piece + costs.frame * frames + costs.square * frames**2
    replicates = 1 + len(counts.attention.resampling.weights)
    return float(second * sum(source.durations) + pieces @ compared + costs.score * replicates)


def _pass(counts: Counts, whole: AttentionPass, length: int) -> AttentionPass:
    """Return a pass over drawn maps of one length by all heads, of a piece of speech a core."""
    generator = torch.Generator().manual_seed(0)
    maps = {}
    for name, heads in whole.heads.items():
        drawn = torch.rand(heads, length, length, generator=generator)
        maps[name] = [drawn / drawn.sum(2, keepdim=True)] * cores()
    plan = counts.plan
    return AttentionPass(
        MapsInMemory(maps),
        whole.measures,
        plan.settings,
        replace(whole.resampling, group_of_utterance=np.zeros(cores(), dtype=int)),
        rules=plan.map_pairs,
        rows=whole.rows,
    )


def _compare(compared: AttentionPass) -> None:
    """Add up comparisons of all pieces side by side."""
    batches = compared.batches(np.inf)
    for _ in compared.compute(batches, NOWHERE, lambda units: None, at_once=cores()):
        pass
