"""Cuts of lhotse: what they point to is read, nothing is downloaded, mixed or changed."""

import gzip
import json
import os
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assonance.corpus.formats.entry import Entry, found, refuse_repeated
from assonance.errors import AssonanceError, error_text, printable

CUTS = ("MonoCut", "MultiCut", "MixedCut", "PaddingCut", "Cut")


def entries_in_cuts(path: Path) -> list[Entry]:
    """Read a ``.jsonl`` or ``.jsonl.gz`` of cuts, in order.

    A cut that is mixed, padded or changed (at another speed, say), or whose audio is no file, is
    an entry with a fault. Relative paths are taken from the current folder, as lhotse does, or
    else from the listing's.

    Raises
    ------
    AssonanceError
        lhotse is not installed; the file is malformed, lists nothing, or two cuts have one id.
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
                warnings.simplefilter("ignore")  # old names of cuts
                cut = deserialize_cut(record)
            entries.append(_entry(cut, path.parent))
        except Exception as error:  # whatever a malformed record makes of lhotse's constructors
            raise AssonanceError(
                f"{printable(path)}, line {line}: not a cut of lhotse; write it anew"
            ) from error
        lines.append(line)
    if not entries:
        raise AssonanceError(f"{printable(path)}: lists no cuts; name another file")
    refuse_repeated(printable(path), zip(lines, (each.id for each in entries), strict=True))
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
            "write it anew"
        ) from error


def _entry(cut: Any, folder: Path) -> Entry:
    """Take from a cut what an utterance needs."""
    fault = None
    source = None
    if not hasattr(cut, "recording") or cut.recording is None:
        fault = "is a mixed or padded cut, or one without a recording; save its audio to a file"
    elif cut.recording.transforms:
        fault = "is changed when lhotse reads it; save its audio to a file"
    else:
        source, fault = _source(cut)
    if source is None:
        return Entry(cut.id, Path(printable(cut.id)), cut.id, fault=fault)
    channels = cut.channel if isinstance(cut.channel, list) else [cut.channel]
    # All of a file's channels are averaged; one is read by its place in the file.
    whole = sorted(channels) == sorted(source.channels)
    return Entry(
        id=cut.id,
        path=found(Path(os.fspath(source.source)), folder),
        recording=cut.recording.id,
        start=float(cut.start),
        end=float(cut.start + cut.duration),
        channel=None if whole else source.channels.index(channels[0]),
        speaker=_shared(each.speaker for each in cut.supervisions),
        language=_shared(each.language for each in cut.supervisions),
        text=" ".join(each.text for each in cut.supervisions if each.text) or None,
        fault=fault,
    )


def _source(cut: Any) -> tuple[Any, str | None]:
    """Find the file that holds a cut's channels, or say why there is none."""
    wanted = set(cut.channel if isinstance(cut.channel, list) else [cut.channel])
    for source in cut.recording.sources:
        if wanted <= set(source.channels):
            if source.type != "file":
                return None, f"is audio of the kind {source.type!r}, not a file; save it to one"
            if 1 < len(wanted) < len(source.channels):
                return None, "takes some of a file's channels; cut one of them, or all"
            return source, None
    return None, "takes channels that lie in no file or in several; cut one of them"


def _shared(values: Iterator[str | None]) -> str | None:
    """Give what all supervisions of a cut say; None where they differ."""
    said = {value for value in values if value is not None}
    return said.pop() if len(said) == 1 else None
