"""Measure how long work takes, and divide it among what it consists of."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import nnls

from assonance.utils.cores import cores


def seconds_of(work: Callable[[], Any], device: str) -> float:
    """Run work, and return the time that it takes when nothing else uses the machine.

    On processor cores that is the time of all cores that the process used, divided by their number:
    other programs do not lengthen it. On an accelerator it is the time on the clock.

    Parameters
    ----------
    work
        Work that keeps the cores of `worker_pool` busy when there is enough of it.
    device
        Torch device that it computes on.

    Returns
    -------
    float
        Seconds.
    """
    if device.startswith("cpu"):
        started = time.process_time()
        work()
        return (time.process_time() - started) / cores()
    import torch

    torch.accelerator.synchronize()
    started = time.perf_counter()
    work()
    torch.accelerator.synchronize()
    return time.perf_counter() - started


def fit_costs(counts: Sequence[Sequence[float]], seconds: Sequence[float]) -> list[float]:
    """Return the costs, none below 0, with which counts add up to the times measured.

    Parameters
    ----------
    counts
        For each measurement, how often it incurred each cost.
    seconds
        The time of each measurement, of which errors are taken as relative.

    Returns
    -------
    list of float
        Seconds of each cost; 0 for one that was never incurred.

    Examples
    --------
    >>> [round(cost, 6) for cost in fit_costs([[1, 1, 0], [1, 3, 0]], [3.0, 7.0])]
    [1.0, 2.0, 0.0]
    """
    incurred, taken = np.array(counts, float), np.maximum(np.array(seconds, float), 1e-9)
    largest = np.maximum(incurred.max(axis=0), 1e-300)
    found, _ = nnls(incurred / largest / taken[:, None], np.ones(len(taken)))
    costs: list[float] = (found / largest).tolist()
    return costs
