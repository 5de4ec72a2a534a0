"""Measure how long work takes, and divide it among what it consists of."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import nnls

from assonance.utils.cores import cores


def clock(device: str) -> Callable[[], float]:
    """Return a clock of which differences are what work takes when nothing else uses the machine.

    On processor cores that is the time of all cores that the process used, divided by their number:
    other programs do not lengthen it. Work is taken to keep the cores of `worker_pool` busy. On an
    accelerator it is the time on the clock.

    Parameters
    ----------
    device
        Torch device that the work is computed on.

    Returns
    -------
    callable
        Returns seconds.
    """
    if device.startswith("cpu"):
        count = cores()
        return lambda: time.process_time() / count
    import torch

    def now() -> float:
        torch.accelerator.synchronize()
        return time.perf_counter()

    return now


def seconds_of(work: Callable[[], Any], device: str) -> float:
    """Run work, and return the seconds that it takes; see `clock`."""
    now = clock(device)
    started = now()
    work()
    return now() - started


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
