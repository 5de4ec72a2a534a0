"""Speech to read: utterances in a fixed order, from a folder or a manifest, checked up front."""

import csv
import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from assonance.errors import AssonanceError
from assonance.outside import UnusableAudio, one_line

# Formats that libsndfile tells by their content; the suffix only says where to look.
AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"),
    *(".au", ".snd", ".caf", ".w64", ".rf64", ".sph", ".nist"),
)


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
            raise UnusableAudio(f"cannot be read: {_why(error)}", self.path) from error
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
            raise UnusableAudio(f"cannot be read: {_why(error)}", self.path) from error


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
        given = Path(path).expanduser()
        if not given.exists():
            raise AssonanceError(
                f"{one_line(given)}: no such folder or manifest; "
                "give a folder of audio or a .csv or .jsonl manifest"
            )
        manifest = given / "manifest.csv" if given.is_dir() else given
        failures: list[LeftOut] = []
        if manifest.is_file():
            entries = _entries_in_manifest(manifest)
        else:
            entries, failures = _entries_in_folder(given)
        named = Path(os.path.abspath(manifest))  # noqa: PTH100 - a link keeps the name it was given
        name = named.parent.name if named.name == "manifest.csv" else named.stem
        return cls._checked(name, one_line(given), entries, failures)

    @classmethod
    def _checked(
        cls, name: str, source: str, entries: Sequence["_Entry"], failures: Sequence[LeftOut]
    ) -> Self:
        utterances: list[Utterance] = []
        left_out = list(failures)
        for entry in entries:
            try:
                utterances.append(_open(entry))
            except UnusableAudio as error:
                left_out.append(LeftOut(one_line(entry.id), one_line(entry.path), error.reason))
        if not utterances:
            first = left_out[0]
            raise AssonanceError(
                f"{source}: none of its {len(left_out)} audio files can be used; "
                f"the first, {first.path}: {first.reason}"
            )
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


@dataclass(frozen=True)
class _Entry:
    """What a folder or manifest says of an utterance, before its file is opened."""

    id: str
    path: Path
    speaker: str | None = None
    language: str | None = None
    text: str | None = None


def _open(entry: _Entry) -> Utterance:
    """Read the header of an entry's file."""
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
        raise UnusableAudio(f"is not audio that can be read: {_why(error)}") from error
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


def _why(error: Exception) -> str:
    """Give an error's own words on one line, without the path that the caller names."""
    words = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(words.split()).rstrip(".")


def _entries_in_folder(folder: Path) -> tuple[list[_Entry], list[LeftOut]]:
    """Find the audio below a folder, and the folders below it that cannot be listed."""
    unlisted: list[OSError] = []
    paths = []
    seen = set()
    for here, below, names in os.walk(folder, followlinks=True, onerror=unlisted.append):
        real = os.path.realpath(here)
        if real in seen:  # a link back to a folder already searched: it would never end
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if not name.startswith("."))
        paths += [
            Path(here, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in AUDIO_SUFFIXES
        ]
    if not paths:
        raise AssonanceError(
            f"{one_line(folder)}: no audio in this folder; "
            f"files that end in {', '.join(AUDIO_SUFFIXES)} are looked for"
        )
    relative = sorted(path.relative_to(folder) for path in paths)
    ids = _ids_from_paths([path.as_posix() for path in relative])
    entries = [_Entry(id, folder / path) for id, path in zip(ids, relative, strict=True)]
    failures = [
        LeftOut(
            one_line(error.filename), one_line(error.filename), f"cannot be listed: {_why(error)}"
        )
        for error in unlisted
    ]
    return entries, failures


def _ids_from_paths(paths: Sequence[str]) -> list[str]:
    """Name each path by itself without its suffix, or whole where that would name two."""
    stems = [path.removesuffix(Path(path).suffix) for path in paths]
    taken = Counter(stems) + Counter(set(paths))
    return [stem if taken[stem] == 1 else path for stem, path in zip(stems, paths, strict=True)]


def _entries_in_manifest(manifest: Path) -> list[_Entry]:
    """Read a manifest's rows, in order."""
    shown = one_line(manifest)
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
    if manifest.suffix.lower() not in readers:
        raise AssonanceError(
            f"{shown}: neither a folder nor a .csv or .jsonl manifest; give one of these"
        )
    try:
        text = manifest.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AssonanceError(f"{shown}: cannot be read as UTF-8 text: {error}") from error
    rows = readers[manifest.suffix.lower()](text, shown)
    if not rows:
        raise AssonanceError(f"{shown}: lists no utterances; give each a row with its path")
    for line, row in rows:
        if not row.get("path"):
            raise AssonanceError(f"{shown}, line {line}: no path; give each utterance its file")
        if row.get("start") or row.get("end"):
            raise AssonanceError(
                f"{shown}, line {line}: start and end are not supported; "
                "cut the audio into a file for each utterance"
            )
    default_ids = _ids_from_paths([row["path"] for _, row in rows])
    entries: dict[str, _Entry] = {}
    for (line, row), default in zip(rows, default_ids, strict=True):
        id = row.get("id") or default
        if id in entries:
            raise AssonanceError(
                f"{shown}, line {line}: a second utterance with the id {id!r}; make ids unique"
            )
        entries[id] = _Entry(
            id,
            manifest.parent / row["path"],
            *(row.get(column) or None for column in ("speaker", "language", "text")),
        )
    return list(entries.values())


_Rows = list[tuple[int, Mapping[str, str]]]


def _csv_rows(text: str, shown: str) -> _Rows:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if "path" not in (reader.fieldnames or ()):
            raise AssonanceError(f"{shown}: no column named path; add one with the audio files")
        rows: _Rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise AssonanceError(f"{shown}, line {reader.line_num}: not valid CSV: {error}") from error
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
            str(row).encode()  # an escaped lone surrogate is JSON but no text that can be saved
        except (ValueError, RecursionError) as error:
            raise AssonanceError(f"{shown}, line {line}: not valid JSON: {error}") from error
        if not isinstance(row, dict):
            raise AssonanceError(f"{shown}, line {line}: not a JSON object; write one a line")
        rows.append((line, {key: str(value) for key, value in row.items() if value is not None}))
    return rows
