"""Hold the files of a checkpoint, wherever they are, and read the small ones."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from assonance.errors import AssonanceError, error_text, printable
from assonance.utils.progress import Progress, Silent

POINTER = b"version https://git-lfs.github.com"
_SILENT = Silent()


@dataclass(frozen=True)
class StoredFile:
    """A file of a checkpoint.

    Attributes
    ----------
    name
        Path within the checkpoint.
    size
        Bytes.
    sha256
        SHA-256 of the content in hexadecimal digits, where the hub states it.
    """

    name: str
    size: int
    sha256: str | None = None


class Files(Protocol):
    """The files of a checkpoint, wherever they are."""

    @property
    def where(self) -> str:
        """Folder, file or hub id, as messages name it."""
        ...

    @property
    def name(self) -> str:
        """Short name of the model."""
        ...

    @property
    def files(self) -> Mapping[str, StoredFile]:
        """Files by their name."""
        ...

    def missing(self, names: Iterable[str]) -> list[StoredFile]:
        """Return the files that must be downloaded before they can be read."""
        ...

    def fetch(self, names: Iterable[str], progress: Progress = _SILENT) -> Path:
        """Return a folder that holds the files with these names, downloaded where needed.

        Raises
        ------
        AssonanceError
            A file cannot be had.
        """
        ...


@dataclass(frozen=True)
class LocalFiles:
    """Files in a folder of this machine, all of them or a single one.

    Attributes
    ----------
    folder
        The folder.
    only
        Name of the single file that was given, or None.
    """

    folder: Path
    only: str | None = None

    @property
    def where(self) -> str:
        """Path, as messages name it."""
        return printable(self.folder / self.only if self.only else self.folder)

    @property
    def name(self) -> str:
        """Name of the folder, or of the single file without its suffix."""
        if self.only:
            return Path(self.only).stem
        return Path(os.path.abspath(self.folder)).name  # noqa: PTH100 - keep links' names

    @cached_property
    def files(self) -> Mapping[str, StoredFile]:
        """Files by their name."""
        try:
            paths = [self.folder / self.only] if self.only else list(self.folder.iterdir())
            return {
                each.name: StoredFile(each.name, each.stat().st_size)
                for each in sorted(paths)
                if each.is_file()
            }
        except OSError as error:
            raise AssonanceError(
                f"{self.where}: cannot be read ({error_text(error)}); check its permissions"
            ) from error

    def missing(self, names: Iterable[str]) -> list[StoredFile]:
        """Return an empty list: nothing is downloaded."""
        return []

    def fetch(self, names: Iterable[str], progress: Progress = _SILENT) -> Path:
        """Return the folder."""
        return self.folder


def place(files: Files, name: str) -> str:
    """Return how messages name one of the files of a checkpoint."""
    single = isinstance(files, LocalFiles) and files.only == name
    return files.where if single else f"{files.where}/{name}"


def read_json(folder: Path, name: str, where: str) -> dict[str, Any]:
    """Read a JSON object.

    Parameters
    ----------
    folder, name
        The folder and the name of the file.
    where
        How messages name the checkpoint.

    Raises
    ------
    AssonanceError
        The file cannot be read, or holds no object.
    """
    refuse_pointer(folder / name, f"{where}/{name}")
    try:
        content = json.loads((folder / name).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise AssonanceError(
            f"{where}/{name}: cannot be read as JSON ({error_text(error)[:200]}); "
            "get a complete copy"
        ) from error
    if not isinstance(content, dict):
        raise AssonanceError(f"{where}/{name}: not a JSON object; get a complete copy")
    return content


def refuse_pointer(path: Path, where: str) -> None:
    """Refuse a file that holds only the address of the content in git's large file storage.

    Raises
    ------
    AssonanceError
        The file is such a pointer.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(POINTER))
    except OSError:
        return  # reported by whoever reads the content
    if start == POINTER:
        raise AssonanceError(
            f"{where}: holds only the address of the real file; run git lfs pull in its folder"
        )
