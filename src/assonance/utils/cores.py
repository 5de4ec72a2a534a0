"""Run independent work items in parallel, each on one processor core.

The alternative, a library that spreads a single item over all cores, makes the cores wait for each
other at every step. That is slow where steps are small and very slow when another program uses the
machine. It also makes sums depend on the number of cores. One core an item avoids all three.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

# Like the built-in `map`: results come in the order of the items.
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


def cores() -> int:
    """Return the number of worker threads of `worker_pool`."""
    import torch  # not at the top: a corpus can be read without torch

    return torch.get_num_threads()


@contextmanager
def worker_pool() -> Iterator[Map]:
    """Open a pool with as many worker threads as torch uses, and yield its `map`.

    Inside the context torch computes on one thread. Leaving it early cancels items that have not
    started. With one thread the built-in `map` is yielded.

    Yields
    ------
    callable
        Called as ``pool_map(function, items)``. `function` must be safe to call from several
        threads.
    """
    import torch

    workers = cores()
    if workers == 1:
        yield map
        return
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    torch.set_num_threads(1)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(workers)


def few_ahead(
    pool_map: Map, function: Callable[[Any], Any], items: Iterable[Any], most: int
) -> Iterator[Any]:
    """Yield results in the order of the items, with few that wait to be taken.

    A `Map` begins all items at once. Where one takes long, all later results wait for it, and large
    ones fill the memory.

    Parameters
    ----------
    pool_map
        Computes the results.
    function, items
        As for `map`.
    most
        Number of results that are being computed or wait, at most; one at least.
    """
    begun: deque[Iterator[Any]] = deque()
    for item in items:
        if len(begun) == most:
            yield next(begun.popleft())
        begun.append(pool_map(function, [item]))
    while begun:
        yield next(begun.popleft())
