"""Leave within two seconds when a run is stopped, with a line that says how it goes on."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from assonance.errors import one_line
from assonance.utils.lock import command_line
from assonance.utils.temporary import remove_temporary_folders

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM") if hasattr(signal, name))
_PATIENCE = 1.5  # seconds that the program has to leave by itself


class Interrupted(BaseException):
    """The run is to stop. No library takes this for an error of its own."""


def leaving_soon(program: Callable[[], None]) -> None:
    """Run a program that Ctrl-C or SIGTERM stops: by an exception and, if that takes long, at once.

    Work on other threads, or in a library, can take longer than anyone wants to wait. Every file is
    written whole or not at all, so leaving at any moment loses only what is in work.
    """
    if threading.current_thread() is not threading.main_thread():
        program()
        return
    stopped: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if not stopped:
            stopped.append(number)
            raise Interrupted

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()
    # The number of a signal is written to the pipe at once, even while the main thread is busy.
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    earlier = {number: signal.getsignal(number) for number in _SIGNALS}
    try:  # from here on, a signal raises
        for number in _SIGNALS:
            signal.signal(number, stop)
        program()
    except BaseException:
        if stopped:
            _leave(stopped[0])
        raise
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)
        os.close(writer)  # ends the watch


def _watch(reader: int) -> None:
    """Leave some time after the first signal, if the program has not."""
    while numbers := os.read(reader, 1):  # nothing when the other end is closed
        if numbers[0] in _SIGNALS:
            time.sleep(_PATIENCE)
            _leave(numbers[0])
    os.close(reader)


_leaving = threading.Lock()


def _leave(number: int) -> None:
    """Say how the run goes on, and end the process."""
    if not _leaving.acquire(blocking=False):
        time.sleep(60)  # another thread is leaving
    with suppress(OSError):
        show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
        line = f"interrupted; the same command goes on from here: {command_line()}"
        os.write(2, f"{show_cursor}{one_line(line)}\n".encode(errors="replace"))
    remove_temporary_folders()
    os._exit(128 + number)
