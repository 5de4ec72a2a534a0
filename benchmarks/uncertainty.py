"""What intervals and floors cost beside the scores themselves.

    python -m benchmarks.uncertainty [--layers 12] [--width 128] [--json FILE]

Layers of two models of equally many layers, their frames after a layer norm, compared by what is
compared by default, attention aside: scores alone, with the jackknife, and with shifted speech.
Everything is measured several times in turn after a warm-up, and the medians are shown, in seconds
of the clock and of all cores together.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assonance.measures import MEASURES, find
from assonance.measures.roles import STANDARD
from assonance.scoring.frame_pass import FramePass, resample_frames
from assonance.scoring.pair_rules import PairRules
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


class TwoModels(PairRules):
    """Rules of two models, which have half of the layers each: only pairs across have nulls."""

    def __init__(self, layers: Normed) -> None:
        self.half = set(list(layers.widths)[: len(layers.widths) // 2])

    def gets_null(self, a: str, b: str) -> bool:
        """Whether the layers are of two models."""
        return (a in self.half) != (b in self.half)


def compared(layers: Normed, groups: int | None, shifts: int | None) -> tuple[float, float]:
    """Time a comparison, by the clock and by the processor."""
    settings = Settings("benchmark", groups=groups or 20, shifts=shifts or 1)
    chosen = find(OF_FRAMES, ("neuron", "layer"))
    resampling = resample_frames(
        layers, chosen, settings, intervals=groups is not None, nulls=shifts is not None
    )
    frame_pass = FramePass(layers, chosen, settings, resampling, rules=TwoModels(layers))
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
    options.add_argument("--json", help="file for the figures")
    asked = options.parse_args()
    lengths = utterances(asked.frames, shortest=80, longest=200)
    layers = Normed(asked.layers, asked.width, lengths, kept=True)
    choices: dict[str, tuple[int | None, int | None]] = {
        "scores alone": (None, None),
        "jackknife, 20 groups": (20, None),
        "4 shifts": (None, 4),
        "19 shifts": (None, 19),
        "jackknife and 19 shifts": (20, 19),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in choices}
    compared(layers, None, None)  # warm up
    for _ in range(asked.repeat):
        for name, choice in choices.items():
            times[name].append(compared(layers, *choice))
    rows: list[dict[str, Any]] = []
    for name, taken in times.items():
        clock, processor = np.median(taken, axis=0).tolist()
        rows.append({"what": name, "seconds": clock, "of all cores": processor})
        for column in ("seconds", "of all cores"):
            rows[-1][f"{column}, of scores alone"] = rows[-1][column] / rows[0][column]
    show(rows, vars(asked) | {"utterances": len(lengths)}, asked.json)


if __name__ == "__main__":
    main()
