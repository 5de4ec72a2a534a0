"""Keep converted weights in a folder of the user, by the content of what they were made from."""

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import platformdirs

from assonance.errors import AssonanceError, error_text, printable
from assonance.models.checkpoints.pickled.torch_file import Stamp
from assonance.utils.files import NO_ROOM, write_text

VARIABLE = "ASSONANCE_CACHE"
_WEIGHTS, _SOURCES = "weights", "sources"
_ABANDONED_SECONDS = 3600


def folder() -> Path:
    """Return the cache: `ASSONANCE_CACHE`, or the user's cache folder of this system."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return Path(platformdirs.user_cache_dir("assonance", appauthor=False))


def weights(sha256: str) -> Path:
    """Return where the weights of the source with this hash are kept once they are converted."""
    return folder() / _WEIGHTS / f"{sha256}.safetensors"


@contextmanager
def new_file(size: int) -> Iterator[Path]:
    """Yield a temporary path in the cache for weights of `size` bytes, gone at the end.

    Raises
    ------
    AssonanceError
        The cache cannot be written, or has no room.
    """
    partial = folder() / _WEIGHTS / f"{os.getpid()}-{secrets.token_hex(8)}.tmp"
    try:
        with explained(size):
            partial.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(partial.parent)
        yield partial
    finally:
        with suppress(OSError):
            partial.unlink()


def _remove_abandoned(weights: Path) -> None:
    """Remove temporary files that nothing has written to for long: their process was killed."""
    for partial in weights.glob("*.tmp"):
        with suppress(OSError):  # another process removes its own
            if time.time() - partial.stat().st_mtime > _ABANDONED_SECONDS:
                partial.unlink()


@contextmanager
def explained(size: int) -> Iterator[None]:
    """Raise a one-line error if the cache cannot be written, with the remedy."""
    try:
        yield
    except OSError as error:
        what = f"{printable(folder())}: cannot be written: {error_text(error)}"
        if error.errno in NO_ROOM:
            raise AssonanceError(
                f"{what}; converted weights take {size} bytes there: make room, or set {VARIABLE} "
                "to a folder with more"
            ) from error
        raise AssonanceError(f"{what}; set {VARIABLE} to a folder for converted weights") from error


def remember(path: Path, stamp: Stamp, sha256: str) -> None:
    """Keep the hash of a file for as long as it has this stamp, if the cache can be written."""
    with suppress(AssonanceError):
        write_text(_record(path, stamp), json.dumps({**asdict(stamp), "sha256": sha256}))


def remembered(path: Path, stamp: Stamp) -> str | None:
    """Return the hash of a file if it is kept and the file still has this stamp."""
    kept = _kept(_record(path, stamp))
    sha256 = kept.pop("sha256", None)
    return sha256 if kept == asdict(stamp) and isinstance(sha256, str) else None


def seen_before(size: int) -> bool:
    """Return whether the hash of any file of this size is kept."""
    return any((folder() / _SOURCES).glob(f"{size}-*.json"))


def _record(path: Path, stamp: Stamp) -> Path:
    """Return the file that keeps the hash of the file at a path."""
    place = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
    return folder() / _SOURCES / f"{stamp.size}-{place}.json"


def _kept(record: Path) -> dict[str, Any]:
    try:
        kept = json.loads(record.read_text("utf-8"))
    except (OSError, ValueError):  # none, or not whole
        return {}
    return kept if isinstance(kept, dict) else {}
