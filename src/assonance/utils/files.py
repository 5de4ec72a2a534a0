"""Files that are whole or not there, under names that are safe."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from assonance.errors import AssonanceError, error_text, printable


@contextmanager
def put_in_place(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name to write to; what was written takes its place in one step.

    Parameters
    ----------
    path
        The file's own name; its folder is made where there is none.

    Raises
    ------
    AssonanceError
        It cannot be written; nothing is left behind.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as error:
        raise AssonanceError(
            f"{printable(path)}: cannot be written: {error_text(error)}; name another place"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8 in one step; what UTF-8 cannot hold is escaped.

    Raises
    ------
    AssonanceError
        It cannot be written.
    """
    # Undecodable bytes of a path, in a note or a setting, cost no file.
    with put_in_place(path) as partial:
        partial.write_bytes(text.encode("utf-8", "backslashreplace"))


def slug(name: str) -> str:
    """Make a name safe as a part of a path."""
    return re.sub(r"[^\w.-]+", "_", name)[:60]
