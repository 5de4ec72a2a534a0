"""Detect the format of a corpus and list its utterances.

A new format is a module beside this one with a `Format`, and an entry in `FORMATS`. The help of
the command line and the error messages are made from it.
"""

import os
from pathlib import Path

from assonance.corpus.formats import folder, huggingface_dataset, kaldi, lhotse_cuts, manifest
from assonance.corpus.formats.entry import Entry, Format
from assonance.errors import AssonanceError, printable
from assonance.utils.files import exists

# The most specific first: the first format that recognises a path reads it.
FORMATS: tuple[Format, ...] = (
    lhotse_cuts.FORMAT,
    manifest.FORMAT,
    kaldi.FORMAT,
    huggingface_dataset.FORMAT,
    folder.FORMAT,
)


def supported_formats() -> str:
    """Return the names of all formats, as part of a sentence."""
    *others, last = (each.name for each in reversed(FORMATS))
    return f"{', '.join(others)} or {last}"


def list_entries(path: Path) -> tuple[str, list[Entry]]:
    """List the utterances of a corpus in any of the formats.

    Parameters
    ----------
    path
        A folder or file; see `Corpus.from_path`.

    Returns
    -------
    tuple of str and list of Entry
        Short name of the corpus, and its utterances in order.

    Raises
    ------
    AssonanceError
        The path does not exist, has none of the formats, or is malformed.
    """
    found = find_format(path)
    # Not resolved: a link keeps its own name.
    return found.corpus_name(Path(os.path.abspath(path))), found.entries(path)  # noqa: PTH100


def check_speech(path: Path) -> None:
    """Check the path of a corpus, and that a folder of audio has some; no utterance is listed.

    Raises
    ------
    AssonanceError
        As `list_entries`.
    """
    if find_format(path) is folder.FORMAT:
        folder.check_folder(path)


def find_format(path: Path) -> Format:
    """Find the format of a corpus; no utterance is listed.

    Raises
    ------
    AssonanceError
        The path does not exist, or has none of the formats.
    """
    if not exists(path):
        raise AssonanceError(
            f"{printable(path)}: no such folder or manifest; give {supported_formats()}"
        )
    for each in FORMATS:
        if each.recognises(path):
            return each
    raise AssonanceError(f"{printable(path)}: not a corpus; give {supported_formats()}")
