"""How long work tells where it is: named stages, counted, silent unless someone listens."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Whoever shows progress: the command line's bars, a notebook, or nobody."""

    def stage(self, name: str, total: float) -> AbstractContextManager[Callable[[float], None]]:
        """Open a stage of `total` units of work; the context gives the function to advance it."""
        ...


class Silent:
    """The progress of a library call: nothing is shown."""

    @contextmanager
    def stage(self, name: str, total: float) -> Iterator[Callable[[float], None]]:
        """Open a stage that nobody sees."""
        yield lambda units: None
