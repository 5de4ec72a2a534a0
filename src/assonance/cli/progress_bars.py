"""Show progress: one bar for each stage in a terminal, one line for each stage elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class Bars:
    """Progress bars on standard error; standard output holds only results."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, emoji=False)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    @contextmanager
    def stage(self, name: str, total: float) -> Iterator[Callable[[float], None]]:
        """Show a stage until its context ends."""
        started = time.perf_counter()
        task = self._bars.add_task(name, total=total)
        yield lambda units: self._bars.advance(task, units)
        self._bars.update(task, completed=total)
        if not self._console.is_terminal:
            taken = time.perf_counter() - started
            self._console.print(f"{name}: done in {taken:.0f} s", markup=False, soft_wrap=True)
