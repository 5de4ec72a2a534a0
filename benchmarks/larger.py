"""Plan a large comparison in the tasks that workers take, at costs measured on a small one."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import transformers
import yaml
from safetensors.numpy import save_file

from assonance.comparison.cluster.workers import EXTRACT
from assonance.comparison.configuration import Configuration
from assonance.comparison.forecast.counts import count_comparison
from assonance.comparison.forecast.forecast import (
    ATTENTION,
    LAYERS,
    READING,
    Forecast,
    make_forecast,
)
from assonance.comparison.plan import READING as TOGETHER
from assonance.comparison.prepared import Prepared, prepare
from assonance.models.loading import outline_all
from assonance.scoring.attention_sums import batches
from assonance.scoring.frame_pass import SCORES
from assonance.utils.cores import cores
from assonance.utils.progress import Silent
from benchmarks.real import CLASSES, SIZES
from benchmarks.schedule import NOTHING, Part, Stage

# Models of one size have one architecture, which is measured once.
LARGER = [*(f"wav2vec2-base-{n}" for n in range(1, 5)), "wav2vec2-large-1", "wav2vec2-large-2"]
# Which tasks do what the plan has in a stage.
DONE_BY = {READING: [EXTRACT], ATTENTION: [TOGETHER, "attention"], LAYERS: [SCORES, "layers"]}
_FEW_HOURS = (0.25, 0.5)  # hours that are planned; what they take grows in proportion from there
_FLOAT32 = 4


@dataclass(frozen=True)
class Measured:
    """What the tasks of one worker took.

    Attributes
    ----------
    costs
        Seconds of each task, by stage.
    opening
        Seconds that the first task of a stage took beyond a usual one.
    gap
        Seconds from the end of a task to the start of the next.
    rest
        Seconds of the run before its first task and after its last.
    """

    costs: Mapping[str, Sequence[float]]
    opening: Mapping[str, float]
    gap: float
    rest: float

    def total(self, stages: Sequence[str]) -> float:
        """Return the seconds of all tasks of some stages."""
        return sum(sum(self.costs.get(each, ())) for each in stages)


def outlined(configuration: Configuration) -> Prepared:
    """Prepare a comparison as `assonance plan` does, without the weights of its models."""
    request, silent = configuration.request(), Silent()
    outlines = outline_all(configuration.models, request.loading, silent)
    return prepare(outlines, configuration.audio, request, silent)


def configuration_of(run: Path, **changed: Any) -> Configuration:
    """Read the configuration that a run has left, and change some of it."""
    values = yaml.safe_load((run / "config.yaml").read_text("utf-8"))
    return Configuration.make({**values, **changed})


def factors(run: Path, one: Measured) -> list[dict[str, Any]]:
    """Set the tasks of a run beside its plan, by the stages of the plan."""
    plan = make_forecast(count_comparison(outlined(configuration_of(run))), Silent())
    planned = {each.name: each.seconds for each in plan.stages}
    return [
        {
            "stage": stage,
            "tasks": sum(len(one.costs.get(each, ())) for each in kinds),
            "a task, s": one.total(kinds) / sum(len(one.costs.get(each, ())) for each in kinds),
            "all, s": one.total(kinds),
            "planned, s": planned[stage],
            "factor": one.total(kinds) / planned[stage],
        }
        for stage, kinds in DONE_BY.items()
        if stage in planned and one.total(kinds)
    ]


def save_outline(folder: Path, name: str) -> str:
    """Save the configuration of a model of a published size, without its weights."""
    family, size = name.split("-")[:2]
    path = folder / name
    getattr(transformers, f"{CLASSES[family]}Config")(**SIZES[size]).save_pretrained(path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(path)  # type: ignore[no-untyped-call]
    save_file({"none": np.zeros(1, np.float32)}, path / "model.safetensors")
    return str(path)


@dataclass(frozen=True)
class _Grown:
    """The plans of two amounts of speech; each number grows with the speech in a straight line."""

    less: Forecast
    more: Forecast
    hours: float

    @property
    def _times(self) -> float:
        seconds = [each.counts.speech.seconds for each in (self.less, self.more)]
        return (3600 * self.hours - seconds[0]) / (seconds[1] - seconds[0])

    def at(self, less: float, more: float) -> float:
        """Return a number for all hours, from those for little and for more speech."""
        return less + (more - less) * self._times

    def stage(self, name: str) -> float:
        """Return the seconds of a stage, on one core."""
        less, more = ({each.name: each for each in plan.stages} for plan in (self.less, self.more))
        return cores() * self.at(less[name].seconds, more[name].seconds) if name in less else 0.0

    @property
    def disk(self) -> float:
        """Bytes of all activations."""
        return self.at(self.less.counts.disk, self.more.counts.disk)

    @property
    def utterances(self) -> int:
        """Number of utterances."""
        return round(self.at(len(self.less.counts.speech), len(self.more.counts.speech)))

    @property
    def frames(self) -> float:
        """Number of rows of every layer."""
        return self.at(self.less.counts.frames, self.more.counts.frames)


def larger_stages(
    asked: argparse.Namespace, one: Measured, measured: Sequence[Mapping[str, Any]], folder: Path
) -> list[Stage]:
    """Plan the larger comparison in stages of tasks."""
    run = folder / "one"
    models = [save_outline(folder / "larger", name) for name in asked.larger]
    changed = {"models": models, "memory": asked.worker_memory, "twins": False}
    configuration = configuration_of(run, **changed)
    prepared = outlined(configuration)
    little, much = (count_comparison(prepared, hours) for hours in _FEW_HOURS)
    less = make_forecast(little, Silent())
    more = replace(less, counts=much)
    grown = _Grown(less, more, asked.hours)
    factor = {each["stage"]: each["factor"] for each in measured}
    small = sum(1 for _ in run.glob("activations/*/*.safetensors"))
    # Workers plan a stage from the headers of all shards, whose number is that of the utterances.
    planning = max(one.opening.get(each, 0.0) for each in (SCORES, "layers"))
    planning *= grown.utterances * len(less.counts.extracted.roster) / small
    starting = one.opening.get(TOGETHER, one.opening.get(EXTRACT, 0.0))
    return [
        Stage("start and report", [], after=Part(one.rest)),
        Stage(
            "reading speech and attention",
            _batches(grown, one, factor[ATTENTION]),
            opening=Part(starting),
            after=Part(planning),  # the run itself finds what is there, as each worker does
        ),
        *_tile_stages(grown, one, factor[LAYERS], Part(planning)),
    ]


def _batches(grown: _Grown, one: Measured, factor: float) -> list[Part]:
    """Return the tasks that read speech and compare its attention, in the run's own batches."""
    speech = grown.less.counts.speech.utterances
    lengths = [speech[n % len(speech)].duration for n in range(grown.utterances)]
    groups = grown.less.counts.resampling.groups
    divided = batches(range(len(lengths)), [n % groups for n in range(len(lengths))], lengths)
    seconds = factor * grown.stage(ATTENTION) / sum(lengths)
    moved = grown.disk / sum(lengths)
    return [Part(each.size * seconds + one.gap, each.size * moved) for each in divided]


def _tile_stages(grown: _Grown, one: Measured, factor: float, planning: Part) -> list[Stage]:
    """Return the stages of tiles: scores first, then intervals and nulls."""
    counts = grown.less.counts
    widths, shifts = counts.widths, counts.resampling.shifts
    nulls = {(a, b) for a, b, null in counts.with_nulls() if null}
    weights = [
        sum(widths[a] * widths[b] * (1 + shifts * ((a, b) in nulls)) for a, b in tile.pairs)
        for tile in counts.tiles
    ]
    reads = max(each.reads for each in grown.less.layers.values())
    moved = [
        _FLOAT32 * reads * grown.frames * sum(widths[name] for name in tile.layers)
        for tile in counts.tiles
    ]
    seconds = factor * grown.stage(LAYERS)
    # Scores come in a stage of their own only where intervals are fitted again.
    scores = one.total([SCORES]) / one.total(DONE_BY[LAYERS])
    shares = {"comparing layers: scores": scores, "comparing layers": 1 - scores}
    first = next(name for name, share in shares.items() if share)
    return [
        Stage(
            name,
            [
                Part(seconds * share * weight / sum(weights) + one.gap, each)
                for weight, each in zip(weights, moved, strict=True)
            ],
            opening=planning if name == first else NOTHING,
        )
        for name, share in shares.items()
        if share
    ]
