"""What there is to read: the audio files that a folder holds or a manifest names."""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assonance.errors import AssonanceError
from assonance.outside import one_line, own_words

# Formats that libsndfile tells by their content; the suffix only says where to look.
AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"),
    *(".au", ".snd", ".caf", ".w64", ".rf64", ".sph", ".nist"),
)


@dataclass(frozen=True)
class Entry:
    """What a folder or manifest says of an utterance, before its file is opened.

    `fault` says why there is nothing to open, where that is known by now.
    """

    id: str
    path: Path
    speaker: str | None = None
    language: str | None = None
    text: str | None = None
    fault: str | None = None


def entries_in_folder(folder: Path) -> list[Entry]:
    """Find the audio below a folder, sorted by path, and the folders that cannot be listed."""
    unlisted: list[OSError] = []
    paths = []
    seen = set()
    for here, below, names in os.walk(folder, followlinks=True, onerror=unlisted.append):
        real = os.path.realpath(here)
        if real in seen:  # a link back to a folder already searched: it would never end
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if not name.startswith("."))
        paths += [
            Path(here, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in AUDIO_SUFFIXES
        ]
    relative = sorted(path.relative_to(folder) for path in paths)
    ids = _ids_from_paths([path.as_posix() for path in relative])
    entries = [Entry(id, folder / path) for id, path in zip(ids, relative, strict=True)]
    for error in unlisted:
        path = Path(error.filename)
        fault = f"is a folder that cannot be listed: {own_words(error)}"
        entries.append(Entry(path.relative_to(folder).as_posix(), path, fault=fault))
    if not entries:
        raise AssonanceError(
            f"{one_line(folder)}: no audio in this folder; "
            f"files that end in {', '.join(AUDIO_SUFFIXES)} are looked for"
        )
    return entries


def _ids_from_paths(paths: Sequence[str]) -> list[str]:
    """Name each path by itself without its suffix, or whole where that would name two."""
    stems = [path.removesuffix(Path(path).suffix) for path in paths]
    taken = Counter(stems) + Counter(set(paths))
    return [stem if taken[stem] == 1 else path for stem, path in zip(stems, paths, strict=True)]


def entries_in_manifest(manifest: Path) -> list[Entry]:
    """Read a manifest's rows, in order."""
    shown = one_line(manifest)
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
    if manifest.suffix.lower() not in readers:
        raise AssonanceError(
            f"{shown}: neither a folder nor a .csv or .jsonl manifest; give one of these"
        )
    try:
        text = manifest.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AssonanceError(
            f"{shown}: cannot be read as UTF-8 text: {own_words(error)}; save it anew"
        ) from error
    rows = readers[manifest.suffix.lower()](text, shown)
    if not rows:
        raise AssonanceError(f"{shown}: lists no utterances; give each a row with its path")
    for line, row in rows:
        if not row.get("path"):
            raise AssonanceError(f"{shown}, line {line}: no path; give each utterance its file")
        if row.get("start") or row.get("end"):
            raise AssonanceError(
                f"{shown}, line {line}: start and end are not supported; "
                "cut the audio into a file for each utterance"
            )
    default_ids = _ids_from_paths([row["path"] for _, row in rows])
    entries: dict[str, Entry] = {}
    for (line, row), default in zip(rows, default_ids, strict=True):
        id = row.get("id") or default
        if id in entries:
            raise AssonanceError(
                f"{shown}, line {line}: a second utterance with the id {id!r}; make ids unique"
            )
        entries[id] = Entry(
            id,
            manifest.parent / row["path"],
            *(row.get(column) or None for column in ("speaker", "language", "text")),
        )
    return list(entries.values())


_Rows = list[tuple[int, Mapping[str, str]]]


def _csv_rows(text: str, shown: str) -> _Rows:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if "path" not in (reader.fieldnames or ()):
            raise AssonanceError(f"{shown}: no column named path; add one with the audio files")
        rows: _Rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise AssonanceError(
            f"{shown}: not valid CSV after line {reader.line_num}: {error}; mend the file"
        ) from error
    for line, row in rows:
        if None in row:
            raise AssonanceError(
                f"{shown}, line {line}: more cells than columns; quote cells that hold commas"
            )
    return rows


def _jsonl_rows(text: str, shown: str) -> _Rows:
    rows: _Rows = []
    for line, record in enumerate(text.split("\n"), start=1):
        if not record.strip():
            continue
        try:
            row = json.loads(record)
        except (ValueError, RecursionError) as error:
            raise AssonanceError(f"{shown}, line {line}: not JSON: {error}; mend it") from error
        if not isinstance(row, dict):
            raise AssonanceError(f"{shown}, line {line}: not a JSON object; write one a line")
        known = {key: str(value) for key, value in row.items() if value is not None}
        if any(0xD800 <= ord(letter) < 0xE000 for letter in "".join(known.values())):
            raise AssonanceError(f"{shown}, line {line}: holds half a character; mend the escape")
        rows.append((line, known))
    return rows
