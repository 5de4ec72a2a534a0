"""The card of a store: what determines its activations besides the audio."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assonance.errors import AssonanceError, printable
from assonance.utils.files import write_together

CARD = "store.json"


def open_card(folder: Path, contents: Mapping[str, Any]) -> str:
    """Write the card of a new store, or check that of one that is there.

    Parameters
    ----------
    folder
        Folder of the store.
    contents
        Format, fingerprint and layers of the store, by these names.

    Returns
    -------
    str
        Hash of the contents.

    Raises
    ------
    AssonanceError
        The folder holds other files, or a store with other contents.
    """
    record = json.dumps(contents, indent=1, ensure_ascii=False).encode()
    card = folder / CARD
    # Another process may open a new store at the same time, and writes the same card.
    if not card.exists() and _is_new(folder):
        write_together({card: record})
    else:
        _check(card, contents)
    return hashlib.sha256(record).hexdigest()


def _is_new(folder: Path) -> bool:
    """Return whether a folder is empty; False if another process has made a store of it.

    Raises
    ------
    AssonanceError
        It holds other files.
    """
    if all(path.suffix == ".tmp" for path in folder.iterdir()):
        return True
    if not (folder / CARD).exists():
        raise AssonanceError(
            f"{printable(folder)}: holds files but is no store of activations; "
            "name an empty or new folder"
        )
    return False


def _check(card: Path, contents: Mapping[str, Any]) -> None:
    """Check that a card has these contents.

    Raises
    ------
    AssonanceError
        It has others, or cannot be read.
    """
    try:
        found = json.loads(card.read_bytes())
        valid = {"fingerprint", "layers"} <= set(found)
    except (ValueError, TypeError):
        valid = False
    if not valid:
        raise AssonanceError(
            f"{printable(card)}: not readable as a store of activations; "
            "delete the folder or name another"
        )
    stored, current = (
        {"format": each.get("format"), **each["fingerprint"], "layers": each["layers"]}
        for each in (found, contents)
    )
    differing = [key for key in {**current, **stored} if current.get(key) != stored.get(key)]
    if differing:
        raise AssonanceError(
            f"{printable(card.parent)}: made with "
            + ", ".join(f"{key} {_short(stored.get(key))}" for key in differing)
            + ", now "
            + ", ".join(f"{key} {_short(current.get(key))}" for key in differing)
            + "; delete the folder or name another"
        )


def _short(value: object) -> str:
    """Format a value of a fingerprint; of a hash only the first digits."""
    text = printable(str(value))
    return text if len(text) <= 40 else f"{text[:12]}…"
