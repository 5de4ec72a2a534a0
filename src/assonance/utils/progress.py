"""Report progress: named stages with a known amount of work, silent by default."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """A receiver of progress, such as the bars of the command line."""

    def stage(
        self, name: str, total: float, *, unit: str = ""
    ) -> AbstractContextManager[Callable[[float], None]]:
        """Open a stage of `total` units of work and yield the function that advances it.

        The unit "bytes" marks a transfer, whose amount and rate people want to see.
        """
        ...

    def announce(self, text: str) -> None:
        """Show a line, such as what will be downloaded."""
        ...


class Silent:
    """A `Progress` that shows nothing, the default of library calls."""

    @contextmanager
    def stage(
        self, name: str, total: float, *, unit: str = ""
    ) -> Iterator[Callable[[float], None]]:
        """Open a stage that is not shown."""
        yield lambda units: None

    def announce(self, text: str) -> None:
        """Show nothing."""
