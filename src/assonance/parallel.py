"""Work shared out to cores: several pieces at once, each computed on one core.

A library that spreads one piece over the cores makes them wait for each other at every step. That
costs more than it saves where steps are small, costs dearly where another program is busy, and
lets sums depend on the number of cores. Whole pieces do none of this.
"""

import ctypes
import os
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

# As the built-in `map`: results come in the order of the items.
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


@contextmanager
def on_cores() -> Iterator[Map]:
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


def give_back() -> None:
    """Hand freed memory back to the system, where the C library can and would keep it.

    It keeps what several threads freed apart from each other, gigabytes of what came in small
    pieces, and a run would take the more the longer it lasts.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


class Scratch:
    """Memory that is used again: getting a large block costs more than filling it."""

    def __init__(self) -> None:
        self._blocks: dict[Hashable, Tensor] = {}

    def like(self, values: "Tensor", *shape: int, key: Hashable = None) -> "Tensor":
        """Give a matrix to write into, of the type and device of another.

        Parameters
        ----------
        values
            What it is to be like.
        shape
            Its shape.
        key
            Whose it is: it is written over when the same is asked for again. The calling thread's
            by default.
        """
        key = (get_ident() if key is None else key), values.dtype, values.device
        block = self._blocks.get(key)
        if block is None or block.numel() < shape[0] * shape[1]:
            self._blocks[key] = block = values.new_empty(shape[0] * shape[1])
        return block[: shape[0] * shape[1]].view(shape)
