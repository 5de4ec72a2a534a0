"""Repetitions of a simulation on all cores, and what they say of intervals."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

import assonance

# Name of an environment variable: a folder to keep finished repetitions in.
CHECKPOINTS = "ASSONANCE_VALIDITY_CHECKPOINTS"

# Value, bias-corrected estimate, low and high end of its interval.
Found = tuple[float, float, float, float]
Study = pd.DataFrame
Once = TypeVar("Once")


def study(
    once: Callable[[int, int], Mapping[str, Found]],
    size: int,
    repetitions: int,
    truths: Mapping[str, float],
) -> Study:
    """Repeat a simulation and hold its intervals against the truth.

    Parameters
    ----------
    once
        From a seed and the size of the corpus to what was found, by measure.
    size, repetitions
        Utterances; how many corpora.
    truths
        By measure.

    Returns
    -------
    pandas.DataFrame
        By measure: truth; mean of the values and of the estimates less the truth; share of
        intervals about the value and about the estimate that hold the truth; mean width.
    """
    table = pd.DataFrame(
        [
            {"measure": name, "value": v, "estimate": e, "low": low, "high": high}
            for found in repeat(partial(_at, once, size), repetitions)
            for name, (v, e, low, high) in found.items()
        ]
    )
    rows = []
    for name, part in table.groupby("measure", sort=False):
        truth = truths[str(name)]
        moved = part["value"] - part["estimate"]
        sure = part["low"].notna()  # none for measures without intervals
        plain = (part["low"] + moved <= truth) & (truth <= part["high"] + moved)
        rows.append(
            {
                "measure": name,
                "truth": truth,
                "bias, plain": part["value"].mean() - truth,
                "bias, corrected": part["estimate"].mean() - truth,
                "coverage, plain": plain[sure].mean(),
                "coverage": ((part["low"] <= truth) & (truth <= part["high"]))[sure].mean(),
                "width": (part["high"] - part["low"]).mean(),
            }
        )
    return pd.DataFrame(rows).set_index("measure")


def repeat(once: Callable[[int], Once], repetitions: int) -> list[Once]:
    """Call a function with 0, 1, 2, …, one process a core.

    Results, which are plain lists, dicts and numbers, are kept in the folder `CHECKPOINTS` as they
    come, if it is set, and found there by another run of the same sources.
    """
    kept = _Kept(once)
    seeds = [seed for seed in range(repetitions) if seed not in kept.results]
    chunk = max(1, min(10, repetitions // 40))
    for seed, found in zip(seeds, _pool().map(once, seeds, chunksize=chunk), strict=True):
        kept.add(seed, found)
    return [kept.results[seed] for seed in range(repetitions)]


class _Kept:
    """Results of a function by seed, kept in a file if `CHECKPOINTS` is set."""

    def __init__(self, once: Callable[[int], object]) -> None:
        folder = os.environ.get(CHECKPOINTS)
        self.path = Path(folder) / f"{_digest(once)}.jsonl" if folder else None
        self.results: dict[int, Any] = {}
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()
            with self.path.open(encoding="utf-8") as lines:
                self.results = dict(json.loads(line) for line in lines if line.endswith("\n"))

    def add(self, seed: int, found: object) -> None:
        self.results[seed] = found
        if self.path:
            with self.path.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps([seed, found]) + "\n")


def _digest(once: Callable[[int], object]) -> str:
    """Hash a function with its arguments, and the sources that its results depend on."""
    digest = hashlib.sha256(_text(once).encode())
    package, here = Path(assonance.__path__[0]), Path(__file__).parent
    folders = [
        here,
        *(package / name for name in ("inference", "measures", "scoring", "statistics")),
    ]
    for source in sorted(path for folder in folders for path in folder.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:20]


def _text(once: object) -> str:
    if isinstance(once, partial):
        parts = *map(_text, once.args), *(f"{k}={_text(v)}" for k, v in once.keywords.items())
        return f"{_text(once.func)}({', '.join(parts)})"
    return getattr(once, "__qualname__", None) or repr(once)


@cache
def _pool() -> ProcessPoolExecutor:
    """Start the processes that all simulations share: starting takes longer than some of them."""
    context = get_context("spawn")  # threads of torch do not bear a fork
    return ProcessPoolExecutor(len(os.sched_getaffinity(0)), context, _on_one_core)


def _at(
    once: Callable[[int, int], Mapping[str, Found]], size: int, seed: int
) -> Mapping[str, Found]:
    return once(seed, size)


def _on_one_core() -> None:
    import torch

    torch.set_num_threads(1)
