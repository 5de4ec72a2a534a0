"""Files that are whole or not there, under names that are safe."""

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from assonance.errors import AssonanceError, error_text, printable

# What a file system answers when there is no room: on the disk, in a quota, under a limit of size.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_together(contents: Mapping[Path, bytes | memoryview]) -> None:
    """Write files of which none is put in place before all of them are on the disk.

    Each is written under a temporary name and flushed; then all are renamed.

    Parameters
    ----------
    contents
        By the files' own names; folders are made where there are none.

    Raises
    ------
    AssonanceError
        One cannot be written. Files of these names stay as they were, and no temporary one is left.
    """
    partials = {path: path.with_name(f"{path.name}.{os.getpid()}.tmp") for path in contents}
    try:
        for path, partial in partials.items():
            with _explained(path, memoryview(contents[path]).nbytes):
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                path.parent.mkdir(parents=True, exist_ok=True)
                with partial.open("wb") as file:
                    file.write(contents[path])
                    file.flush()
                    os.fsync(file.fileno())
        for path, partial in partials.items():
            with _explained(path, memoryview(contents[path]).nbytes):
                partial.replace(path)
    finally:
        for partial in partials.values():
            with suppress(OSError):
                partial.unlink()


def write_text(path: Path, text: str) -> None:
    """Write text as `encoded`, in one step.

    Raises
    ------
    AssonanceError
        It cannot be written.
    """
    write_together({path: encoded(text)})


def encoded(text: str) -> bytes:
    """Encode text as UTF-8, with escapes for what UTF-8 cannot hold."""
    # Undecodable bytes of a path, in a note or a setting, cost no file.
    return text.encode("utf-8", "backslashreplace")


@contextmanager
def _explained(path: Path, size: int) -> Iterator[None]:
    """Say in one line why a file of so many bytes cannot be written, and what to do."""
    try:
        yield
    except OSError as error:
        what = f"{printable(path)}: cannot be written: {error_text(error)}"
        if error.errno in _NO_ROOM:
            raise AssonanceError(
                f"{what}; it needs {size} bytes: make room, and the same command goes on"
            ) from error
        raise AssonanceError(f"{what}; name another place") from error


def slug(name: str) -> str:
    """Make a name safe as a part of a path."""
    return re.sub(r"[^\w.-]+", "_", name)[:60]
