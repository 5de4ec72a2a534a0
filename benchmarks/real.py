"""Measure the command that people run on models of real size, stage by stage, beside its limits.

    python -m benchmarks.real [--models wav2vec2 hubert] [--size base] [--max-hours H]
                              [--audio PATH] [--device cpu] [--out FILE] [-- OPTION...]

Models of the published sizes with random weights are made once, in `runs/real`. Then
`assonance compare` runs in a process of its own, with all its defaults; options after `--` are
added. The limits are measured afterwards, in the same run, on the same device and threads:

- forward passes: each model's encoder over the same speech, an utterance a core, without a hook;
- bare products: one float32 product of two layers, for each pair that the command scored.

The stage in which models read speech and their attention is compared is set beside the forward
passes, the layers stage beside the products, and the whole run beside both together. Where speech
is read first and once more for attention, each of these stages is set beside the forward passes.
The times of the first report, of that of layers and of the whole run are set beside both, the
largest memory of the process beside `--memory`, and all memory that the system gave it, page by
page, beside the largest: what was returned is given again.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from assonance import Comparison, Corpus
from assonance.cli.run import FIRST_REPORT
from assonance.comparison.forecast.forecast import ATTENTION, LAYERS, READING
from assonance.comparison.plan import BOTH
from assonance.demo import SPEECH
from assonance.models.loading import load_model
from assonance.utils.cores import worker_pool
from assonance.utils.memory import MEMORY, parse_bytes
from benchmarks.tables import show

SIZES: dict[str, dict[str, Any]] = {
    "base": {},
    "large": {
        **{"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16},
        **{"intermediate_size": 4096, "feat_extract_norm": "layer", "conv_bias": True},
        "do_stable_layer_norm": True,
    },
    # For the tests of this benchmark.
    "tiny": {
        **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2},
        **{"intermediate_size": 48, "conv_dim": [16] * 7, "num_conv_pos_embeddings": 8},
        "num_conv_pos_embedding_groups": 2,
    },
}
CLASSES = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM"}
STAGE = re.compile(r"(.+): done in (\d+) s")


def make_model(folder: Path, family: str, size: str, seed: int) -> Path:
    """Save a model of a family and size with random weights, unless it is there."""
    path = folder / f"{family}-{size}-{seed}"
    if not (path / "model.safetensors").exists():
        torch.manual_seed(seed)
        begins = CLASSES[family]
        config = getattr(transformers, f"{begins}Config")(**SIZES[size])
        getattr(transformers, f"{begins}Model")(config).save_pretrained(path)
        transformers.Wav2Vec2FeatureExtractor().save_pretrained(path)  # type: ignore[no-untyped-call]
    return path


def stage_of(name: str) -> str:
    """Return the name of a stage, the same for each model that reads speech."""
    return READING if name.startswith(f"{READING} with ") else name


@dataclass(frozen=True)
class Ran:
    """How a command went.

    Attributes
    ----------
    stages
        Seconds by stage; stages that read speech are added up.
    seconds, peak, given
        Of the whole process, its largest resident memory in bytes, and all memory that the system
        gave it.
    first
        Seconds from the start to the first preliminary report, which may be of heads alone, and to
        the last, which has layers; None if there was none.
    """

    stages: Mapping[str, float]
    seconds: float
    peak: float
    given: float
    first: tuple[float, float] | None


def run_command(arguments: Sequence[str]) -> Ran:
    """Run `assonance` in a process of its own."""
    program = "from assonance.cli.main import main; main()"
    started = time.perf_counter()
    lines: list[str] = []
    shown: list[float] = []
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stderr or ():
            lines.append(line.rstrip())
            if line.startswith(FIRST_REPORT):
                shown.append(time.perf_counter() - started)
        _, status, used = os.wait4(process.pid, 0)  # unlike wait, with the memory of this process
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit("\n".join(lines))
    stages: dict[str, float] = {}
    for line in lines:
        if found := STAGE.fullmatch(line):
            name = stage_of(found[1])
            stages[name] = stages.get(name, 0.0) + float(found[2])
    first = (shown[0], shown[-1]) if shown else None
    given = float(used.ru_minflt * os.sysconf("SC_PAGE_SIZE"))
    return Ran(stages, seconds, used.ru_maxrss * 1024.0, given, first)


def forward_seconds(models: Iterable[Path], corpus: Corpus, device: str) -> float:
    """Measure the forward passes of the encoders over the speech, without recording anything."""
    total = 0.0
    for path in models:
        model: Any = load_model(path, device=device)
        samples = [torch.from_numpy(each.read(model.sampling_rate))[None] for each in corpus]

        def forward(values: torch.Tensor, encoder: Any = model._encoder) -> None:
            with torch.inference_mode():
                encoder(values.to(device))

        started = time.perf_counter()
        with worker_pool() as pool_map:
            list(pool_map(forward, samples))
        if device != "cpu":
            torch.accelerator.synchronize()
        total += time.perf_counter() - started
    return total


def product_seconds(comparison: Comparison, width: int, device: str, repeat: int = 3) -> float:
    """Measure one float32 product of two layers for each pair that was scored."""
    scored = np.isfinite(comparison.scores["cka"].values)
    pairs = (scored.sum() + np.einsum("abab->", scored.astype(int))) // 2
    frames = comparison.provenance.corpus.frames
    left, right = (torch.randn(frames, width, device=device) for _ in range(2))
    best = float("inf")
    for _ in range(repeat + 1):
        started = time.perf_counter()
        left.T @ right
        if device != "cpu":
            torch.accelerator.synchronize()
        best = min(best, time.perf_counter() - started)
    return float(pairs) * best


def memory_limit(options: Sequence[str]) -> float:
    """Read `--memory` from the options of the command, in bytes."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--memory", default=MEMORY)
    return parse_bytes(parser.parse_known_args(options)[0].memory)


def rows(ran: Ran, forward: float, product: float) -> list[dict[str, Any]]:
    """Set each stage beside its limit."""
    stages, seconds = ran.stages, ran.seconds
    limits = {BOTH: forward, LAYERS: product}
    # Where models are run once, little is left for the stages of reading and of attention alone.
    if BOTH not in stages:
        limits |= {READING: forward, ATTENTION: forward}
    table = [
        {"stage": name, "seconds": taken}
        | ({"limit": limits[name], "ratio": taken / limits[name]} if name in limits else {})
        for name, taken in stages.items()
    ]
    whole = forward + product
    first, last = ran.first or (None, None)
    ended = {"whole run": seconds, "first report after": first, "report of layers after": last}
    return [
        *table,
        *(
            {"stage": name, "seconds": taken, "limit": whole, "ratio": taken / whole}
            for name, taken in ended.items()
            if taken is not None
        ),
    ]


def main() -> None:
    """Run the command, measure its limits, and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["wav2vec2", "hubert"], choices=CLASSES)
    parser.add_argument("--size", default="base", choices=SIZES)
    parser.add_argument("--audio", default=str(SPEECH))
    parser.add_argument("--max-hours", type=float)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, default=Path("runs/real"))
    parser.add_argument("--out")
    parser.add_argument("options", nargs="*", help="options of `assonance compare`, after --")
    args = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    made = [make_model(args.folder, each, args.size, n) for n, each in enumerate(args.models)]
    hours = [] if args.max_hours is None else ["--max-hours", str(args.max_hours)]
    with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
        ran = run_command(
            [
                *("compare", *map(str, made), "--audio", args.audio, "--out", f"{scratch}/run"),
                *("--device", args.device, *hours, *args.options),
            ]
        )
        comparison = Comparison.load(f"{scratch}/run/results.nc")
    corpus = Corpus.from_path(args.audio, max_hours=args.max_hours)
    once = forward_seconds(made, corpus, args.device)
    # Random twins are of the same sizes, and cost the same.
    encoders = [each for each in comparison.provenance.models if each.n_parameters]
    forward = once * len(encoders) / len(made)
    width = transformers.AutoConfig.from_pretrained(made[0]).hidden_size
    product = product_seconds(comparison, width, args.device)
    asked = {**vars(args), "folder": str(args.folder), "peak GB": ran.peak / 1e9}
    asked["frames"] = comparison.provenance.corpus.frames
    table = rows(ran, forward, product)
    memory = memory_limit(args.options)
    table.append({"stage": "peak memory, GB", "limit": memory / 1e9, "ratio": ran.peak / memory})
    given = {"limit": ran.peak / 1e9, "ratio": ran.given / ran.peak}
    table.append({"stage": "memory given by the system, of its peak", **given})
    show(table, asked, args.out)


if __name__ == "__main__":
    main()
