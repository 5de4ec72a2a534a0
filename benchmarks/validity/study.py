"""Repetitions of a simulation on all cores, and what they say of intervals."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from typing import TypeVar

import pandas as pd

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
        plain = (part["low"] + moved <= truth) & (truth <= part["high"] + moved)
        rows.append(
            {
                "measure": name,
                "truth": truth,
                "bias, plain": part["value"].mean() - truth,
                "bias, corrected": part["estimate"].mean() - truth,
                "coverage, plain": plain.mean(),
                "coverage": ((part["low"] <= truth) & (truth <= part["high"])).mean(),
                "width": (part["high"] - part["low"]).mean(),
            }
        )
    return pd.DataFrame(rows).set_index("measure")


def repeat(once: Callable[[int], Once], repetitions: int) -> list[Once]:
    """Call a function with 0, 1, 2, …, one process a core."""
    return list(_pool().map(once, range(repetitions), chunksize=max(1, repetitions // 40)))


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
