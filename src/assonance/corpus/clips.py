"""Cut clips from utterances, and encode them: one Ogg Opus stream, or WAV files."""

import io
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from assonance.corpus.utterance import Utterance
from assonance.utils.files import write_together

RATE = 16_000
# Silence between stretches, so that nothing of the next is heard: seconds.
GAP = 0.1
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_LICENCES = ("licence", "license", "copying")


@dataclass(frozen=True)
class Sprite:
    """Stretches of speech in one stream.

    Attributes
    ----------
    content
        An Ogg Opus file, mono.
    starts
        Start of each stretch in it, in seconds.
    seconds
        Duration of the speech in it.
    """

    content: bytes
    starts: tuple[float, ...]
    seconds: float


def make_sprite(stretches: Iterable[tuple[Utterance, float, float]]) -> Sprite:
    """Encode stretches of speech as one Ogg Opus stream.

    Parameters
    ----------
    stretches
        Utterances, each with start and end in seconds.

    Raises
    ------
    UnusableAudio
        A file cannot be read.
    """
    parts: list[NDArray[np.float32]] = []
    starts, length, seconds = [], 0, 0.0
    silence = np.zeros(round(GAP * RATE), np.float32)
    for utterance, start, end in stretches:
        part = cut(utterance, start, end)
        parts += [part, silence]
        starts.append(length / RATE)
        length += len(part) + len(silence)
        seconds += len(part) / RATE
    file = io.BytesIO()
    samples = np.concatenate(parts) if parts else silence
    # Opus clips what is louder than full scale.
    samples /= max(float(np.abs(samples).max()), 1.0)
    with soundfile.SoundFile(file, "w", RATE, 1, format="OGG", subtype="OPUS") as stream:
        for first in range(0, len(samples), RATE):  # libsndfile fails on long blocks
            stream.write(samples[first : first + RATE])
    return Sprite(_numbered(file.getvalue()), tuple(starts), seconds)


def cut(utterance: Utterance, start: float, end: float) -> NDArray[np.float32]:
    """Read a part of an utterance as mono samples at `RATE`."""
    samples = utterance.read(RATE)
    return samples[max(round(start * RATE), 0) : max(round(end * RATE), 0)]


def _numbered(stream: bytes) -> bytes:
    """Give an Ogg stream the serial number 1 instead of a random one: same speech, same bytes."""
    content, at = bytearray(stream), 0
    while at < len(content):
        segments = content[at + 26]
        end = at + 27 + segments + sum(content[at + 27 : at + 27 + segments])
        content[at + 14 : at + 18] = (1).to_bytes(4, "little")
        content[at + 22 : at + 26] = bytes(4)
        content[at + 22 : at + 26] = _checksum(bytes(content[at:end])).to_bytes(4, "little")
        at = end
    return bytes(content)


def _checksum(page: bytes) -> int:
    """Compute the checksum of an Ogg page: a CRC-32 with the bits of zlib's in reverse order."""
    register = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{register:032b}"[::-1], 2)


def write_wavs(clips: Mapping[Path, NDArray[np.float32]]) -> None:
    """Write clips as WAV files, all together.

    Raises
    ------
    AssonanceError
        A file cannot be written.
    """
    contents = {}
    for path, samples in clips.items():
        file = io.BytesIO()
        soundfile.write(file, samples, RATE, format="WAV", subtype="PCM_16")
        contents[path] = file.getvalue()
    write_together(contents)


def licence_of(source: str) -> str:
    """Return the first line of the licence that lies beside the speech; empty if none does.

    Parameters
    ----------
    source
        The path that the corpus was opened from.
    """
    path = Path(source)
    folder = path if path.is_dir() else path.parent
    try:
        files = sorted(each for each in folder.iterdir() if each.stem.lower() in _LICENCES)
        text = files[0].read_text("utf-8", "replace")[:2000] if files else ""
    except OSError:
        return ""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
