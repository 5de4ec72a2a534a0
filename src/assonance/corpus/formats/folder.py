"""A folder of audio, searched with its subfolders.

Ids are paths relative to the folder, without their suffix. Names that begin with a dot are skipped.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from assonance.corpus.formats.entry import Entry, Format, ids_of_paths
from assonance.errors import AssonanceError, error_text, printable

# Suffixes of files to try. libsndfile recognises the format by content.
AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"),
    *(".au", ".snd", ".caf", ".w64", ".rf64", ".sph", ".nist"),
)
# Audio that libsndfile cannot read. It is reported: to skip it silently would lose speech.
OTHER_SUFFIXES = (
    *(".m4a", ".aac", ".mp4", ".wma", ".amr", ".webm", ".3gp", ".ape", ".wv", ".shn", ".mka"),
)


def entries_in_folder(folder: Path) -> list[Entry]:
    """List the audio files below a folder, sorted by path.

    Files in unreadable formats, and folders that cannot be listed, become entries with a fault.

    Raises
    ------
    AssonanceError
        There is no audio.
    """
    unlisted: list[OSError] = []
    relative = sorted(path.relative_to(folder) for path in _files(folder, unlisted))
    ids = ids_of_paths([path.as_posix() for path in relative])
    entries = [
        Entry(id, folder / name, recording=id, fault=_fault(name)) for name, id in ids.items()
    ]
    for error in unlisted:
        path = Path(error.filename)
        name = path.relative_to(folder).as_posix()
        fault = f"is a folder that cannot be listed: {error_text(error)}"
        entries.append(Entry(name, path, recording=name, fault=fault))
    if not entries:
        raise _no_audio(folder)
    return entries


def check_folder(folder: Path) -> None:
    """Check that there is audio below a folder; the search ends with the first file.

    Raises
    ------
    AssonanceError
        As `entries_in_folder`.
    """
    unlisted: list[OSError] = []
    if next(_files(folder, unlisted), None) is None and not unlisted:
        raise _no_audio(folder)


def _files(folder: Path, unlisted: list[OSError]) -> Iterator[Path]:
    """Yield the files to try below a folder, and note the folders that cannot be listed."""
    seen = set()
    for here, below, names in os.walk(folder, followlinks=True, onerror=unlisted.append):
        real = os.path.realpath(here)
        if real in seen:  # a link to a folder already searched
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in names:
            if not name.startswith(".") and _suffix(name) in (*AUDIO_SUFFIXES, *OTHER_SUFFIXES):
                yield Path(here, name)


def _no_audio(folder: Path) -> AssonanceError:
    return AssonanceError(
        f"{printable(folder)}: no audio in this folder; "
        f"add files that end in {', '.join(AUDIO_SUFFIXES)}"
    )


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()


def _fault(name: str) -> str | None:
    if _suffix(name) in AUDIO_SUFFIXES:
        return None
    return f"is {_suffix(name)}, which cannot be read; convert it to FLAC or WAV"


FORMAT = Format("a folder of audio", Path.is_dir, entries_in_folder)
