"""Write files atomically, and make names safe for paths."""

import errno
import json
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from assonance.errors import AssonanceError, error_text, printable

# Error numbers for lack of room: on the disk, in a quota, or under a limit on file sizes.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_together(contents: Mapping[Path, bytes | memoryview]) -> None:
    """Write several files atomically: all temporary files are flushed before any is renamed.

    Parameters
    ----------
    contents
        Content by path. Missing folders are created.

    Raises
    ------
    AssonanceError
        A file cannot be written. Existing files stay as they were, and no temporary file is left.
    """
    with _flushed(contents) as partials:
        for path, partial in partials.items():
            with _explained(path, memoryview(contents[path]).nbytes):
                partial.replace(path)
    for folder in {path.parent for path in contents}:
        _sync_names(folder)


def replace_together(
    contents: Mapping[Path, bytes | memoryview], removed: Iterable[Path], journal: Path
) -> None:
    """Write several files and remove others, all or none of it, even if the process is killed.

    Parameters
    ----------
    contents, removed
        Content by path, and files to remove; all in one folder.
    journal
        File in this folder that lists the changes while they are made. After a kill,
        `finish_replacing` makes the rest of them.

    Raises
    ------
    AssonanceError
        A file cannot be written. Then nothing has changed.
    """
    with _flushed(contents) as partials:
        renames = [[partial.name, path.name] for path, partial in partials.items()]
        record = {"rename": renames, "remove": [path.name for path in removed]}
        write_together({journal: json.dumps(record).encode()})
        partials.clear()  # from here on they belong to the journal
    finish_replacing(journal)


def finish_replacing(journal: Path) -> None:
    """Make the changes that a journal lists, if there is one; see `replace_together`.

    Raises
    ------
    AssonanceError
        A file cannot be renamed or removed, or the journal is none.
    """
    try:
        record = json.loads(journal.read_bytes())
        names = [name for pair in record["rename"] for name in pair] + record["remove"]
        if any(Path(name).name != name for name in names):
            raise ValueError("a name with a folder")
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise AssonanceError(
            f"{printable(journal)}: not a list of files to replace; remove it"
        ) from error
    with _explained(journal.parent, 0):
        for partial, name in record["rename"]:
            if journal.with_name(partial).exists():
                journal.with_name(partial).replace(journal.with_name(name))
        for name in record["remove"]:
            journal.with_name(name).unlink(missing_ok=True)
        _sync_names(journal.parent)
        journal.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8.

    Raises
    ------
    AssonanceError
        The file cannot be written.
    """
    write_together({path: encoded(text)})


def encoded(text: str) -> bytes:
    """Encode text as UTF-8; characters that UTF-8 cannot represent are escaped."""
    # A path with undecodable bytes, in a note or a setting, must not prevent writing.
    return text.encode("utf-8", "backslashreplace")


@contextmanager
def _flushed(contents: Mapping[Path, bytes | memoryview]) -> Iterator[dict[Path, Path]]:
    """Write and flush a temporary file for each path, and remove those left at the end."""
    # Processes of several machines may have one number.
    mark = f"{os.getpid()}-{secrets.token_hex(4)}"
    partials = {path: path.with_name(f"{path.name}.{mark}.tmp") for path in contents}
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
        yield partials
    finally:
        for partial in partials.values():
            with suppress(OSError):
                partial.unlink()


def _sync_names(folder: Path) -> None:
    """Flush the names in a folder, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


@contextmanager
def _explained(path: Path, size: int) -> Iterator[None]:
    """Raise a one-line error if a file of this size cannot be written, with the remedy."""
    try:
        yield
    except OSError as error:
        what = f"{printable(path)}: cannot be written: {error_text(error)}"
        if error.errno in NO_ROOM:
            raise AssonanceError(
                f"{what}; it needs {size} bytes: make room, and the same command goes on"
            ) from error
        raise AssonanceError(f"{what}; name another place") from error


def exists(path: str | os.PathLike[str]) -> bool:
    """Return whether there is such a file or folder; False for what cannot be a path.

    `Path.exists` raises an error for a name that is too long, or in a folder that is closed.
    """
    return os.path.exists(path)  # noqa: PTH110


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether there is such a folder; see `exists`."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: str | os.PathLike[str]) -> bool:
    """Return whether there is such a file; see `exists`."""
    return os.path.isfile(path)  # noqa: PTH113


def size_of_regular(path: Path) -> int:
    """Return the size of a file in bytes; refuse what is no file, such as a pipe, which may hang.

    Raises
    ------
    OSError, ValueError
        There is no such file, or it is not a regular one.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("is not a regular file")
    return status.st_size


def slug(name: str) -> str:
    """Return a name that is safe as part of a path."""
    return re.sub(r"[^\w.-]+", "_", name)[:60]
