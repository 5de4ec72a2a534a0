"""Open a corpus: utterances in a fixed order, with the headers of their files checked."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from assonance.corpus.formats.detection import entries_of
from assonance.corpus.headers import opened
from assonance.corpus.sampling import draw
from assonance.corpus.utterance import LeftOut, Utterance
from assonance.corpus.windows import WINDOW, windows
from assonance.errors import AssonanceError, printable


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


@dataclass(frozen=True)
class Corpus:
    """Utterances with unique ids in a fixed order.

    Attributes
    ----------
    name
        Short name: that of the folder or manifest.
    utterances
        Utterances that can be read, as far as their headers show.
    left_out
        Utterances that cannot be read, with the reason.
    source
        Path that the corpus was opened from, as given.
    notes
        Changes to the speech that a reader must be aware of: windows, channels, sampling.
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
            One of

            - a folder of audio, which is searched recursively; names that begin with a dot are
              ignored, and an id is the relative path without its suffix. If the folder has a
              ``manifest.csv``, that is used instead;
            - a ``.csv`` or ``.jsonl`` manifest with a ``path`` for each utterance (relative to
              the manifest's folder) and optionally ``id``, ``start`` and ``end`` in seconds,
              ``channel``, ``recording``, ``speaker``, ``language`` and ``text``; other columns
              are ignored;
            - a Kaldi data directory;
            - lhotse cuts: ``.jsonl`` or ``.jsonl.gz`` (needs ``assonance[lhotse]``);
            - a folder saved by Hugging Face `datasets` (needs ``assonance[datasets]``).

            Nothing is downloaded and no command is executed.
        window
            Longest stretch, in seconds, that a model is given at once: a longer utterance is cut
            into equal windows; see `assonance.corpus.windows.windows`. None cuts nothing.
        channel
            Channel to read from audio with several channels, from 0, unless the listing names
            one. By default the channels are averaged.
        max_hours
            Hours of speech to sample at random, balanced by speaker; all speech by default.
            Windows are sampled, not whole recordings.
        seed
            Seed of the sample.

        Returns
        -------
        Corpus
            In the order of the listing, or sorted by path. Utterances that cannot be used, as far
            as headers show, are in `left_out`.

        Raises
        ------
        AssonanceError
            If there is no such path, the listing is malformed, two utterances have the same id,
            no utterance is usable, or an option is out of range.
        """
        return cls.open(path, Reading(window, channel, max_hours, seed))

    @classmethod
    def open(cls, path: str | os.PathLike[str], reading: Reading) -> Self:
        """Open a corpus with the given options; see `from_path`."""
        name, entries = entries_of(Path(path))
        readable, left_out = opened(entries, reading.channel)
        if not readable:
            first = left_out[0]
            raise AssonanceError(
                f"{printable(path)}: none of its {len(left_out)} audio files can be used; "
                f"the first, {first.path}: {first.reason}"
            )
        window = reading.window
        utterances = readable
        if window is not None:
            utterances = tuple(piece for each in readable for piece in windows(each, window))
            _check_ids(utterances, path)
        notes = [*_on_channels(readable), *_on_windows(readable, utterances, window)]
        if reading.max_hours is not None:
            sampled = draw(utterances, reading.max_hours * 3600, reading.seed)
            if not sampled:
                raise AssonanceError(
                    f"{printable(path)}: no utterance is as short as {reading.max_hours:g} hours; "
                    "allow more"
                )
            if len(sampled) < len(utterances):
                notes.append(_on_sample(sampled, utterances, reading.seed))
            utterances = sampled
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
        """Names of the speakers, sorted; utterances without a speaker are ignored."""
        return tuple(sorted({u.speaker for u in self.utterances if u.speaker is not None}))

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages, sorted; utterances without a language are ignored."""
        return tuple(sorted({u.language for u in self.utterances if u.language is not None}))

    @property
    def sampling_rates(self) -> tuple[int, ...]:
        """Sampling rates of the files in Hz, sorted."""
        return tuple(sorted({u.sampling_rate for u in self.utterances}))


def _check_ids(utterances: Sequence[Utterance], path: str | os.PathLike[str]) -> None:
    """Check that no window has the id of another utterance."""
    id, count = Counter(each.id for each in utterances).most_common(1)[0]
    if count > 1:
        raise AssonanceError(
            f"{printable(path)}: a window takes the id of the utterance {printable(id)}; rename it"
        )


def _on_channels(utterances: Sequence[Utterance]) -> list[str]:
    several = [each for each in utterances if each.channels > 1]
    averaged = sum(each.channel is None for each in several)
    chosen = Counter(each.channel for each in several if each.channel is not None)
    notes = [
        f"channel {channel} of several is read of {count} of {len(utterances)} utterances"
        for channel, count in sorted(chosen.items())
    ]
    if averaged:
        notes.append(
            f"{averaged} of {len(utterances)} utterances have several channels, which are averaged"
        )
    return notes


def _on_windows(
    readable: Sequence[Utterance], cut: Sequence[Utterance], window: float | None
) -> list[str]:
    pieces = [each for each in cut if each.window_of is not None]
    if not pieces or window is None:
        return []
    long = len(readable) - len(cut) + len(pieces)
    return [
        f"{long} of {len(readable)} utterances are longer than {window:g} s and are read as "
        f"{len(pieces)} windows; models are given {window / 20:g} s more at inner edges, whose "
        "frames are not kept"
    ]


def _on_sample(sampled: Sequence[Utterance], total: Sequence[Utterance], seed: int) -> str:
    hours = [sum(each.duration for each in some) / 3600 for some in (sampled, total)]
    return (
        f"{hours[0]:.2f} of {hours[1]:.2f} hours of speech were drawn at random, balanced by "
        f"speaker (seed {seed}): {len(sampled)} of {len(total)} utterances"
    )
