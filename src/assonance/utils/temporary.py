"""Make temporary folders that are removed however the program ends, but by SIGKILL."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_folders: set[Path] = set()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a temporary folder and remove it at the end of the context."""
    with tempfile.TemporaryDirectory(prefix="assonance-", ignore_cleanup_errors=True) as name:
        _folders.add(Path(name))
        try:
            yield Path(name)
        finally:
            _folders.discard(Path(name))


def remove_temporary_folders() -> None:
    """Remove all temporary folders of this process, which is about to end."""
    for folder in [*_folders]:
        shutil.rmtree(folder, ignore_errors=True)
