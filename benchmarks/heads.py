"""Attention heads against each other: plain arrays, the stage of a comparison, and its memory.

    python -m benchmarks.heads [--rounds 5] [--pieces 12] [--json FILE]

*Arrays*: `assonance.head_similarity_matrix` on float32 maps, 12 heads a layer and 400 frames,
against the plain way of published code: for each pair of layers, all pairs of their heads side by
side in one broadcast, in float32, by torch on the same threads. Both sides compute every unordered
pair of layers once, and agree. The plain way is timed for three pairs of layers and scaled to all.
The limit is half of a float32 product of the flattened maps with themselves. For divergences it is
eight such halves: the logarithm of a value takes eight multiplications with an addition, not one.

*Stage*: `assonance.compare` with the attention measures, two models of base size with random
weights and pieces of 10 s, against forward passes whose attention maps are dropped. By default
divergences are of sampled frames; *all frames* is `Settings(attention_rows=0)`.

Rounds take turns, and figures are medians. Seconds are of the clock. *Processor* ratios are of the
seconds of all cores, which other programs on the machine change less.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import combinations_with_replacement, islice
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import transformers
from torch import Tensor

import assonance
from assonance.measures import find
from assonance.models import SpeechModel
from assonance.settings import SETTINGS
from assonance.statistics import HeadSums
from assonance.utils.cores import worker_pool
from assonance.utils.progress import Silent
from benchmarks.tables import show

HEADS, FRAMES, PLAIN_PAIRS = 12, 400, 3
TARGETS = {24: 60, 2: 15}
STAGE_TARGET = 1.5
RATE, SECONDS = 16000, 10
SETTINGS_OF = {
    "default": SETTINGS["default"],
    "all frames": replace(SETTINGS["default"], attention_rows=0),
}
# Multiplications with an addition for the logarithm of a value, in its sum.
LOG_OPERATIONS = 8
Row = dict[str, Any]
Times = dict[str, list[tuple[float, float]]]


def maps(count: int, frames: int, seed: int) -> Tensor:
    """Make attention of many kinds: even to sharp, local to global; (count, frames, frames).

    No probability is so small that the plain divergence becomes infinite.
    """
    generator = torch.Generator().manual_seed(seed)
    away = torch.arange(frames)[:, None] - torch.arange(frames)
    stack = torch.empty(count, frames, frames)
    for head in range(count):
        sharpness, width = torch.rand(2, generator=generator).tolist()
        logits = 4 * sharpness * torch.randn(frames, frames, generator=generator)
        stack[head] = (logits - away.abs() / (10 + 100 * width)).softmax(1)
    return stack


def frobenius(a: Tensor, b: Tensor) -> Tensor:
    """Compare all heads of two layers."""
    distance: Tensor = (a[:, None] - b).flatten(2).norm(dim=2)
    return 1 - distance


def pearson(a: Tensor, b: Tensor) -> Tensor:
    """Compare all heads of two layers."""
    a_centred, b_centred = (each - each.mean(-1, keepdim=True) for each in (a, b))
    covariance = (a_centred[:, None] * b_centred).mean(-1)
    return (covariance / (a.std(-1)[:, None] * b.std(-1))).mean(-1)


def divergence(a: Tensor, b: Tensor) -> Tensor:
    """Compare all heads of two layers."""
    middle = (a[:, None] + b) / 2
    parts = [(each * (each / middle).log()).sum(-1).mean(-1) for each in (a[:, None], b)]
    return 1 - (parts[0] + parts[1]) / 2


PLAIN = {"attn_frobenius": frobenius, "attn_pearson": pearson, "attn_js": divergence}


def take_turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> Times:
    """Time each way once a round, after a round that does not count: clock and processor."""
    times: Times = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            clock, processor = time.perf_counter(), time.process_time()
            way()
            if number:
                taken = time.perf_counter() - clock, time.process_time() - processor
                times[name].append(taken)
    return times


def median(times: Times, name: str, which: int = 0) -> float:
    """Return the median of a way's seconds: 0 of the clock, 1 of the processor."""
    return statistics.median(each[which] for each in times[name])


def arrays(layers: int, rounds: int) -> list[Row]:
    """Compare `head_similarity_matrix` with the plain way, measure by measure."""
    stack = maps(layers * HEADS, FRAMES, seed=layers)
    places = {f"layer {number}": stack[number * HEADS :][:HEADS] for number in range(layers)}
    given = {name: [one.numpy()] for name, one in places.items()}
    flat = stack.flatten(1)
    pairs = list(islice(combinations_with_replacement(places, 2), PLAIN_PAIRS))
    whole = layers * (layers + 1) / 2 / len(pairs)
    rows = []
    for measure, function in PLAIN.items():

        def plain(function: Callable[[Tensor, Tensor], Tensor] = function) -> list[Tensor]:
            return [function(places[a], places[b]) for a, b in pairs]

        def ours(measure: str = measure) -> Any:
            return assonance.head_similarity_matrix(given, [measure], per_head=True)

        found = ours()[f"{measure}_by_head"]
        difference = max(
            float(np.abs(found.sel(layer_row=a, layer_col=b).values - one.numpy()).max())
            for (a, b), one in zip(pairs, plain(), strict=True)
        )
        assert difference < 1e-3, (measure, difference)
        times = take_turns({"plain": plain, "ours": ours, "product": lambda: flat @ flat.T}, rounds)
        # Half of the product, which is symmetric.
        limit = median(times, "product") / 2 * (LOG_OPERATIONS if measure == "attn_js" else 1)
        rows.append(
            {
                "what": f"{layers} layers, {measure}",
                "plain s": median(times, "plain") * whole,
                "ours s": median(times, "ours"),
                "ratio": median(times, "plain") * whole / median(times, "ours"),
                "ratio, processor": median(times, "plain", 1) * whole / median(times, "ours", 1),
                "target": TARGETS[layers],
                "limit s": limit,
                "of limit": median(times, "ours") / limit,
                "difference": difference,
            }
        )
    return rows


class Stages(Silent):
    """Progress that keeps how long each stage took: clock and processor."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[float, float]] = {}

    @contextmanager
    def stage(
        self, name: str, total: float, *, unit: str = ""
    ) -> Iterator[Callable[[float], None]]:
        """Time a stage."""
        clock, processor = time.perf_counter(), time.process_time()
        yield lambda units: None
        self.seconds[name] = time.perf_counter() - clock, time.process_time() - processor


def base_models(folder: Path) -> list[SpeechModel]:
    """Save two encoders of base size with random weights, and load them."""
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    loaded = []
    for seed, kind in enumerate(("Wav2Vec2", "Hubert")):
        torch.manual_seed(seed)
        config = getattr(transformers, f"{kind}Config")()
        getattr(transformers, f"{kind}Model")(config).save_pretrained(folder / kind)
        extractor = transformers.Wav2Vec2FeatureExtractor()  # type: ignore[no-untyped-call]
        extractor.save_pretrained(folder / kind)
        loaded.append(assonance.load_model(folder / kind))
    return loaded


def stage(pieces: int, rounds: int) -> list[Row]:
    """Compare the attention stage with the forward passes that feed it."""
    rng = np.random.default_rng(0)
    samples = [0.1 * rng.standard_normal(SECONDS * RATE, dtype=np.float32) for _ in range(pieces)]
    stages: Times = {name: [] for name in SETTINGS_OF}
    with tempfile.TemporaryDirectory() as scratch:
        speech = Path(scratch) / "speech"
        speech.mkdir()
        for number, each in enumerate(samples):
            soundfile.write(speech / f"{number:03}.flac", each, RATE)
        models = base_models(Path(scratch))

        def forward(audio: Any) -> None:
            for model in models:
                model.run(audio, attend=lambda label, maps: None)

        def all_forward() -> None:
            with worker_pool() as pool_map:
                list(pool_map(forward, samples))

        def compare(name: str) -> None:
            progress = Stages()
            assonance.compare(
                models,
                speech,
                list(PLAIN),
                settings=SETTINGS_OF[name],
                twins=False,
                uncertainty=False,
                progress=progress,
            )
            stages[name].append(progress.seconds["comparing attention"])

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", assonance.AssonanceWarning)
            times = take_turns(
                {"forward": all_forward, **{name: partial(compare, name) for name in SETTINGS_OF}},
                rounds,
            )
    alone = median(times, "forward"), median(times, "forward", 1)
    rows = []
    for name, taken in stages.items():
        del taken[0]  # the round that does not count
        rows.append(
            {
                "what": f"attention stage, {pieces} pieces, {name}",
                "ours s": median(stages, name),
                "limit s": alone[0],
                "of limit": median(stages, name) / alone[0],
                "of limit, processor": median(stages, name, 1) / alone[1],
                "target": STAGE_TARGET,
            }
        )
    return rows


def memory() -> Row:
    """Compare four models on 10 s of speech and return the largest memory of the process."""
    frames, models, layers = 499, 4, 12
    heads = {
        f"model {model} layer {layer}": HEADS for model in range(models) for layer in range(layers)
    }
    stack = maps(sum(heads.values()), frames, seed=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sums = HeadSums(
        heads,
        combinations_with_replacement(heads, 2),
        [each.needs for each in find(PLAIN, ("head",))],
    )
    sums.update(torch.split(stack, HEADS))
    return {
        "what": f"largest memory, GiB: {len(stack)} heads, 10 s",
        "maps": stack.nbytes / 2**30,
        "before comparing": before,
        "largest": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pieces", type=int, default=12, help="of speech; 0 leaves the stage out")
    parser.add_argument("--layers", type=int, nargs="*", default=list(TARGETS), choices=TARGETS)
    parser.add_argument("--json", help="add the figures to a file, as a line")
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory:
        print(json.dumps(memory()))
        return
    loads = [os.getloadavg()[0]]
    # A process of its own, before this one takes memory, which would count as the other's.
    command = [sys.executable, "-m", "benchmarks.heads", "--memory"]
    used = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [row for layers in args.layers for row in arrays(layers, args.rounds)]
    if args.pieces:
        rows += stage(args.pieces, max(1, args.rounds // 2))
    rows.append(json.loads(used))
    loads.append(os.getloadavg()[0])
    show(rows, {**vars(args), "load before and after": loads}, args.json)


if __name__ == "__main__":
    main()
