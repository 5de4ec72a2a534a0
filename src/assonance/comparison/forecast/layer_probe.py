"""Measure what the pass over frames costs on this machine, by running it on a few layers.

The costs of a layer and of a pair do not depend on the number of frames, and products grow in
proportion to it. Two small passes, of few pairs and of many on more frames, give each of these
costs: the pass reports its progress after each of its phases. Scores and intervals of a pair are
computed in one phase, so each pass is also made for scores alone.
"""

from bisect import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from math import inf, sqrt

import numpy as np
import torch
from torch import Tensor

from assonance.comparison.forecast.costs import clock, fit_costs
from assonance.comparison.forecast.counts import Counts
from assonance.scoring.frame_pass import FramePass
from assonance.scoring.pair_rules import PairRules
from assonance.scoring.resampled import resample_frames
from assonance.utils.progress import Silent

_ROWS = 3  # frames for each neuron, at least: with fewer, matrices lack full rank
_LONGER = 3  # times the frames of the first pass that the second has
_NARROW = 256  # neurons of layers of which more are drawn, because each costs little
_FEW, _MANY = 4, 8  # layers that are drawn, at least and at most


@dataclass(frozen=True)
class PairCosts:
    """Seconds that layers of one width take.

    Attributes
    ----------
    tile
        Of a tile, besides its layers and pairs.
    layer, pair
        Of each layer of a tile and of each pair, for scores.
    layer_interval, pair_interval
        The same for intervals.
    null
        Of each pair, for all shifts of the null.
    product
        Of each frame, for one product of two layers.
    reads
        No seconds: how often a tile reads each frame of its layers.
    """

    tile: float = 0.0
    layer: float = 0.0
    pair: float = 0.0
    layer_interval: float = 0.0
    pair_interval: float = 0.0
    null: float = 0.0
    product: float = 0.0
    reads: float = 0.0


def measure_layers(counts: Counts) -> dict[int, PairCosts]:
    """Measure the costs of layers of each width that occurs.

    Parameters
    ----------
    counts
        The comparison, of which measures, settings and the lengths of utterances are used.

    Returns
    -------
    dict of PairCosts
        By width; empty if no measure compares frames.
    """
    if not counts.tiles:
        return {}
    return {width: _Probe(counts, width).costs() for width in sorted(set(counts.widths.values()))}


def layers_seconds(
    counts: Counts, costs: Mapping[int, PairCosts], number: Mapping[str, float]
) -> float:
    """Return the seconds that the pass over frames takes.

    A pair of layers of two widths takes the geometric mean of what pairs of either take.

    Parameters
    ----------
    counts
        The comparison.
    costs
        Costs of layers, by width.
    number
        By model, the seconds that reading one number from its store takes.
    """
    widths, rules, shifts = counts.widths, counts.plan.frame_pairs, counts.resampling.shifts
    seconds = 0.0
    for layers in counts.summed:
        seconds += max(each.tile for each in costs.values())
        for name in layers:
            each = costs[widths[name]]
            seconds += each.layer + each.layer_interval + each.product * counts.frames
    for tile in counts.tiles:
        for name in tile.layers:
            numbers = costs[widths[name]].reads * counts.frames * widths[name]
            seconds += numbers * number[counts.model_of(name)]
    for a, b, null in counts.with_nulls():
        one, two = costs[widths[a]], costs[widths[b]]
        products = counts.frames * (1 + shifts * null)
        seconds += sqrt(one.pair * two.pair) + sqrt(one.product * two.product) * products
        seconds += sqrt(one.pair_interval * two.pair_interval) * rules.gets_interval(a, b)
        seconds += sqrt(one.null * two.null) * null
    return seconds


class _Probe:
    """Passes over a few drawn layers of one width.

    Of wide layers so few are drawn that a comparison is forecast in seconds; of narrow ones no more
    than there are.
    """

    def __init__(self, counts: Counts, width: int) -> None:
        self._plan = counts.plan
        self._intervals = bool(counts.resampling.weights)
        self._nulls = counts.resampling.shifts > 0
        self._sizes = _sample_sizes(counts, _ROWS * width)
        self._units = len(set(counts.plan.source.units))
        there = [*counts.widths.values()].count(width)
        layers = max(_FEW, min(_MANY, there) // 2 * 2) if width <= _NARROW else _FEW
        self._layers = [f"{number}" for number in range(layers)]
        self._frames = _draw(width, layers, _LONGER * sum(self._sizes))

    def costs(self) -> PairCosts:
        """Measure each cost, after a first pass: code is compiled and memory given only once."""
        self._run(self._some()[:1], nulls=self._nulls, apart=False)
        few = self._run(self._some(), nulls=self._nulls)
        many = self._run([*combinations(self._layers, 2)], times=_LONGER)
        layers, passes = len(self._layers), (few, many)
        products = [(layers + run.pairs, (layers + run.pairs) * run.frames) for run in passes]
        summed, product = fit_costs(products, [run.sums for run in passes])
        each = [(layers, run.pairs) for run in passes]
        layer, pair = fit_costs(each, [run.scores for run in passes])
        interval = fit_costs(each, [run.intervals for run in passes])
        null = few.nulls / few.pairs - product * few.shifts * few.frames
        return PairCosts(
            tile=sum(run.rest for run in passes) / len(passes),
            layer=summed + layer,
            pair=summed + pair,
            layer_interval=interval[0],
            pair_interval=interval[1],
            null=max(null, 0.0),
            product=product,
            reads=few.reads,
        )

    def _some(self) -> list[tuple[str, str]]:
        """Return pairs that have no layer in common."""
        return [*zip(self._layers[::2], self._layers[1::2], strict=False)]

    def _run(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        nulls: bool = False,
        times: int = 1,
        apart: bool = True,
    ) -> "_Phases":
        """Run a pass over pairs, with intervals if there are any; on some times the frames.

        A second pass, for scores alone, separates their time from that of intervals (`apart`).
        """
        plan = self._plan
        sizes = self._sizes * times
        units = [n % self._units for n in range(len(sizes))]
        source = _Drawn(self._frames[:, : sum(sizes)], sizes, units)
        resampling = resample_frames(
            *(source, plan.frame_measures, plan.settings),
            intervals=self._intervals,
            nulls=nulls,
        )

        def times_of(*parts: float, alone: bool = False) -> list[float]:
            """Run a pass; return when it began, had done some parts of the work, and ended."""
            phases = _Clock(plan.device)
            frame_pass = FramePass(
                *(source, plan.frame_measures, plan.settings, resampling),
                rules=_Chosen({*pairs}),
                device=plan.device,
            )
            frame_pass.run(memory=inf, progress=phases, alone=alone)
            ended = phases.now()
            return [phases.started, *(phases.at(part * len(pairs)) for part in parts), ended]

        # Gathering the sums is half of the work, and each repeat an equal part of the other half.
        repeats, shifts = len(resampling.weights), resampling.shifts
        before_nulls = 1 - shifts / (1 + repeats + shifts) / 2
        began, summed, replicated, done, ended = times_of(1 / 2, before_nulls, 1)
        reads = source.read_frames / (len(self._layers) * sum(sizes))
        scores = replicated - summed
        if repeats and apart:
            _, alone, scored, _ = times_of(1 / 2, 1, alone=True)
            scores = min(scores, scored - alone)
        return _Phases(
            pairs=len(pairs),
            frames=sum(sizes),
            shifts=shifts,
            sums=summed - began,
            scores=scores,
            intervals=replicated - summed - scores,
            nulls=done - replicated,
            rest=ended - done,
            reads=reads,
        )


@dataclass(frozen=True)
class _Phases:
    """What a pass consists of, and the seconds of each of its phases.

    Attributes
    ----------
    pairs, frames, shifts
        Number of pairs, of frames, and of shifts of the null.
    sums, scores, intervals, nulls, rest
        Seconds of each phase, and of what follows.
    reads
        How often each frame of a layer was read.
    """

    pairs: int
    frames: int
    shifts: int
    sums: float
    scores: float
    intervals: float
    nulls: float
    rest: float
    reads: float


class _Clock(Silent):
    """Progress that notes the time whenever a part of the work is done."""

    def __init__(self, device: str) -> None:
        self.now = clock(device)
        self._done, self._times = [0.0], [self.now()]

    @property
    def started(self) -> float:
        """Time at the start."""
        return self._times[0]

    @contextmanager
    def stage(
        self, name: str, total: float, *, unit: str = ""
    ) -> Iterator[Callable[[float], None]]:
        """Note the times of a stage."""

        def advance(units: float) -> None:
            self._done.append(self._done[-1] + units)
            self._times.append(self.now())

        yield advance

    def at(self, done: float) -> float:
        """Return the time at which so much was done, up to rounding."""
        return self._times[bisect(self._done, done + 1e-6) - 1]


def _sample_sizes(counts: Counts, frames: int) -> list[int]:
    """Choose lengths of utterances: one a group at least, and so many frames if there are."""
    lengths = sorted(counts.plan.source.sizes)
    number = min(len(lengths), max(counts.resampling.groups, frames * len(lengths) // sum(lengths)))
    places = np.linspace(0, len(lengths) - 1, number).round().astype(int)
    return [lengths[place] for place in places]


class _Chosen(PairRules):
    """Rules that score the pairs given, each with all that is computed."""

    def __init__(self, pairs: set[tuple[str, str]]) -> None:
        self._pairs = pairs

    def is_scored(self, a: str, b: str) -> bool:
        """Whether the pair is among those given."""
        return (a, b) in self._pairs


def _draw(width: int, layers: int, frames: int) -> Tensor:
    """Draw frames of layers that share signals, (layers, frames, width)."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, width, generator=generator)

    # The variance of the signals falls off as it does in networks.
    deviations = torch.arange(1, width + 1).float() ** -0.5
    signals = (draw(frames) + draw(layers, frames)).mul_(deviations)
    return signals @ draw(layers, width)


class _Drawn:
    """Drawn frames of layers, in memory; see `FrameSource`."""

    def __init__(self, frames: Tensor, sizes: Sequence[int], units: Sequence[int]) -> None:
        self._frames = {f"{number}": layer for number, layer in enumerate(frames)}
        self.widths = {name: layer.shape[1] for name, layer in self._frames.items()}
        self.sizes = sizes
        self.units = units
        self.read_frames = 0  # of single layers
        self._starts = np.cumsum([0, *sizes]).tolist()

    def read(self, utterance: int, names: Sequence[str]) -> dict[str, Tensor]:
        """Return the frames of one utterance."""
        start, stop = self._starts[utterance : utterance + 2]
        self.read_frames += len(names) * (stop - start)
        return {name: self._frames[name][start:stop] for name in names}

    def means(self) -> dict[str, Tensor]:
        """Return the mean of each neuron."""
        return {name: frames.double().mean(0) for name, frames in self._frames.items()}
