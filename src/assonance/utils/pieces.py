"""Keep finished pieces of work in files, so that an interrupted run goes on from them.

A piece is the result of a part of a job that can be computed alone, on any machine. Its file is
named after everything that determines it: a piece of other inputs, settings or another version has
another name, and is never taken for this one.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from assonance.errors import AssonanceError, printable
from assonance.utils.files import write_together

_SUFFIX = ".piece"
_ABOUT = "about"
_DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Piece:
    """The result of a piece of work, finished or begun.

    Attributes
    ----------
    arrays
        Arrays by name.
    about
        What else there is, as JSON holds it.
    """

    arrays: Mapping[str, NDArray[Any]]
    about: Mapping[str, Any] = field(default_factory=dict)

    def under(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Return the arrays whose names begin with a prefix, by the rest of their names."""
        return {
            name.removeprefix(prefix): array
            for name, array in self.arrays.items()
            if name.startswith(prefix)
        }


class Pieces:
    """The pieces of one job, in a folder.

    A file is written under a temporary name, flushed and renamed, and begins with the checksum of
    the rest: a piece is whole, or it is computed again.

    Parameters
    ----------
    folder
        Folder of the files, made when the first piece is kept; None keeps nothing.
    made_with
        Fingerprint of what all pieces depend on: inputs and versions.
    """

    def __init__(self, folder: Path | None = None, made_with: str = "") -> None:
        self.folder = folder
        self._made_with = made_with

    def name(self, kind: str, *of: Any) -> str:
        """Return the name of a piece, from what determines it besides the inputs.

        Parameters
        ----------
        kind
            A word.
        of
            Values that JSON holds, numpy arrays, and mappings and sequences of these.
        """
        return f"{kind}-{fingerprint(self._made_with, *of)[:32]}"

    def read(self, name: str) -> Piece | None:
        """Return a piece; None if it is absent or damaged."""
        if self.folder is None:
            return None
        try:
            content = (self.folder / f"{name}{_SUFFIX}").read_bytes()
        except OSError:
            return None
        body = content[_DIGEST:]
        if hashlib.sha256(body).digest() != content[:_DIGEST]:
            return None
        try:
            arrays = load(body)
            names, about = json.loads(arrays.pop(_ABOUT).tobytes())
        except (SafetensorError, ValueError, KeyError):
            return None  # of another format
        # The file has an order of its own.
        return Piece({each: arrays[each] for each in names}, about)

    def read_again(self, name: str) -> Piece:
        """Return a piece that was there before.

        Raises
        ------
        AssonanceError
            It is gone, or damaged since.
        """
        piece = self.read(name)
        if piece is None:
            place = printable(str(self.folder))
            raise AssonanceError(f"{place}: {name} was removed or changed meanwhile; start again")
        return piece

    def write(self, name: str, piece: Piece) -> None:
        """Keep a piece, in place of an earlier state of it.

        Raises
        ------
        AssonanceError
            The file cannot be written.
        """
        if self.folder is None:
            return
        about = np.frombuffer(json.dumps([list(piece.arrays), piece.about]).encode(), np.uint8)
        arrays = {each: np.asarray(array, order="C") for each, array in piece.arrays.items()}
        body = save({**arrays, _ABOUT: about})
        digest = hashlib.sha256(body).digest()
        write_together({self.folder / f"{name}{_SUFFIX}": digest + body})

    @property
    def size(self) -> int:
        """Bytes of the pieces that are kept."""
        if self.folder is None:
            return 0
        return sum(path.stat().st_size for path in self.folder.glob(f"*{_SUFFIX}"))

    def clear(self) -> None:
        """Remove all pieces of this folder: the results that they are for are complete."""
        if self.folder is None or not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if path.suffix in (_SUFFIX, ".tmp"):
                path.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


NOWHERE = Pieces()


def fingerprint(*of: Any) -> str:
    """Return a hash of what JSON holds, numpy arrays, and mappings and sequences of these."""
    text = json.dumps(of, default=_as_json, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _as_json(value: Any) -> Any:
    array = np.asarray(value, order="C")
    return [array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).hexdigest()]
