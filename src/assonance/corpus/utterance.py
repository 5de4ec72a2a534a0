"""An utterance: a span of an audio file, and how its samples are read."""

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

from assonance.errors import UnusableAudio, error_text, printable


@dataclass(frozen=True)
class Utterance:
    """A span of an audio file. Creating one reads no samples.

    Attributes
    ----------
    id
        Unique within its corpus.
    path
        The audio file. If the audio is `embedded`, the name that messages use for it.
    recording
        Recording that it was cut from, shared by all segments of that recording and no others.
    sampling_rate, channels, encoding
        Of the file: rate in Hz, number of channels, and libsndfile's name of the sample format.
    first, last
        Samples of the file: the first, and one past the last.
    before, after
        Samples of context on either side of a window. A model gets them too, but the frames it
        computes for them are discarded.
    channel
        Channel that is read, counted from 0; None for the mean of all.
    window_of
        Id of the utterance that it is a window of, or None if it is not a window.
    offset
        Start of the window in that utterance, in seconds.
    speaker, language, text
        As given by the listing; None for what it omits.
    embedded
        Returns the bytes of an audio file that is stored inside another file; None otherwise.
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
        """Duration in seconds, from the file's header."""
        return (self.last - self.first) / self.sampling_rate

    @property
    def start(self) -> float:
        """Start in the file, in seconds."""
        return self.first / self.sampling_rate

    @property
    def lead(self) -> float:
        """Duration of the context before it, in seconds."""
        return self.before / self.sampling_rate

    def samples(self, sampling_rate: int, *, context: bool = False) -> int:
        """Return the number of samples that `read` returns, from the file's header.

        Examples
        --------
        >>> half_second = Utterance("a", Path("a.wav"), "a", 44100, 1, "PCM_16", 0, 22050)
        >>> half_second.samples(16000)
        8000
        """
        stored = self.last - self.first + (self.before + self.after if context else 0)
        if sampling_rate == self.sampling_rate:
            return stored
        return math.floor(stored * sampling_rate / self.sampling_rate + 0.5)  # as soxr rounds

    def read(self, sampling_rate: int, *, context: bool = False) -> NDArray[np.float32]:
        """Read its samples, resampled to a rate.

        Parameters
        ----------
        sampling_rate
            Rate of the result in Hz. Audio of another rate is resampled (soxr, HQ).
        context
            Whether to include the context on either side.

        Returns
        -------
        ndarray of float32, shape (n_samples,)
            The chosen channel, or the mean of all. Integer formats are scaled to [-1, 1); floats
            are returned as stored.

        Raises
        ------
        UnusableAudio
            The file cannot be read or ends before the utterance, or the utterance contains NaN or
            infinity.
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
        """Yield its samples as stored, one block at a time.

        Parameters
        ----------
        seconds
            Duration of a block.

        Yields
        ------
        ndarray of float32, shape (n_samples, channels)
            All channels, at the rate of the file.

        Raises
        ------
        UnusableAudio
            The file cannot be read, or ends before the utterance.
        """
        return self._stored(self.first, self.last, math.ceil(seconds * self.sampling_rate))

    def mono(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the chosen channel, or the mean of all, of samples of shape (n, channels)."""
        if self.channel is None:
            mean: NDArray[np.float32] = samples.mean(axis=1)
            return mean
        return samples[:, self.channel].copy()

    def fingerprint(self, of_file: Callable[[Path], str] | None = None) -> str:
        """Return a hash of the file's bytes, the span, the context and the channel.

        Parameters
        ----------
        of_file
            Returns the SHA-256 of a file. `hash_of` by default; pass a cached version if many
            utterances share a file.

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
        """Yield all channels of the samples from `first` up to but not including `last`."""
        try:
            with soundfile.SoundFile(self._file()) as file:
                if first:
                    file.seek(first)
                while first < last:
                    count = min(block, last - first)
                    samples = file.read(count, dtype="float32", always_2d=True)
                    first += len(samples)
                    if len(samples) < count:
                        reason = f"ends early: {first} of the {last} samples that its header says"
                        raise UnusableAudio(reason, self.path)
                    yield samples
        except (OSError, RuntimeError, ValueError) as error:
            raise UnusableAudio(f"cannot be read: {error_text(error)}", self.path) from error

    def _file(self) -> Path | io.BytesIO:
        return self.path if self.embedded is None else io.BytesIO(self.embedded())


@dataclass(frozen=True)
class LeftOut:
    """An utterance that cannot be used: its id, its file, and the reason in one line."""

    id: str
    path: str
    reason: str

    @property
    def shown(self) -> str:
        """Its file, and its id where that is not the name of the file."""
        return shown(self.id, self.path)


def shown(id: str, path: str | Path) -> str:
    """Name an utterance by its file, and by its id if that differs from the file's name.

    Examples
    --------
    >>> shown("talk", "speech/talk.wav")
    'speech/talk.wav'
    >>> shown("talk:0.500-2.000", "speech/talk.wav")
    'speech/talk.wav (talk:0.500-2.000)'
    """
    file, name = (each.strip("'") for each in (Path(path).as_posix(), id))  # printable ones
    whole = file.endswith(name) or file.removesuffix(Path(file).suffix).endswith(name)
    return printable(path) if whole else f"{printable(path)} ({printable(id)})"


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

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
