"""Measure what the pass over frames costs on this machine, by running it on a few layers.

The costs of a layer and of a pair do not depend on the number of frames, and products grow in
proportion to it. Small passes that differ in one thing at a time give each of these costs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import combinations
from math import inf, sqrt

import numpy as np
import torch
from torch import Tensor

from assonance.comparison.forecast.costs import fit_costs, seconds_of
from assonance.comparison.forecast.counts import Counts
from assonance.scoring.frame_pass import FramePass, resample_frames
from assonance.scoring.pair_rules import PairRules
from assonance.utils.progress import Silent

_ROWS = 3  # frames for each neuron, at least: with fewer, matrices lack full rank
_LONGER = 4  # times the frames of the shorter passes, where the cost of a frame is measured
_NARROW = 256  # neurons of layers of which more are drawn, because each costs little
_FEW, _MANY = 3, 8  # layers that are drawn, at least and at most


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
    widths = sorted(set(counts.compared.values()))
    _Probe(counts, widths[0]).warm_up()
    return {width: _Probe(counts, width).costs() for width in widths}


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
        self._shifts = counts.resampling.shifts
        self._sizes = _sample_sizes(counts, _ROWS * width)
        self._units = len(set(counts.plan.source.units))
        narrow = width <= _NARROW
        there = [*counts.compared.values()].count(width)
        layers = max(_FEW, min(_MANY, there)) if narrow else _FEW
        self._all = [*combinations(range(layers), 2)]
        self._chain = [(n, n + 1) for n in range(layers - 1)]
        self._some = self._all if narrow else self._all[:1]
        self._frames = _draw(width, layers, _LONGER * sum(self._sizes))

    def warm_up(self) -> None:
        """Run a pass, so that what is compiled when it is first used is compiled."""
        self._time(self._all[:1], intervals=self._intervals, nulls=self._shifts > 0)

    def costs(self) -> PairCosts:
        """Measure each cost."""
        passes = [
            self._time(self._all[:1]),
            self._time(self._chain),
            self._time(self._all),
            self._time(self._some, times=_LONGER),
        ]
        if self._intervals:
            passes += [self._time(each, intervals=True) for each in (self._chain, self._all)]
        if self._shifts:
            passes.append(self._time(self._some, intervals=self._intervals, nulls=True))
        incurred, seconds = zip(*passes, strict=True)
        reads = max(each.reads for each in incurred)
        found = PairCosts(*fit_costs([astuple(replace(e, reads=0.0)) for e in incurred], seconds))
        return replace(found, reads=reads)

    def _time(
        self,
        pairs: Sequence[tuple[int, int]],
        *,
        intervals: bool = False,
        nulls: bool = False,
        times: int = 1,
    ) -> tuple[PairCosts, float]:
        """Return how often a pass over pairs incurs each cost, and its seconds."""
        plan = self._plan
        sizes = self._sizes * times
        layers = len({each for pair in pairs for each in pair})
        units = [n % self._units for n in range(len(sizes))]
        source = _Drawn(self._frames[:layers, : sum(sizes)], sizes, units)
        resampling = resample_frames(
            source, plan.frame_measures, plan.settings, intervals=intervals, nulls=nulls
        )
        frame_pass = FramePass(
            source,
            plan.frame_measures,
            plan.settings,
            resampling,
            rules=_Chosen({(f"{a}", f"{b}") for a, b in pairs}),
            device=plan.device,
        )
        seconds = seconds_of(lambda: frame_pass.run(memory=inf, progress=Silent()), plan.device)
        count = len(pairs)
        products = layers + count * (1 + resampling.shifts)
        incurred = PairCosts(
            tile=1,
            layer=layers,
            pair=count,
            layer_interval=layers * intervals,
            pair_interval=count * intervals,
            null=count * nulls,
            product=products * sum(sizes),
            reads=source.read_frames / (layers * sum(sizes)),
        )
        return incurred, seconds


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
