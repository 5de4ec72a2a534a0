"""Manifests: a CSV or JSON-lines file with one utterance a row.

Columns are ``path``, relative to the manifest's folder, and optionally ``id``, ``start`` and
``end`` in seconds, ``channel``, ``recording``, ``speaker``, ``language`` and ``text``, in any case.
Other columns are ignored, but columns nearly so called are refused. A ``manifest.csv`` in a folder
lists the whole folder.
"""

import csv
import difflib
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from assonance.corpus.formats.entry import (
    About,
    Entry,
    Format,
    check_unique_ids,
    ids_of_paths,
    read_text,
    segment_id,
    text_of,
)
from assonance.errors import AssonanceError, printable

_Row = Mapping[str, str]
_Rows = list[tuple[int, _Row]]
_IN_FOLDER = "manifest.csv"
_COLUMNS = ("path", "id", "start", "end", "channel", "recording", "speaker", "language", "text")
# Other names of columns that decide which samples are read, and whose speech they are.
_OTHER_NAMES = {
    "id": ("utterance_id", "utt", "utt_id", "uttid", "segment_id"),
    "start": (
        *("start_time", "starttime", "start_s", "start_sec", "start_seconds", "begin"),
        *("begin_time", "onset", "offset", "xmin", "tmin"),
    ),
    "end": (
        *("end_time", "endtime", "end_s", "end_sec", "end_seconds", "stop", "stop_time"),
        *("xmax", "tmax"),
    ),
    "channel": ("channel_id", "chan"),
    "recording": ("recording_id",),
    "speaker": ("speaker_id", "speakerid", "speaker_name", "spk", "spk_id", "client_id"),
}
_OWN = ("channels",)  # a count, near to the name of another column
_ALIKE = 0.8  # similarity of names above which one is taken for a misspelling of the other


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
    _check_columns(rows, shown)
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
    channel = (row.get("channel") or "").removesuffix(".0")  # of a table with gaps
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


def _check_columns(rows: _Rows, shown: str) -> None:
    """Check that no column is ignored whose name is nearly that of a column that is missing."""
    present = dict.fromkeys(name for _, row in rows for name in row)
    missing = [name for name in _COLUMNS if name not in present]
    near = {name: each for name in present if (each := _meant(name, missing))}
    if near:
        names, meant = (" and ".join(map(repr, each)) for each in (near, near.values()))
        raise AssonanceError(
            f"{shown}: would ignore its column{'s' * (len(near) > 1)} {names}; rename to {meant}, "
            "or to something else if it is not that"
        )
    if {"start", "duration"} <= present.keys() and "end" in missing:
        raise AssonanceError(
            f"{shown}: would ignore its column 'duration' and read to the end of each file; "
            "give the ends of segments in a column named 'end'"
        )


def _meant(name: str, missing: Sequence[str]) -> str | None:
    """Return which of the missing columns a name seems to mean; None if it is another column."""
    if name in (*_COLUMNS, *_OWN):
        return None
    plain = name.casefold().replace(" ", "_").replace("-", "_")
    meant = [each for each in missing if plain in (each, *_OTHER_NAMES.get(each, ()))]
    long = [each for each in missing if len(each) > 2]
    return next(iter(meant or difflib.get_close_matches(plain, long, 1, _ALIKE)), None)


def _known(names: Iterable[str], shown: str) -> list[str]:
    """Return each column's name without spaces around it, and in lower case if it is known so.

    Raises
    ------
    AssonanceError
        Two columns have one name.
    """
    stripped = [name.strip() for name in names]
    known = [name.casefold() if name.casefold() in _COLUMNS else name for name in stripped]
    for name, count in Counter(known).items():
        if count > 1 and name in _COLUMNS:
            raise AssonanceError(f"{shown}: {count} columns are named {name}; keep one")
    return known


def _csv_rows(text: str, shown: str) -> _Rows:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    rows: _Rows = []
    line = 0
    try:
        header = next(reader, [])
        known = _known(header, shown)
        if "path" not in known:
            names = ", ".join(map(printable, header)) or "none"
            raise AssonanceError(
                f"{shown}: no column named path; add one that names the audio files, or rename "
                f"one of its columns: {names}"
            )
        line = reader.line_num
        for cells in reader:
            line = reader.line_num
            if len(cells) > len(header):
                raise AssonanceError(
                    f"{shown}, line {line}: more cells than columns; quote cells that hold commas"
                )
            if cells:
                stripped = map(str.strip, cells)
                rows.append((line, dict(zip(known, stripped, strict=False))))
    except csv.Error as error:
        raise AssonanceError(
            f"{shown}: not valid CSV after line {line}: {error}; correct the file"
        ) from error
    return rows


def _jsonl_rows(text: str, shown: str) -> _Rows:
    rows: _Rows = []
    for line, record in enumerate(text.split("\n"), start=1):
        if not record.strip():
            continue
        where = f"{shown}, line {line}"
        try:
            row = json.loads(record)
        except (ValueError, RecursionError) as error:
            raise AssonanceError(f"{where}: not JSON: {error}; correct it") from error
        if not isinstance(row, dict):
            raise AssonanceError(f"{where}: not a JSON object; write one object a line")
        rows.append((line, _jsonl_row(row, where)))
    return rows


def _jsonl_row(row: Mapping[str, Any], where: str) -> _Row:
    values = {}
    for name, value in zip(_known(row, where), row.values(), strict=True):
        try:
            text = text_of(value) if name in _COLUMNS else ""
        except ValueError as error:
            raise AssonanceError(f"{where}: {name}: {error}; correct it") from error
        values[name] = text or ""
    try:
        "".join(values.values()).encode()
    except UnicodeEncodeError as error:
        raise AssonanceError(
            f"{where}: holds half of a surrogate pair; correct the escape"
        ) from error
    return values


_READERS = {".csv": _csv_rows, ".jsonl": _jsonl_rows}


def _corpus_name(path: Path) -> str:
    if path.is_dir():
        return path.name
    return path.parent.name if path.name == _IN_FOLDER else path.stem


FORMAT = Format("a .csv or .jsonl manifest", is_manifest, entries_in_manifest, _corpus_name)
