"""A corpus: utterances in a fixed order, with the headers of their files checked."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from assonance.corpus.formats.detection import list_entries
from assonance.corpus.headers import read_headers
from assonance.corpus.sampling import draw
from assonance.corpus.utterance import LeftOut, Utterance
from assonance.corpus.windows import WINDOW, cut_into_windows
from assonance.errors import AssonanceError, check_path, printable
from assonance.settings import is_number, is_whole


@dataclass(frozen=True)
class Reading:
    """Options for reading a corpus; see `Corpus.from_path`.

    Attributes
    ----------
    window
        Longest stretch, in seconds, that a model is given at once, or None for whole utterances.
    channel
        Channel to read, from 0, or None for the mean of all channels.
    max_hours
        Hours of speech to sample, or None for all speech.
    seed
        Seed of the sample.
    """

    window: float | None = WINDOW
    channel: int | None = None
    max_hours: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("window", "max_hours"):
            value = getattr(self, name)
            if value is not None and not is_number(value):
                raise AssonanceError(f"{name} must be a number or None; got {value!r}")
        channel = self.channel
        if channel is not None and not (is_whole(channel) and channel >= 0):
            raise AssonanceError(
                f"channel must be a whole number from 0 on or None; got {channel!r}"
            )
        if not (is_whole(self.seed) and self.seed >= 0):
            raise AssonanceError(f"seed must be a whole number from 0 on; got {self.seed!r}")


@dataclass(frozen=True)
class Corpus:
    """Utterances with unique ids, in a fixed order.

    Attributes
    ----------
    name
        Short name, usually that of the folder or manifest.
    utterances
        Utterances whose audio can be read, judging by the headers.
    left_out
        Utterances that cannot be used, and why.
    source
        The path that the corpus was opened from, as given.
    notes
        What was done to the speech, for readers of a result: windows, channels, sampling.

    Examples
    --------
    >>> import assonance
    >>> from assonance.demo import SPEECH
    >>> speech = assonance.Corpus.from_path(SPEECH)
    >>> speech.languages
    ('en', 'es', 'fr', 'it', 'ru')
    >>> len(speech) == len(speech.utterances)
    True
    """

    name: str
    utterances: tuple[Utterance, ...]
    left_out: tuple[LeftOut, ...] = ()
    source: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def from_path(
        cls,
        path: str | os.PathLike[str],
        *,
        window: float | None = WINDOW,
        channel: int | None = None,
        max_hours: float | None = None,
        seed: int = 0,
    ) -> Self:
        """Open a corpus and read the headers of its audio files.

        Parameters
        ----------
        path
            Folder or file in one of the formats of `assonance.corpus.formats`; docs/corpora.md
            describes them. Nothing is downloaded and no command is run.
        window
            Longest stretch of speech that a model processes at once, in seconds. A longer
            utterance is cut into equal windows; see `assonance.corpus.windows`. None cuts none.
        channel
            Channel to read of audio with several channels, counted from 0, unless the listing
            names one. The mean of all channels by default.
        max_hours
            Hours of speech to sample at random, balanced by speaker; all by default. Windows are
            sampled, not whole recordings.
        seed
            Random seed for `max_hours`.

        Returns
        -------
        Corpus
            In the order of the listing, or sorted by path. `left_out` names the audio that cannot
            be used, judging by the headers.

        Raises
        ------
        AssonanceError
            The path does not exist or is malformed, two utterances have the same id, no utterance
            is usable, or an option is out of range.
        """
        return cls.open(path, Reading(window, channel, max_hours, seed))

    @classmethod
    def open(cls, path: str | os.PathLike[str], reading: Reading) -> Self:
        """Open a corpus with the given options; see `from_path`."""
        check_path(path, "the corpus")
        name, entries = list_entries(Path(path))
        usable, left_out = read_headers(entries, reading.channel)
        if not usable:
            first = left_out[0]
            raise AssonanceError(
                f"{printable(path)}: none of its {len(left_out)} audio files can be used; "
                f"the first, {first.shown}: {first.reason}"
            )
        window = reading.window
        utterances = usable
        if window is not None:
            utterances = tuple(piece for each in usable for piece in cut_into_windows(each, window))
            _check_window_ids(utterances, path)
        notes = [*_channel_notes(usable), *_window_notes(usable, utterances, window)]
        if reading.max_hours is not None:
            drawn = _sample(utterances, reading.max_hours, reading.seed, path)
            if len(drawn) < len(utterances):
                notes.append(_sample_note(drawn, utterances, reading.seed))
            utterances = drawn
        return cls(name, utterances, left_out, os.fspath(path), tuple(notes))

    def __len__(self) -> int:
        return len(self.utterances)

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self.utterances)

    @property
    def seconds(self) -> float:
        """Total duration in seconds."""
        return sum(utterance.duration for utterance in self.utterances)

    @property
    def hours(self) -> float:
        """Total duration in hours."""
        return self.seconds / 3600

    @property
    def speakers(self) -> tuple[str, ...]:
        """Sorted names of the speakers; utterances without one are not counted."""
        return tuple(sorted({u.speaker for u in self.utterances if u.speaker is not None}))

    @property
    def languages(self) -> tuple[str, ...]:
        """Sorted names of the languages; utterances without one are not counted."""
        return tuple(sorted({u.language for u in self.utterances if u.language is not None}))

    @property
    def sampling_rates(self) -> tuple[int, ...]:
        """Sorted sampling rates of the files, in Hz."""
        return tuple(sorted({u.sampling_rate for u in self.utterances}))


def _check_window_ids(utterances: Sequence[Utterance], path: str | os.PathLike[str]) -> None:
    """Check that no window has the same id as another utterance."""
    id, count = Counter(each.id for each in utterances).most_common(1)[0]
    if count > 1:
        raise AssonanceError(
            f"{printable(path)}: a window would have the id of utterance {printable(id)}; rename it"
        )


def _sample(
    utterances: Sequence[Utterance],
    max_hours: float,
    seed: int,
    path: str | os.PathLike[str],
) -> tuple[Utterance, ...]:
    """Sample at most so many hours, and refuse a sample without utterances."""
    drawn = draw(utterances, max_hours * 3600, seed)
    if not drawn:
        raise AssonanceError(
            f"{printable(path)}: every utterance is longer than {max_hours:g} hours; "
            "allow more hours"
        )
    return drawn


def _channel_notes(utterances: Sequence[Utterance]) -> list[str]:
    several = [each for each in utterances if each.channels > 1]
    averaged = sum(each.channel is None for each in several)
    chosen = Counter(each.channel for each in several if each.channel is not None)
    notes = [
        f"channel {channel} is read in {count} of {len(utterances)} utterances"
        for channel, count in sorted(chosen.items())
    ]
    if averaged:
        notes.append(
            f"{averaged} of {len(utterances)} utterances have several channels, which are averaged"
        )
    return notes


def _window_notes(
    usable: Sequence[Utterance], cut: Sequence[Utterance], window: float | None
) -> list[str]:
    pieces = [each for each in cut if each.window_of is not None]
    if not pieces or window is None:
        return []
    long = len(usable) - len(cut) + len(pieces)
    return [
        f"{long} of {len(usable)} utterances are longer than {window:g} s and are cut into "
        f"{len(pieces)} windows; at inner edges models also get {window / 20:g} s of context, "
        "whose frames are discarded"
    ]


def _sample_note(drawn: Sequence[Utterance], total: Sequence[Utterance], seed: int) -> str:
    hours = [sum(each.duration for each in part) / 3600 for part in (drawn, total)]
    return (
        f"{hours[0]:.2f} of {hours[1]:.2f} hours of speech were sampled at random, balanced by "
        f"speaker (seed {seed}): {len(drawn)} of {len(total)} utterances"
    )
