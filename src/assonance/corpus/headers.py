"""Read the headers of listed files, and check each entry against its header."""

import io
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from assonance.corpus.formats.entry import Entry
from assonance.corpus.mp3 import fault_of_length
from assonance.corpus.utterance import LeftOut, Utterance
from assonance.errors import UnusableAudio, error_text, printable

# Seconds. Times in listings are rounded: an end this far past the end of the file is accepted.
_ROUNDING = 0.05
# libsndfile's message about a file that is shorter than its header says. Programs that write to a
# pipe do not know the size and write about 2 GiB or more into the header: that is no fault.
_SHORTER = re.compile(r": (\d+) \(should be (\d+)\)")
_UNKNOWN = 0x7F000000
_PADDING = 16  # bytes
_SPHERE_COUNT = re.compile(rb"^sample_count -i (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class _Header:
    samples: int
    sampling_rate: int
    channels: int
    encoding: str


def read_headers(
    entries: Iterable[Entry], channel: int | None
) -> tuple[tuple[Utterance, ...], tuple[LeftOut, ...]]:
    """Read the header of each file once, and separate usable utterances from the others.

    Parameters
    ----------
    entries
        Entries of a listing, in order.
    channel
        Channel to read of files with several, unless the listing names one; None for the mean.

    Returns
    -------
    tuple of Utterance
        Utterances that can be used.
    tuple of LeftOut
        Entries that cannot, and why.
    """
    headers: dict[Path, _Header | UnusableAudio] = {}
    utterances = []
    left_out = []
    for entry in entries:
        try:
            if entry.fault is not None:
                raise UnusableAudio(entry.fault)
            if entry.path not in headers:
                headers[entry.path] = _header(entry)
            utterances.append(_utterance(entry, headers[entry.path], channel))
        except UnusableAudio as error:
            left_out.append(LeftOut(printable(entry.id), printable(entry.path), error.reason))
    return tuple(utterances), tuple(left_out)


def _header(entry: Entry) -> _Header | UnusableAudio:
    """Read a file's header, or return the reason why it cannot be read."""
    try:
        os.fspath(entry.path).encode()
    except UnicodeEncodeError:
        return UnusableAudio("the file name is not valid UTF-8; rename it")
    content = None
    try:
        if entry.embedded is not None:
            content = entry.embedded()
            header = soundfile.info(io.BytesIO(content))
        else:
            if not entry.path.is_file():
                return UnusableAudio("there is no such file")
            if not entry.path.stat().st_size:
                return UnusableAudio("is an empty file")
            header = soundfile.info(entry.path)
    except (OSError, RuntimeError, ValueError) as error:
        return UnusableAudio(f"is not audio that can be read: {error_text(error)}")
    if header.frames <= 0 or header.samplerate <= 0:
        return UnusableAudio("holds no audio")
    if _ends_early(entry, header):
        return UnusableAudio("ends early: it is shorter than its header says")
    if header.format == "MP3":
        with entry.path.open("rb") if content is None else io.BytesIO(content) as file:
            fault = fault_of_length(file, header.frames)
        if fault is not None:
            return UnusableAudio(fault)
    return _Header(header.frames, header.samplerate, header.channels, header.subtype)


def _ends_early(entry: Entry, header: Any) -> bool:
    """Return whether a file is truncated, for formats that libsndfile reads without an error."""
    for promised, actual in _SHORTER.findall(header.extra_info):
        if int(actual) + _PADDING < int(promised) < _UNKNOWN:
            return True
    if header.format == "NIST" and entry.embedded is None:
        with entry.path.open("rb") as file:
            count = _SPHERE_COUNT.search(file.read(1024))
        return count is not None and header.frames < int(count[1])
    return False


def _utterance(entry: Entry, header: _Header | UnusableAudio, channel: int | None) -> Utterance:
    if isinstance(header, UnusableAudio):
        raise header
    first, last = _span(entry, header)
    chosen = entry.channel
    if chosen is None and header.channels > 1:
        chosen = channel
    if chosen is not None and not 0 <= chosen < header.channels:
        raise UnusableAudio(
            f"has no channel {chosen}: it has {header.channels}, and the first is channel 0"
        )
    return Utterance(
        id=entry.id,
        path=entry.path,
        recording=entry.recording,
        sampling_rate=header.sampling_rate,
        channels=header.channels,
        encoding=header.encoding,
        first=first,
        last=last,
        channel=chosen if header.channels > 1 else None,
        speaker=entry.speaker,
        language=entry.language,
        text=entry.text,
        embedded=entry.embedded,
    )


def _span(entry: Entry, header: _Header) -> tuple[int, int]:
    """Convert a span in seconds to samples of the file: the first, and one past the last."""
    duration = header.samples / header.sampling_rate
    start = 0.0 if entry.start is None else entry.start
    end = duration if entry.end is None else entry.end
    if not (math.isfinite(start) and math.isfinite(end)):
        raise UnusableAudio(f"start and end must be finite seconds, not {start:g} to {end:g}")
    if round(start * header.sampling_rate) < 0:
        raise UnusableAudio(f"starts before its file does, at {start:g} s")
    if start >= end:
        raise UnusableAudio(f"ends at {end:g} s, not after it starts, at {start:g} s")
    if end > duration + _ROUNDING:
        raise UnusableAudio(f"ends at {end:g} s, past its file's end at {duration:.3f} s")
    first = round(start * header.sampling_rate)
    last = min(round(end * header.sampling_rate), header.samples)
    if first >= last:
        raise UnusableAudio(f"holds no audio: {start:g} s to {end:g} s is less than a sample")
    return first, last
