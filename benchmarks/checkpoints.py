"""Conversion of a checkpoint against a plain copy of it, its memory, and opening from the cache.

    python -m benchmarks.checkpoints [--rounds 5] [--layers 24] [--folder FOLDER] [--json FILE]

The first table: a checkpoint of wav2vec 2.0 large, random, 1.26 GB, as torch.save writes it.
"Copy" reads it, hashes it and writes it again, and "convert" makes safetensors of it in an empty
cache. Both take turns and flush what they wrote to the disk before they count as done; the disk is
also timed alone, by a copy without a hash. "Beyond base" is the peak memory of a process that
converts, less what that process took just before. The second table: opening a checkpoint of base
size whose weights are `pytorch_model.bin`, converted before, against the same weights as
`model.safetensors`.
"""

import argparse
import gc
import hashlib
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import transformers

from assonance.models.checkpoints.pickled.conversion import convert
from assonance.models.loading import load_model
from benchmarks.tables import show

BASE = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
LARGE = {
    **{"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16},
    **{"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True},
}
CHUNK = 4 * 2**20


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do something in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def save(folder: Path, sizes: Mapping[str, Any], layers: int) -> None:
    """Save a random encoder twice: its folder as safetensors has it, and as pytorch_model.bin."""
    torch.manual_seed(0)
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    config = transformers.Wav2Vec2Config(num_hidden_layers=layers, **sizes)
    encoder = transformers.Wav2Vec2Model(config)
    extractor = transformers.Wav2Vec2FeatureExtractor()  # type: ignore[no-untyped-call]
    weights = folder / "safetensors"
    encoder.save_pretrained(weights)
    extractor.save_pretrained(weights)
    pickled = folder / "pickled"
    pickled.mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (pickled / name).write_bytes((weights / name).read_bytes())
    torch.save(encoder.state_dict(), pickled / "pytorch_model.bin")


def copy(source: Path, target: Path, digest: Any = None) -> None:
    """Copy a file, with its hash if there is something to take it in, as far as the disk."""
    with source.open("rb") as read, target.open("wb") as written:
        while chunk := read.read(CHUNK):
            if digest is not None:
                digest.update(chunk)
            written.write(chunk)
        written.flush()
        os.fsync(written.fileno())


def into_new_cache(source: Path, cache: Path) -> None:
    """Convert a file that the cache does not know."""
    os.environ["ASSONANCE_CACHE"] = os.fspath(cache)
    convert(source)


def memory_of(source: Path, cache: Path) -> int:
    """Convert a file and return what memory that took at the most, in bytes."""
    before = _status("VmRSS")
    into_new_cache(source, cache)
    return _status("VmHWM") - before


def _status(name: str) -> int:
    """Read a figure of this process's memory, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def in_turn(
    ways: Mapping[str, Callable[[], Any]], rounds: int, ready: Callable[[], Any]
) -> dict[str, float]:
    """Time ways that take turns, each made ready; medians of all rounds but the first."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            ready()
            started = time.perf_counter()
            way()
            if number:
                taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(each) for name, each in taken.items()}


def conversion(folder: Path, rounds: int) -> dict[str, float]:
    """Measure a conversion beside a plain copy."""
    source = folder / "pickled" / "pytorch_model.bin"
    output = folder / "output"

    def ready() -> None:
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()

    ways = {
        "disk": lambda: copy(source, output / "copy"),
        "copy": lambda: copy(source, output / "copy", hashlib.sha256()),
        "convert": lambda: into_new_cache(source, output),
    }
    medians = in_turn(ways, rounds, ready)
    return {
        "GB": source.stat().st_size / 1e9,
        **{f"{name} s": seconds for name, seconds in medians.items()},
        "of copy": medians["convert"] / medians["copy"],
        "beyond base MB": apart(memory_of, source, folder / "another") / 1e6,
    }


def opening(folder: Path, rounds: int) -> dict[str, float]:
    """Measure how much longer a checkpoint takes to open from the cache."""
    os.environ["ASSONANCE_CACHE"] = os.fspath(folder / "cache")
    ways = {
        name: lambda name=name: load_model(folder / name) for name in ("safetensors", "pickled")
    }
    medians = in_turn(ways, rounds, gc.collect)
    return {
        **{f"{name} s": seconds for name, seconds in medians.items()},
        "added s": medians["pickled"] - medians["safetensors"],
    }


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--layers", type=int, default=24, help="of the large checkpoint")
    parser.add_argument("--folder", help="where to write 4 GB (default: the temporary folder)")
    parser.add_argument("--json", help="file for the figures")
    asked = parser.parse_args()
    for measure, sizes, layers in ((conversion, LARGE, asked.layers), (opening, BASE, 12)):
        with tempfile.TemporaryDirectory(dir=asked.folder) as scratch:
            apart(save, Path(scratch), sizes, layers)
            show([measure(Path(scratch), asked.rounds)], vars(asked), asked.json)


if __name__ == "__main__":
    main()
