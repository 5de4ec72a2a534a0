"""Report progress: named stages with a known amount of work, silent by default."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """A receiver of progress, such as the bars of the command line."""

    def stage(self, name: str, total: float) -> AbstractContextManager[Callable[[float], None]]:
        """Open a stage of `total` units of work and yield the function that advances it."""
        ...


class Silent:
    """A `Progress` that shows nothing, the default of library calls."""

    @contextmanager
    def stage(self, name: str, total: float) -> Iterator[Callable[[float], None]]:
        """Open a stage that is not shown."""
        yield lambda units: None
