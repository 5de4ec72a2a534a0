"""All pairs of layers: the engine against bare products and against the study's way.

    python -m benchmarks.engine [--frames 20000] [--decay 1] [--no-baseline] [--json FILE]

Prints a table, and the same figures as JSON. Everything is measured several times in turn after a
warm-up, and the medians are shown; the study's way, which takes minutes, once. "Bare products" are
the float32 products of every layer with itself and with every later one, the frames in memory,
however that is fastest here: by torch on all threads, or a pair a core.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np
import torch

from assonance.measures import find
from assonance.scoring.frame_pass import FramePass
from assonance.scoring.pair_rules import PairRules
from assonance.scoring.resampled import resample_frames
from assonance.settings import SETTINGS
from assonance.utils.cores import worker_pool
from assonance.utils.progress import Silent
from benchmarks import baseline
from benchmarks.material import Layers, utterances
from benchmarks.tables import show

STUDY = ("maxcorr", "linreg", "svcca", "pwcca", "cka")
UNBIASED = ("cka_debiased", "cka_utterance")
HELD_OUT = ("linreg_heldout",)
MEMORY = 16e9


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Time one call."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def bare_products(frames: Sequence[torch.Tensor]) -> float:
    """Time the products alone, the faster of two ways."""

    def threaded() -> None:
        for x, y in combinations_with_replacement(frames, 2):
            _ = x.T @ y

    def on_each_core() -> None:
        with worker_pool() as pool_map:
            pairs = combinations_with_replacement(frames, 2)
            list(pool_map(lambda pair: pair[0].T @ pair[1], pairs))

    return min(seconds(way)[0] for way in (threaded, on_each_core))


class Different(PairRules):
    """Rules that score pairs of different layers."""

    def is_scored(self, a: str, b: str) -> bool:
        """Whether it is a pair of two layers."""
        return different(a, b)


def engine(
    layers: Layers, measures: Sequence[str], memory: float = MEMORY
) -> dict[str, np.ndarray]:
    """Score all pairs of different layers, by measure."""
    chosen, settings = find(measures, ("neuron", "layer")), SETTINGS["default"]
    frame_pass = FramePass(
        layers,
        chosen,
        settings,
        resample_frames(layers, chosen, settings),
        rules=Different(),
    )
    result = frame_pass.run(memory=memory, progress=Silent())
    return {name: result.scores[name].values for name in measures}


def different(a: str, b: str) -> bool:
    """Whether it is a pair of two layers."""
    return a != b


def study(layers: Layers) -> dict[str, np.ndarray]:
    """Score all pairs the study's way."""
    names = list(layers.widths)
    ready = {name: baseline.Layer(layers.whole(name)) for name in names}
    scores = {each: np.full((len(names), len(names)), np.nan) for each in STUDY}
    for (i, a), (j, b) in combinations(enumerate(names), 2):
        for each, function in baseline.MEASURES.items():
            scores[each][i, j], scores[each][j, i] = function(ready[a], ready[b])
    return scores


def main() -> None:
    """Measure and tell."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--layers", type=int, default=12)
    options.add_argument("--width", type=int, default=768)
    options.add_argument("--frames", type=int, default=20_000)
    options.add_argument("--decay", type=float, default=1.0, help="of the layers' spectra")
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--brief", action="store_true", help="only all additions together")
    options.add_argument("--no-baseline", action="store_true", help="leave the study's way out")
    options.add_argument("--json", help="file for the figures")
    asked = options.parse_args()
    lengths = utterances(asked.frames)
    layers = Layers(asked.layers, asked.width, lengths, asked.decay, kept=True)
    whole = [layers.whole(name) for name in layers.widths]
    choices = {
        "five measures": STUDY,
        "+ cka_debiased, cka_utterance": (*STUDY, *UNBIASED),
        "+ linreg_heldout, five folds": (*STUDY, *HELD_OUT),
        "+ all three": (*STUDY, *UNBIASED, *HELD_OUT),
    }
    if asked.brief:
        choices = {name: choices[name] for name in ("five measures", "+ all three")}
    engine(Layers(4, asked.width, lengths[:12], asked.decay, kept=True), STUDY)  # warm up
    times: dict[str, list[float]] = {name: [] for name in ("bare products", *choices)}
    for _ in range(asked.repeat):
        times["bare products"].append(bare_products(whole))
        for name, measures in choices.items():
            times[name].append(seconds(partial(engine, layers, measures))[0])
    median = {name: float(np.median(each)) for name, each in times.items()}
    bare, taken = median["bare products"], median["five measures"]
    rows: list[dict[str, Any]] = [
        {"what": name, "seconds": each, "of bare": each / bare} for name, each in median.items()
    ]
    for row in rows[2:]:
        row["more"] = row["seconds"] / taken - 1
    if not asked.no_baseline:
        scores = engine(layers, STUDY)
        plain, expected = seconds(lambda: study(layers))
        rows.append(
            {"what": "the study's way", "seconds": plain, "of bare": plain / bare}
            | {"of five measures": plain / taken}
        )
        for each in STUDY:
            difference = np.nanmax(np.abs(scores[each] - expected[each]))
            rows.append({"what": f"{each}: largest difference", "difference": difference})
    show(rows, vars(asked) | {"utterances": len(lengths)}, asked.json)


if __name__ == "__main__":
    main()
