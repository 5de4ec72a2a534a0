"""Let one process at a time write into a folder."""

import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from assonance.errors import AssonanceError, error_text, printable
from assonance.utils.files import is_folder

try:
    import fcntl
except ImportError:  # a system without such locks; nothing is locked
    fcntl = None  # type: ignore[assignment]

LOCK = "run.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which ends with the process, however that ends.

    The lock file names the process, its machine and its command.

    Parameters
    ----------
    folder
        The folder; made if there is none, and then removed at the end if nothing is in it.

    Raises
    ------
    AssonanceError
        Another process holds the lock, or may hold it on another machine; or the file cannot be
        written.
    """
    if fcntl is None:
        yield
        return
    path = folder / LOCK
    made = not is_folder(folder)
    with suppress(OSError):  # what cannot be made cannot be locked, which names it
        folder.mkdir(parents=True, exist_ok=True)
    descriptor = _acquire(path)
    try:
        _check_machine(path, descriptor)
        about = {
            "process": os.getpid(),
            "machine": socket.gethostname(),
            "since": datetime.now().astimezone().isoformat(timespec="seconds"),
            "command": command_line(),
        }
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(about).encode(), 0)
            os.fsync(descriptor)
        except OSError as error:
            raise AssonanceError(
                f"{printable(path)}: cannot be written: {error_text(error)}"
            ) from error
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()
                if made:
                    folder.rmdir()  # only if it is empty
    finally:
        os.close(descriptor)


def refuse_locked(folder: Path) -> None:
    """Check that no other process holds the lock of a folder, without taking it.

    Raises
    ------
    AssonanceError
        One does.
    """
    if fcntl is None:
        return
    with suppress(OSError):
        descriptor = os.open(folder / LOCK, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _held(folder / LOCK) from None
        finally:
            os.close(descriptor)


def command_line() -> str:
    """Return the command that this process was started with, as one types it."""
    program, *rest = sys.argv
    name = Path(program).name
    started = ["python", "-m", "assonance"] if name == "__main__.py" else [name]
    return shlex.join([*started, *rest])


def _acquire(path: Path) -> int:
    """Open the lock file and lock it."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise AssonanceError(
                f"{printable(path.parent)}: cannot be written: {error_text(error)}; "
                "name another folder with --out"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise _held(path) from None
        except OSError as error:
            os.close(descriptor)
            raise AssonanceError(
                f"{printable(path)}: cannot be locked: {error_text(error)}; "
                "name a folder on another disk with --out"
            ) from error
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)  # the process that held it has removed the file since


def _check_machine(path: Path, descriptor: int) -> None:
    """Check that what a process left was not written on another machine.

    Not every file system shares its locks between machines.
    """
    about = _read(path)
    if about and about.get("machine") != socket.gethostname():
        raise AssonanceError(
            f"{printable(path.parent)}: {_described(about)} may still write here; "
            f"if it has ended, remove {printable(path)}"
        )


def _held(path: Path) -> AssonanceError:
    return AssonanceError(
        f"{printable(path.parent)}: {_described(_read(path))} writes here; "
        "wait for it, or name another folder with --out"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _described(about: dict[str, Any]) -> str:
    """Name a process by its number, machine, start and command."""
    if not about:
        return "another process"
    process, machine, since, command = (
        printable(str(about.get(key, "?"))) for key in ("process", "machine", "since", "command")
    )
    return f"process {process} on {machine}, running since {since} ({command}),"
