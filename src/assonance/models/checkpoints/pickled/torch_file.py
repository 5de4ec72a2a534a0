"""Open the files that torch.save writes: which tensors they hold, and where their bytes lie."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from assonance.errors import AssonanceError, error_text, printable
from assonance.models.checkpoints.files import POINTER
from assonance.models.checkpoints.pickled import legacy_form, zip_form
from assonance.models.checkpoints.pickled.stored import GET_AGAIN, Place, Refused

_FIRST_BYTES = 512


@dataclass(frozen=True)
class Stamp:
    """What changes when a file does.

    Attributes
    ----------
    size
        In bytes.
    mtime_ns, inode
        Time of the last change in ns, and number in the file system.
    """

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True)
class TorchFile:
    """What a file of torch.save holds.

    Attributes
    ----------
    path
        The file.
    stamp
        Its state when it was opened.
    content
        A tree of dict, list, tuple, str, numbers, None, `StoredTensor` and `Record`.
    places
        Where the bytes of each storage lie, by key.
    """

    path: Path
    stamp: Stamp
    content: Any
    places: Mapping[str, Place]


def open_torch_file(path: Path, where: str = "") -> TorchFile:
    """Read what a file of torch.save holds, without its numbers, and without running any of it.

    Parameters
    ----------
    path
        A file in the zip form or the older form of torch.save.
    where
        How messages name the file; its path by default.

    Returns
    -------
    TorchFile
        Content whose every tensor lies within the file.

    Raises
    ------
    AssonanceError
        It is another kind of file, is damaged, or holds more than tensors and plain settings.
    """
    with refusals_named(where or printable(path)), opened(path) as file:
        first = file.read(_FIRST_BYTES)
        stamp = stamp_of(file)
        file.seek(0)
        if first.startswith(b"PK"):
            content, places = zip_form.read(file, stamp.size)
        elif first.startswith(b"\x80"):
            content, places = legacy_form.read(file, stamp.size)
        else:
            raise Refused(_other_kind(first))
        return TorchFile(path, stamp, content, places)


def stamp_of(file: BufferedReader) -> Stamp:
    """Return what changes when an open file does."""
    found = os.fstat(file.fileno())
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino)


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file for reading, or refuse it in one line."""
    try:
        # Opening a pipe would wait for its other end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise Refused("is not a file; name the file of the weights")
        file = path.open("rb")
    except OSError as error:
        raise Refused(f"cannot be read: {error_text(error)}; check the path") from error
    with file:
        yield file


@contextmanager
def refusals_named(where: str) -> Iterator[None]:
    """Turn a refusal into a one-line error that names the file."""
    try:
        yield
    except Refused as reason:
        raise AssonanceError(f"{where}: {reason}") from reason


def _other_kind(first: bytes) -> str:
    """Explain what a file is that torch.save did not write, from its first bytes."""
    text = first.lstrip().lower()
    if not first:
        return f"is empty; {GET_AGAIN}"
    if first.startswith(POINTER):
        return "is a Git LFS pointer, not the weights; run git lfs pull"
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return f"is a web page, not the weights; {GET_AGAIN}"
    if first[257:262] == b"ustar":
        return "is a tar archive; unpack it and name the file of the weights in it"
    if first.startswith(b"\x1f\x8b"):
        return "is compressed by gzip; unpack it first"
    if first.startswith(b"\x89HDF"):
        return "is a file of TensorFlow or Keras (HDF5); use the weights saved by PyTorch"
    if first[8:9] == b"{":
        return "is a safetensors file by its first bytes; name it *.safetensors"
    if _is_text(first):
        return f"is text, not weights; {GET_AGAIN}"
    return "is not a file of torch.save; use the weights saved by PyTorch, or as safetensors"


def _is_text(first: bytes) -> bool:
    try:
        # The last character may be cut off.
        text = first.decode("utf-8") if len(first) < _FIRST_BYTES else first[:-4].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)
