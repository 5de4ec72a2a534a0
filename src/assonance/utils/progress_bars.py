"""Show progress: one bar for each stage in a terminal, lines of text elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from assonance.errors import one_line
from assonance.utils.memory import format_bytes

_BYTES = "bytes"
# Without a terminal, seconds between two lines of a stage in bytes.
_PAUSE = 60


class _Name(ProgressColumn):
    """The name of a stage, cut short where the terminal is narrow, so that the numbers stay."""

    def render(self, task: Task) -> Text:
        """Return the column of one stage."""
        return Text(one_line(task.description), no_wrap=True, overflow="ellipsis")


class _Amount(TaskProgressColumn):
    """The share that is done; of a stage in bytes, how many there are and their rate."""

    def render(self, task: Task) -> Text:
        """Return the column of one stage."""
        if task.fields["unit"] != _BYTES:
            return super().render(task)
        rate = f" {format_bytes(task.speed)}/s" if task.speed else ""
        total = format_bytes(task.total or 0)
        return Text(f"{format_bytes(task.completed)} of {total}{rate}", style="progress.percentage")


class Bars:
    """Progress bars on standard error; standard output holds only results."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, emoji=False)
        self._bars = Progress(
            _Name(),
            BarColumn(bar_width=15),
            _Amount(),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
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
    def stage(
        self, name: str, total: float, *, unit: str = ""
    ) -> Iterator[Callable[[float], None]]:
        """Show a stage until its context ends."""
        if not self._console.is_terminal:
            with self._lines(name, total, unit) as advance:
                yield advance
            return
        task = self._bars.add_task(name, total=total, unit=unit)
        yield lambda units: self._bars.advance(task, units)
        self._bars.update(task, completed=total)

    def announce(self, text: str) -> None:
        """Print a line."""
        self._print(text)

    @contextmanager
    def _lines(self, name: str, total: float, unit: str) -> Iterator[Callable[[float], None]]:
        """Print the end of a stage and, once a minute, how far it is; of bytes also the start."""
        started = said = time.perf_counter()
        done = 0.0

        def advance(units: float) -> None:
            nonlocal done, said
            done += units
            now = time.perf_counter()
            if now - said >= _PAUSE:
                said = now
                self._print(f"{name}: {_so_far(done, total, now - started, unit)}")

        if unit == _BYTES:
            self._print(f"{name} …")
        yield advance
        self._print(f"{name}: done in {time.perf_counter() - started:.0f} s")

    def _print(self, line: str) -> None:
        self._console.print(one_line(line), markup=False, soft_wrap=True)


def _so_far(done: float, total: float, seconds: float, unit: str) -> str:
    """Return how far a stage is: its share, or bytes and rate; and the time left."""
    rate = done / seconds
    if unit == _BYTES:
        words = f"{format_bytes(done)}, {format_bytes(rate)}/s"
    else:
        words = f"{done / total:.0%}"
    if rate <= 0:
        return words
    left = (total - done) / rate
    return f"{words}, {left / 60:.0f} min left" if left >= 90 else f"{words}, {left:.0f} s left"
