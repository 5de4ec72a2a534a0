"""Cuts of lhotse, ``.jsonl`` or ``.jsonl.gz``; only untransformed local audio is read.

Relative paths start from the current folder, as in lhotse, or else from the listing's folder.
Needs ``assonance[lhotse]``.
"""

import gzip
import json
import os
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assonance.corpus.formats.entry import Entry, Format, check_unique_ids, resolve, text_of
from assonance.errors import AssonanceError, error_text, printable

_CUT_TYPES = ("MonoCut", "MultiCut", "MixedCut", "PaddingCut", "Cut")


def is_cuts(path: Path) -> bool:
    """Return whether a file lists cuts, by its suffix and the first record of plain JSON lines."""
    if path.is_dir():
        return False
    if path.name.endswith(".jsonl.gz"):
        return True
    return path.name.endswith(".jsonl") and _starts_with_cut(path)


def _starts_with_cut(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as file:
            record = json.loads(next(line for line in file if line.strip()))
    except (OSError, ValueError, RecursionError, StopIteration):
        return False
    return isinstance(record, dict) and record.get("type") in _CUT_TYPES


def entries_in_cuts(path: Path) -> list[Entry]:
    """List the cuts of a ``.jsonl`` or ``.jsonl.gz`` file, in order.

    A cut that is mixed, padded or transformed (its speed changed, for example), or whose audio is
    not in a file, becomes an entry with a fault.

    Raises
    ------
    AssonanceError
        lhotse is not installed; the file is malformed or empty; or two cuts have the same id.
    """
    try:
        from lhotse.cut.set import deserialize_cut
    except ImportError as error:
        raise AssonanceError(
            f"{printable(path)}: reading cuts needs lhotse; pip install 'assonance[lhotse]'"
        ) from error
    lines = []
    entries = []
    for line, record in _records(path):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # deprecated names of cuts
                cut = deserialize_cut(record)
            entries.append(_entry(cut, path.parent))
        except Exception as error:  # malformed records raise anything in lhotse
            raise AssonanceError(
                f"{printable(path)}, line {line}: not a cut of lhotse; write the file again"
            ) from error
        lines.append(line)
    if not entries:
        raise AssonanceError(f"{printable(path)}: lists no cuts; give a file with cuts")
    check_unique_ids(printable(path), zip(lines, (each.id for each in entries), strict=True))
    return entries


def _records(path: Path) -> Iterator[tuple[int, Any]]:
    opener = gzip.open if path.name.endswith(".gz") else open
    line = 0
    try:
        with opener(path, "rt", encoding="utf-8-sig") as file:
            for line, record in enumerate(file, start=1):
                if record.strip():
                    yield line, json.loads(record)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise AssonanceError(
            f"{printable(path)}: cannot be read after line {line}: {error_text(error)}; "
            "write the file again"
        ) from error


def _entry(cut: Any, folder: Path) -> Entry:
    """Convert a cut."""
    fault = None
    source = None
    if not hasattr(cut, "recording") or cut.recording is None:
        fault = "is a mixed or padded cut, or one without a recording; save its audio to a file"
    elif cut.recording.transforms:
        fault = "is transformed when lhotse reads it; save its audio to a file"
    else:
        source, fault = _source(cut)
    if source is None:
        return Entry(cut.id, Path(printable(cut.id)), cut.id, fault=fault)
    channels = cut.channel if isinstance(cut.channel, list) else [cut.channel]
    # A cut with all channels of a file uses their mean, like any file with several channels.
    whole = sorted(channels) == sorted(source.channels)
    return Entry(
        id=cut.id,
        path=resolve(Path(os.fspath(source.source)), folder),
        recording=cut.recording.id,
        start=float(cut.start),
        end=float(cut.start + cut.duration),
        channel=None if whole else source.channels.index(channels[0]),
        speaker=_shared(each.speaker for each in cut.supervisions),
        language=_shared(each.language for each in cut.supervisions),
        text=" ".join(filter(None, (text_of(each.text) for each in cut.supervisions))) or None,
        fault=fault,
    )


def _source(cut: Any) -> tuple[Any, str | None]:
    """Return the source with a cut's channels, or None and the reason why there is none."""
    channels = set(cut.channel if isinstance(cut.channel, list) else [cut.channel])
    for source in cut.recording.sources:
        if channels <= set(source.channels):
            if source.type != "file":
                return None, f"is audio of type {source.type!r}, not a file; save it to a file"
            if 1 < len(channels) < len(source.channels):
                return None, "takes some but not all channels of a file; cut one of them, or all"
            return source, None
    return None, "takes channels that no single file holds; cut one of them"


def _shared(values: Iterator[Any]) -> str | None:
    """Return the value that all supervisions of a cut share, or None if they differ."""
    distinct = {text_of(value) for value in values} - {None}
    return distinct.pop() if len(distinct) == 1 else None


FORMAT = Format(
    "lhotse cuts",
    is_cuts,
    entries_in_cuts,
    lambda path: path.name.removesuffix(".gz").removesuffix(".jsonl"),
)
