"""Form batches of similar length for an accelerator, and overlap reading and writing."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from assonance.models import SpeechModel, runs_batches

T = TypeVar("T")
Read = TypeVar("Read")
Computed = TypeVar("Computed")
Written = TypeVar("Written")
_WORKERS = 4
_ON_ACCELERATOR = 100.0  # seconds of speech in a batch: a few GB for a large model
_AHEAD = 3  # batches read ahead, or waiting to be written, while one is computed


def default_seconds(model: SpeechModel) -> float:
    """Return the seconds of speech in a batch of a model; 0 if it runs one utterance at a time."""
    return _ON_ACCELERATOR if runs_batches(model) and model.device != "cpu" else 0


def batches_by_length(
    items: Sequence[T], length: Callable[[T], float], most: float
) -> list[list[T]]:
    """Form batches of items of similar length, the longest first.

    Batches depend only on the items, so a run that was interrupted and resumed uses the same ones.

    Parameters
    ----------
    items
        Items to batch.
    length
        Returns the length of an item.
    most
        Maximum length of a batch, counting every item as long as the longest. A single item always
        fits.

    Returns
    -------
    list of list
        Every item once; items of the same length keep their order.
    """
    batches: list[list[T]] = []
    for item in sorted(items, key=length, reverse=True):
        if batches and (len(batches[-1]) + 1) * length(batches[-1][0]) <= most:
            batches[-1].append(item)
        else:
            batches.append([item])
    return batches


def pipeline(
    items: Sequence[T],
    read: Callable[[T], Read],
    compute: Callable[[Read], Computed],
    write: Callable[[Computed], Written],
) -> Iterator[Written]:
    """Read, compute and write items in order, with reading and writing in background threads.

    Parameters
    ----------
    items
        Items to process.
    read, write
        Called in background threads, some items before and after the current one.
    compute
        Called in this thread.

    Yields
    ------
    Results of `write`, in the order of the items. An exception in any function is raised here.
    """
    with ThreadPoolExecutor(_WORKERS) as pool:
        reading: deque[Future[Read]] = deque(pool.submit(read, item) for item in items[:_AHEAD])
        writing: deque[Future[Written]] = deque()
        try:
            for place in range(len(items)):
                if place + _AHEAD < len(items):
                    reading.append(pool.submit(read, items[place + _AHEAD]))
                writing.append(pool.submit(write, compute(reading.popleft().result())))
                if len(writing) > _AHEAD:
                    yield writing.popleft().result()
            while writing:
                yield writing.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
