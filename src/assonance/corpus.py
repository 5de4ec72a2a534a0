"""Speech to read: utterances in a fixed order, their headers checked up front."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from assonance.errors import AssonanceError
from assonance.listing import Entry, entries_in_folder, entries_in_manifest
from assonance.outside import UnusableAudio, one_line, own_words


@dataclass(frozen=True)
class Utterance:
    """One recording, known by its header; the samples are read when asked for.

    Attributes
    ----------
    id
        Unique within its corpus.
    path
        The audio file.
    duration
        Seconds, by the file's header.
    sampling_rate
        Samples a second as stored.
    channels
        Number of channels as stored.
    speaker, language, text
        What a manifest says of it; None where it says nothing.
    """

    id: str
    path: Path
    duration: float
    sampling_rate: int
    channels: int
    speaker: str | None = None
    language: str | None = None
    text: str | None = None

    def read(self, sampling_rate: int) -> NDArray[np.float32]:
        """Read the samples.

        Parameters
        ----------
        sampling_rate
            Samples a second wanted; the audio is resampled (soxr, HQ) where it differs.

        Returns
        -------
        ndarray of float32, shape (n_samples,)
            The mean of the channels. Integer formats lie in [-1, 1); floats are as stored.

        Raises
        ------
        UnusableAudio
            The file cannot be read whole, holds no sample, or holds NaN or infinity.
        """
        try:
            with soundfile.SoundFile(self.path) as file:
                promised, native = file.frames, file.samplerate
                samples: NDArray[np.float32] = file.read(dtype="float32", always_2d=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise UnusableAudio(f"cannot be read: {own_words(error)}", self.path) from error
        if len(samples) < promised:
            reason = f"ends early: {len(samples)} of the {promised} samples its header promises"
            raise UnusableAudio(reason, self.path)
        samples = samples.mean(axis=1)
        if native != sampling_rate:
            samples = soxr.resample(samples, native, sampling_rate, quality="HQ")
        if not len(samples):
            raise UnusableAudio("holds no audio", self.path)
        if not np.isfinite(samples).all():
            raise UnusableAudio("holds samples that are NaN or infinite", self.path)
        return samples

    def fingerprint(self) -> str:
        """Identify the audio by its file's bytes.

        Returns
        -------
        str
            SHA-256 in hexadecimal.

        Raises
        ------
        UnusableAudio
            The file cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UnusableAudio(f"cannot be read: {own_words(error)}", self.path) from error


@dataclass(frozen=True)
class LeftOut:
    """Something that should have been an utterance and is not: which, and why in one line."""

    id: str
    path: str
    reason: str


@dataclass(frozen=True)
class Corpus:
    """Utterances with unique ids in a fixed order.

    Attributes
    ----------
    name
        Short name: the folder's, or the manifest's.
    utterances
        What can be read, as far as the headers tell.
    left_out
        What cannot, and why.
    """

    name: str
    utterances: tuple[Utterance, ...]
    left_out: tuple[LeftOut, ...] = ()

    @classmethod
    def from_path(cls, path: str | os.PathLike[str]) -> Self:
        """Open a corpus.

        Parameters
        ----------
        path
            A folder of audio, searched in depth (names that begin with a dot are passed over),
            ids being relative paths without their suffix; or a ``.csv`` or ``.jsonl`` manifest
            with ``path`` (relative to the manifest's folder) and optionally ``id``, ``speaker``,
            ``language`` and ``text`` for each utterance. A ``manifest.csv`` in the folder is
            used in the folder's stead. Other columns are passed over.

        Returns
        -------
        Corpus
            In the manifest's order, or sorted by path. Files whose header cannot be read, or
            that hold no audio, are in `left_out`.

        Raises
        ------
        AssonanceError
            There is no such folder or manifest, it is malformed, two utterances have one id, or
            no utterance is usable.
        """
        given = Path(path)
        if not os.path.exists(given):  # noqa: PTH110 - unlike Path.exists, never raises
            raise AssonanceError(
                f"{one_line(given)}: no such folder or manifest; "
                "give a folder of audio or a .csv or .jsonl manifest"
            )
        manifest = given / "manifest.csv" if given.is_dir() else given
        entries = entries_in_manifest(manifest) if manifest.is_file() else entries_in_folder(given)
        utterances: list[Utterance] = []
        left_out: list[LeftOut] = []
        for entry in entries:
            try:
                utterances.append(_open(entry))
            except UnusableAudio as error:
                left_out.append(LeftOut(one_line(entry.id), one_line(entry.path), error.reason))
        if not utterances:
            first = left_out[0]
            raise AssonanceError(
                f"{one_line(given)}: none of its {len(left_out)} audio files can be used; "
                f"the first, {first.path}: {first.reason}"
            )
        named = Path(os.path.abspath(manifest))  # noqa: PTH100 - a link keeps the name it was given
        name = named.parent.name if named.name == "manifest.csv" else named.stem
        return cls(name, tuple(utterances), tuple(left_out))

    def __len__(self) -> int:
        return len(self.utterances)

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self.utterances)

    @property
    def seconds(self) -> float:
        """Duration of all utterances, in seconds."""
        return sum(utterance.duration for utterance in self.utterances)

    @property
    def hours(self) -> float:
        """Duration of all utterances, in hours."""
        return self.seconds / 3600

    @property
    def speakers(self) -> tuple[str, ...]:
        """Speakers named, sorted; utterances without one do not count."""
        return tuple(sorted({u.speaker for u in self.utterances if u.speaker is not None}))

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages named, sorted; utterances without one do not count."""
        return tuple(sorted({u.language for u in self.utterances if u.language is not None}))

    @property
    def sampling_rates(self) -> tuple[int, ...]:
        """Sampling rates as stored, sorted."""
        return tuple(sorted({u.sampling_rate for u in self.utterances}))


def _open(entry: Entry) -> Utterance:
    """Read the header of an entry's file."""
    if entry.fault is not None:
        raise UnusableAudio(entry.fault)
    try:
        os.fspath(entry.path).encode()
    except UnicodeEncodeError as error:
        raise UnusableAudio("its name is not valid UTF-8; rename it") from error
    try:
        if not entry.path.is_file():
            raise UnusableAudio("there is no such file")
        if not entry.path.stat().st_size:
            raise UnusableAudio("is an empty file")
        header = soundfile.info(entry.path)
    except (OSError, RuntimeError, ValueError) as error:
        raise UnusableAudio(f"is not audio that can be read: {own_words(error)}") from error
    if header.frames <= 0 or header.samplerate <= 0:
        raise UnusableAudio("holds no audio")
    return Utterance(
        id=entry.id,
        path=entry.path,
        duration=header.frames / header.samplerate,
        sampling_rate=header.samplerate,
        channels=header.channels,
        speaker=entry.speaker,
        language=entry.language,
        text=entry.text,
    )
