"""Manifests: a CSV or JSON-lines file with one utterance a row.

Columns are ``path``, relative to the manifest's folder, and optionally ``id``, ``start`` and
``end`` in seconds, ``channel``, ``recording``, ``speaker``, ``language`` and ``text``. Other
columns are ignored. A ``manifest.csv`` in a folder lists the whole folder.
"""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

from assonance.corpus.formats.entry import (
    About,
    Entry,
    Format,
    check_unique_ids,
    ids_of_paths,
    read_text,
    segment_id,
)
from assonance.errors import AssonanceError, printable

_Row = Mapping[str, str]
_Rows = list[tuple[int, _Row]]
_IN_FOLDER = "manifest.csv"


def is_manifest(path: Path) -> bool:
    """Return whether a path is a manifest, or a folder with a ``manifest.csv``."""
    if path.is_dir():
        return (path / _IN_FOLDER).is_file()
    return path.suffix.lower() in _READERS


def entries_in_manifest(path: Path) -> list[Entry]:
    """List the rows of a manifest, in order.

    Raises
    ------
    AssonanceError
        The manifest is malformed or empty, or two utterances have the same id.
    """
    manifest = path / _IN_FOLDER if path.is_dir() else path
    shown = printable(manifest)
    rows = _READERS[manifest.suffix.lower()](read_text(manifest), shown)
    if not rows:
        raise AssonanceError(f"{shown}: lists no utterances; add a row with a path for each")
    for line, row in rows:
        if not row.get("path"):
            raise AssonanceError(
                f"{shown}, line {line}: no path; name the audio file of each utterance"
            )
    names = ids_of_paths([row["path"] for _, row in rows])
    entries = [
        _entry(row, names[row["path"]], manifest.parent, f"{shown}, line {line}")
        for line, row in rows
    ]
    lines = [line for line, _ in rows]
    check_unique_ids(shown, zip(lines, (each.id for each in entries), strict=True))
    return entries


def _entry(row: _Row, name: str, folder: Path, shown: str) -> Entry:
    start, end = _seconds(row, "start", shown), _seconds(row, "end", shown)
    whole = start is None and end is None
    part = name if whole else f"{name}:{row.get('start') or 0}-{row.get('end') or 'end'}"
    if start is not None and end is not None:
        part = segment_id(name, start, end)
    channel = row.get("channel")
    if channel and not (channel.isascii() and channel.isdecimal()):
        raise AssonanceError(
            f"{shown}: channel {channel!r} is not a whole number; the first channel is 0"
        )
    return Entry(
        id=row.get("id") or part,
        path=folder / row["path"],
        recording=row.get("recording") or name,
        start=start,
        end=end,
        channel=int(channel) if channel else None,
        **About(
            speaker=row.get("speaker") or None,
            language=row.get("language") or None,
            text=row.get("text") or None,
        ),
    )


def _seconds(row: _Row, column: str, shown: str) -> float | None:
    if not row.get(column):
        return None
    try:
        return float(row[column])
    except ValueError as error:
        raise AssonanceError(
            f"{shown}: {column} {row[column]!r} is not a number; give it in seconds"
        ) from error


def _csv_rows(text: str, shown: str) -> _Rows:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if "path" not in (reader.fieldnames or ()):
            raise AssonanceError(
                f"{shown}: no column named path; add one that names the audio files"
            )
        rows: _Rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise AssonanceError(
            f"{shown}: not valid CSV after line {reader.line_num}: {error}; correct the file"
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
            raise AssonanceError(f"{shown}, line {line}: not JSON: {error}; correct it") from error
        if not isinstance(row, dict):
            raise AssonanceError(
                f"{shown}, line {line}: not a JSON object; write one object a line"
            )
        values = {key: str(value) for key, value in row.items() if value is not None}
        try:
            "".join(values.values()).encode()
        except UnicodeEncodeError as error:
            raise AssonanceError(
                f"{shown}, line {line}: holds half of a surrogate pair; correct the escape"
            ) from error
        rows.append((line, values))
    return rows


_READERS = {".csv": _csv_rows, ".jsonl": _jsonl_rows}


def _corpus_name(path: Path) -> str:
    if path.is_dir():
        return path.name
    return path.parent.name if path.name == _IN_FOLDER else path.stem


FORMAT = Format("a .csv or .jsonl manifest", is_manifest, entries_in_manifest, _corpus_name)
