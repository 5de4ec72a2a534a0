"""What kind of listing a path is, and what it lists."""

import json
import os
from pathlib import Path

from assonance.corpus.formats.entry import Entry
from assonance.corpus.formats.folder import entries_in_folder
from assonance.corpus.formats.huggingface_dataset import entries_in_dataset, is_dataset
from assonance.corpus.formats.kaldi import entries_in_kaldi, is_kaldi
from assonance.corpus.formats.lhotse_cuts import CUTS, entries_in_cuts
from assonance.corpus.formats.manifest import entries_in_manifest
from assonance.errors import AssonanceError, printable

KINDS = (
    "give a folder of audio, a .csv or .jsonl manifest, a Kaldi directory, lhotse cuts or a saved "
    "Hugging Face dataset"
)


def entries_of(given: Path) -> tuple[str, list[Entry]]:
    """Find what a path lists.

    Parameters
    ----------
    given
        A folder or file; see `Corpus.from_path`.

    Returns
    -------
    tuple of str and list of Entry
        A short name for the corpus, and its utterances in order.

    Raises
    ------
    AssonanceError
        There is no such path, it is none of these kinds, or is malformed.
    """
    if not os.path.exists(given):  # noqa: PTH110 - unlike Path.exists, never raises
        raise AssonanceError(f"{printable(given)}: no such folder or manifest; {KINDS}")
    named = Path(os.path.abspath(given))  # noqa: PTH100 - a link keeps the name it was given
    if given.is_dir():
        manifest = given / "manifest.csv"
        if manifest.is_file():
            return named.name, entries_in_manifest(manifest)
        if is_kaldi(given):
            return named.name, entries_in_kaldi(given)
        if is_dataset(given):
            return named.name, entries_in_dataset(given)
        return named.name, entries_in_folder(given)
    if given.name == "manifest.csv":
        return named.parent.name, entries_in_manifest(given)
    name = given.name.removesuffix(".gz")
    if name.endswith(".jsonl") and (name != given.name or _holds_cuts(given)):
        return name.removesuffix(".jsonl"), entries_in_cuts(given)
    if given.suffix.lower() in (".csv", ".jsonl"):
        return named.stem, entries_in_manifest(given)
    raise AssonanceError(
        f"{printable(given)}: neither a folder nor a .csv or .jsonl manifest; {KINDS}"
    )


def _holds_cuts(path: Path) -> bool:
    """Say whether a JSON-lines file lists cuts, by its first line."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            record = json.loads(next(line for line in file if line.strip()))
    except (OSError, ValueError, RecursionError, StopIteration):
        return False
    return isinstance(record, dict) and record.get("type") in CUTS
