"""Work shared out to cores: several pieces at once, each computed on one core.

A library that spreads one piece over the cores makes them wait for each other at every step. That
costs more than it saves where steps are small, costs dearly where another program is busy, and
lets sums depend on the number of cores. Whole pieces do none of this.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

# As the built-in `map`: results come in the order of the items.
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


@contextmanager
def worker_pool() -> Iterator[Map]:
    """Open as many workers as torch has threads; the context gives a `map` that uses them.

    Work not begun is dropped when the context is left early. Within it, torch computes on one
    thread everywhere; what the functions call must bear being called from several threads.
    """
    import torch  # late: a corpus can be read without it

    workers = torch.get_num_threads()
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
