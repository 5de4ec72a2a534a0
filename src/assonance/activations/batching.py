"""Batches for an accelerator: alike in length, read ahead, written behind."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


Read = TypeVar("Read")


Computed = TypeVar("Computed")


Written = TypeVar("Written")


_WORKERS = 4


_AHEAD = 3  # batches that are read, or not yet written, while one is computed


def alike(items: Sequence[T], length: Callable[[T], float], most: float) -> list[list[T]]:
    """Share items out to batches of like lengths, the longest first.

    A batch depends on the items alone, not on what was done before, so that a run that is taken up
    again computes the same batches.

    Parameters
    ----------
    items
        To share out.
    length
        Length of an item.
    most
        What a batch may hold, counting each item as long as the longest; one item always fits.

    Returns
    -------
    list of list
        Each item once; items of one length in their order.
    """
    batches: list[list[T]] = []
    for item in sorted(items, key=length, reverse=True):
        if batches and (len(batches[-1]) + 1) * length(batches[-1][0]) <= most:
            batches[-1].append(item)
        else:
            batches.append([item])
    return batches


def overlapped(
    items: Sequence[T],
    read: Callable[[T], Read],
    compute: Callable[[Read], Computed],
    write: Callable[[Computed], Written],
) -> Iterator[Written]:
    """Read, compute and write, one item after the other, but for waiting.

    Parameters
    ----------
    items
        What to go through.
    read, write
        Called from threads of their own, some items ahead and behind.
    compute
        Called from this thread.

    Yields
    ------
    What `write` gives, in the order of the items. An exception of any of the three comes out here.
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
