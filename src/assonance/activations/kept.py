"""Describe, verify and remove the activations that a run keeps in its folder."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assonance.activations.card import CARD
from assonance.activations.store import SHARDS, ActivationStore
from assonance.errors import AssonanceError, printable
from assonance.utils.files import slug

ACTIVATIONS = "activations"
_TEMPORARY = "*.tmp"


@dataclass(frozen=True)
class KeptStore:
    """The activations of one model, as a run keeps them.

    Attributes
    ----------
    folder
        Their folder.
    layers
        Number of neurons of each layer, by label.
    precision
        Number format of the frames.
    shards
        Number of utterances.
    size
        Bytes of all its files.
    """

    folder: Path
    layers: dict[str, int]
    precision: str
    shards: int
    size: int


def store_name(model: str, fingerprint: str) -> str:
    """Return the name of the folder of a model's activations."""
    return f"{slug(model)}-{fingerprint[:8]}"


def kept_stores(run: Path) -> list[KeptStore]:
    """Return the activations that a run keeps, by the name of the folder.

    Raises
    ------
    AssonanceError
        The card of a store is damaged.
    """
    return [_described(folder) for folder in _folders(run)]


def open_stores(run: Path) -> list[ActivationStore]:
    """Open the activations that a run keeps, by the name of the folder.

    Raises
    ------
    AssonanceError
        The card of a store is damaged.
    """
    return [_open(folder) for folder in _folders(run)]


def verify(store: KeptStore) -> list[str]:
    """Verify the checksums of every shard; return the names of the files that are damaged."""
    opened = _open(store.folder)
    whole = {opened.file_name(id) for id in opened.ids if id in opened}
    return sorted({path.name for path in store.folder.glob(SHARDS)} - whole)


def remove(run: Path) -> int:
    """Remove the activations that a run keeps, and no other file; return the bytes set free.

    Results do not need them. A later run with other measures computes them again.

    Raises
    ------
    AssonanceError
        A file cannot be removed.
    """
    freed = 0
    for folder in _folders(run):
        # The card goes last: what a kill leaves is still known for a store.
        for path in [*_files(folder), folder / CARD]:
            try:
                freed += path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise AssonanceError(
                    f"{printable(path)}: cannot be removed: {error.strerror}; remove it by hand"
                ) from error
        with suppress(OSError):  # it holds other files
            folder.rmdir()
    with suppress(OSError):
        (run / ACTIVATIONS).rmdir()
    return freed


def _folders(run: Path) -> list[Path]:
    return sorted(card.parent for card in (run / ACTIVATIONS).glob(f"*/{CARD}"))


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a store besides its card."""
    for pattern in (SHARDS, _TEMPORARY):
        yield from folder.glob(pattern)


def _described(folder: Path) -> KeptStore:
    store = _open(folder)
    paths = [*_files(folder), folder / CARD]
    return KeptStore(
        folder=folder,
        layers=store.layers,
        precision=store.precision,
        shards=sum(path.match(SHARDS) for path in paths),
        size=sum(path.stat().st_size for path in paths),
    )


def _open(folder: Path) -> ActivationStore:
    """Open a store as its card says."""
    try:
        card: Any = json.loads((folder / CARD).read_bytes())
        fingerprint, layers = card["fingerprint"], card["layers"]
        valid = all(isinstance(width, int) for width in layers.values())
        valid = valid and all(isinstance(each, str) for each in fingerprint.values())
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        valid = False
    if not valid:
        raise AssonanceError(
            f"{printable(folder / CARD)}: not readable as a store of activations; delete the folder"
        )
    return ActivationStore(folder, fingerprint=fingerprint, layers=layers)
