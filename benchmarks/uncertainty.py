"""What intervals and floors cost beside the scores themselves.

    python -m benchmarks.uncertainty [--layers 12] [--width 128] [--refit] [--json FILE]

Layers of two models and of a random twin of each, equally many, their frames after a layer norm,
are compared by the default measures without attention, and in the pairs that a comparison of such
models has: twins are not compared with each other and have no interval with their own model; nulls
are for the two models. Scores alone, with intervals, and with shifted speech. Everything is
measured several times in turn after a warm-up, and the medians are shown, in seconds of the clock
and of all cores together.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assonance.measures import MEASURES, find
from assonance.measures.roles import STANDARD
from assonance.scoring.frame_pass import FramePass
from assonance.scoring.pair_rules import PairRules
from assonance.scoring.resampled import resample_frames
from assonance.settings import Settings
from assonance.utils.progress import Silent
from benchmarks.material import Layers, utterances
from benchmarks.tables import show

MEMORY = 16e9
OF_FRAMES = [name for name in STANDARD if MEASURES[name].level != "head"]


class Normed(Layers):
    """Layers after a layer norm: their neurons add up to 0 and depend on each other exactly."""

    def read(self, utterance: int, names: Sequence[str]) -> Mapping[str, Tensor]:
        """Frames of one utterance."""
        return {
            name: torch.nn.functional.layer_norm(frames, frames.shape[1:])
            for name, frames in super().read(utterance, names).items()
        }


class WithTwins(PairRules):
    """Rules of two models and of a random twin of each, which have a quarter of the layers each."""

    def __init__(self, layers: Normed) -> None:
        names = list(layers.widths)
        self.place = {name: 4 * number // len(names) for number, name in enumerate(names)}

    def is_scored(self, a: str, b: str) -> bool:
        """Whether one of the layers is of a model."""
        return min(self.place[a], self.place[b]) < 2

    def gets_interval(self, a: str, b: str) -> bool:
        """Whether the layers are not of a model and its own twin."""
        return abs(self.place[a] - self.place[b]) != 2

    def gets_null(self, a: str, b: str) -> bool:
        """Whether the layers are of two models."""
        return {self.place[a], self.place[b]} == {0, 1}


@dataclass(frozen=True)
class Choice:
    """What is computed beside the scores."""

    groups: int | None = None
    shifts: int | None = None
    refit: bool = False


def compared(layers: Normed, choice: Choice) -> tuple[float, float]:
    """Time a comparison, by the clock and by the processor."""
    settings = Settings(
        "benchmark", groups=choice.groups or 20, shifts=choice.shifts or 1, refit=choice.refit
    )
    chosen = find(OF_FRAMES, ("neuron", "layer"))
    resampling = resample_frames(
        layers,
        chosen,
        settings,
        intervals=choice.groups is not None,
        nulls=choice.shifts is not None,
    )
    frame_pass = FramePass(layers, chosen, settings, resampling, rules=WithTwins(layers))
    started = time.perf_counter(), time.process_time()
    frame_pass.run(memory=MEMORY, progress=Silent())
    return time.perf_counter() - started[0], time.process_time() - started[1]


def main() -> None:
    """Measure and tell."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--layers", type=int, default=12)
    options.add_argument("--width", type=int, default=128)
    options.add_argument("--frames", type=int, default=18_000)
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--refit", action="store_true", help="also fit every replicate again")
    options.add_argument("--json", help="file for the figures")
    asked = options.parse_args()
    lengths = utterances(asked.frames, shortest=80, longest=200)
    layers = Normed(asked.layers, asked.width, lengths, kept=True)
    choices = {
        "scores alone": Choice(),
        "intervals, 20 groups": Choice(20),
        "3 shifts": Choice(None, 3),
        "intervals and 3 shifts": Choice(20, 3),
    }
    if asked.refit:
        choices["fitted again"] = Choice(20, refit=True)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in choices}
    compared(layers, Choice())  # warm up
    for _ in range(asked.repeat):
        for name, choice in choices.items():
            times[name].append(compared(layers, choice))
    rows: list[dict[str, Any]] = []
    for name, taken in times.items():
        clock, processor = np.median(taken, axis=0).tolist()
        rows.append({"what": name, "seconds": clock, "of all cores": processor})
        for column in ("seconds", "of all cores"):
            rows[-1][f"{column}, of scores alone"] = rows[-1][column] / rows[0][column]
    show(rows, vars(asked) | {"utterances": len(lengths)}, asked.json)


if __name__ == "__main__":
    main()
