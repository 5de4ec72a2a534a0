"""Manifests: a CSV or JSON-lines file with a row an utterance."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

from assonance.corpus.formats.entry import (
    About,
    Entry,
    name_of_part,
    names_of,
    refuse_repeated,
    text_of,
)
from assonance.errors import AssonanceError, printable

_Row = Mapping[str, str]


_Rows = list[tuple[int, _Row]]


def entries_in_manifest(manifest: Path) -> list[Entry]:
    """Read a manifest's rows, in order.

    Raises
    ------
    AssonanceError
        It is malformed, lists nothing, or gives two utterances one id.
    """
    shown = printable(manifest)
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
    rows = readers[manifest.suffix.lower()](text_of(manifest), shown)
    if not rows:
        raise AssonanceError(f"{shown}: lists no utterances; give each a row with its path")
    for line, row in rows:
        if not row.get("path"):
            raise AssonanceError(f"{shown}, line {line}: no path; give each utterance its file")
    names = names_of([row["path"] for _, row in rows])
    entries = [
        _entry(row, names[row["path"]], manifest.parent, f"{shown}, line {line}")
        for line, row in rows
    ]
    lines = [line for line, _ in rows]
    refuse_repeated(shown, zip(lines, (each.id for each in entries), strict=True))
    return entries


def _entry(row: _Row, name: str, folder: Path, shown: str) -> Entry:
    start, end = _seconds(row, "start", shown), _seconds(row, "end", shown)
    whole = start is None and end is None
    part = name if whole else f"{name}:{row.get('start') or 0}-{row.get('end') or 'end'}"
    if start is not None and end is not None:
        part = name_of_part(name, start, end)
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
            f"{shown}: {column} {row[column]!r} is not a number; give seconds"
        ) from error


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
        try:
            "".join(known.values()).encode()
        except UnicodeEncodeError as error:
            raise AssonanceError(
                f"{shown}, line {line}: holds half a character; mend the escape"
            ) from error
        rows.append((line, known))
    return rows
