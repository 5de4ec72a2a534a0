"""One utterance: which samples of which file it is, and how they are read."""

import hashlib
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from assonance.errors import UnusableAudio, error_text


@dataclass(frozen=True)
class Utterance:
    """A stretch of a recording, known by its file's header; the samples are read when asked for.

    Attributes
    ----------
    id
        Unique within its corpus.
    path
        The audio file; where the audio is `embedded`, what messages call it.
    recording
        What it was cut from; pieces of one recording share it, and nothing else does.
    sampling_rate, channels, encoding
        Samples a second, number of channels, and libsndfile's name of how a sample is stored.
    first, last
        Its samples as stored: the first, and the one after the last.
    before, after
        Samples as stored that a model is given on either side for their context alone: what it
        makes of them is not the utterance's. Windows of a longer utterance have them.
    channel
        The channel that is read, the first being 0; None for the mean of all.
    window_of
        Id of the utterance that it is a window of; None where it is whole.
    offset
        Seconds from the start of that utterance to its own.
    speaker, language, text
        What the listing says of it; None where it says nothing.
    embedded
        Gives the bytes of an audio file that is kept within something else.
    """

    id: str
    path: Path
    recording: str
    sampling_rate: int
    channels: int
    encoding: str
    first: int
    last: int
    before: int = 0
    after: int = 0
    channel: int | None = None
    window_of: str | None = None
    offset: float = 0.0
    speaker: str | None = None
    language: str | None = None
    text: str | None = None
    embedded: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)

    @property
    def duration(self) -> float:
        """Seconds, by the file's header."""
        return (self.last - self.first) / self.sampling_rate

    @property
    def start(self) -> float:
        """Seconds from the start of the file to its own."""
        return self.first / self.sampling_rate

    @property
    def lead(self) -> float:
        """Seconds of context before it."""
        return self.before / self.sampling_rate

    def read(self, sampling_rate: int, *, context: bool = False) -> NDArray[np.float32]:
        """Read its samples, and none but these.

        Parameters
        ----------
        sampling_rate
            Samples a second wanted; the audio is resampled (soxr, HQ) where it differs.
        context
            Whether to read the context on either side too.

        Returns
        -------
        ndarray of float32, shape (n_samples,)
            The channel chosen, or the mean of all. Integer formats lie in [-1, 1); floats are as
            stored.

        Raises
        ------
        UnusableAudio
            The file cannot be read, ends before the utterance does, or holds NaN or infinity
            in it.
        """
        first = self.first - self.before if context else self.first
        last = self.last + self.after if context else self.last
        (samples,) = self._stored(first, last, last - first)
        mono = self.mono(samples)
        if self.sampling_rate != sampling_rate:
            mono = soxr.resample(mono, self.sampling_rate, sampling_rate, quality="HQ")
        if not len(mono):
            raise UnusableAudio("holds no audio", self.path)
        if not np.isfinite(mono).all():
            raise UnusableAudio("holds samples that are NaN or infinite", self.path)
        return mono

    def blocks(self, seconds: float) -> Iterator[NDArray[np.float32]]:
        """Read its samples as stored, a block at a time.

        Parameters
        ----------
        seconds
            Length of a block.

        Yields
        ------
        ndarray of float32, shape (n_samples, channels)
            All channels, at the file's own rate.

        Raises
        ------
        UnusableAudio
            The file cannot be read, or ends before the utterance does.
        """
        return self._stored(self.first, self.last, math.ceil(seconds * self.sampling_rate))

    def mono(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the channel chosen, or the mean of all, of samples of shape (n, channels)."""
        if self.channel is None:
            mean: NDArray[np.float32] = samples.mean(axis=1)
            return mean
        return samples[:, self.channel].copy()

    def fingerprint(self, of_file: Callable[[Path], str] | None = None) -> str:
        """Identify the audio by the bytes of its file and the part of them that it is.

        Parameters
        ----------
        of_file
            Gives a file's SHA-256, for many utterances of one file; `hash_of` by default.

        Returns
        -------
        str
            SHA-256 in hexadecimal.

        Raises
        ------
        UnusableAudio
            The file cannot be read.
        """
        if self.embedded is None:
            content = (of_file or hash_of)(self.path)
        else:
            try:
                content = hashlib.sha256(self.embedded()).hexdigest()
            except (OSError, ValueError) as error:
                raise UnusableAudio(f"cannot be read: {error_text(error)}", self.path) from error
        part = (self.first, self.last, self.before, self.after, self.channel)
        return hashlib.sha256(f"{content} {part}".encode()).hexdigest()

    def _stored(self, first: int, last: int, block: int) -> Iterator[NDArray[np.float32]]:
        """Read samples from the first to the one before the last, all channels."""
        try:
            with soundfile.SoundFile(self._file()) as file:
                if first:
                    file.seek(first)
                while first < last:
                    wanted = min(block, last - first)
                    samples = file.read(wanted, dtype="float32", always_2d=True)
                    first += len(samples)
                    if len(samples) < wanted:
                        reason = f"ends early: {first} of the {last} samples its header promises"
                        raise UnusableAudio(reason, self.path)
                    yield samples
        except (OSError, RuntimeError, ValueError) as error:
            raise UnusableAudio(f"cannot be read: {error_text(error)}", self.path) from error

    def _file(self) -> Path | io.BytesIO:
        return self.path if self.embedded is None else io.BytesIO(self.embedded())


@dataclass(frozen=True)
class LeftOut:
    """Something that should have been an utterance and is not: which, and why in one line."""

    id: str
    path: str
    reason: str


def hash_of(path: Path) -> str:
    """Hash a file's bytes.

    Raises
    ------
    UnusableAudio
        The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnusableAudio(f"cannot be read: {error_text(error)}", path) from error
