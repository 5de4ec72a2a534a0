"""Write files atomically, and make names safe for paths."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from assonance.errors import AssonanceError, error_text, printable


@contextmanager
def put_in_place(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file atomically: yield a temporary path, then rename it into place.

    Parameters
    ----------
    path
        Final path of the file. Missing folders are created.

    Yields
    ------
    Path
        Temporary path in the same folder, to write to.

    Raises
    ------
    AssonanceError
        The file cannot be written. The temporary file is removed.
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
    """Write text as UTF-8 atomically, escaping what UTF-8 cannot encode.

    Raises
    ------
    AssonanceError
        The file cannot be written.
    """
    # A path with undecodable bytes, quoted in a note or a setting, must not make writing fail.
    with put_in_place(path) as partial:
        partial.write_bytes(text.encode("utf-8", "backslashreplace"))


def slug(name: str) -> str:
    """Return a name with unsafe characters replaced by ``_``, at most 60 characters long."""
    return re.sub(r"[^\w.-]+", "_", name)[:60]
