"""A corpus: utterances in a fixed order, their headers checked up front."""

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
    source
        What it was opened from, as it was given.
    notes
        What was done to the speech that a reader must know of: windows, channels, sampling.
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
        """Open a corpus.

        Parameters
        ----------
        path
            A folder of audio, searched in depth (names that begin with a dot are passed over),
            ids being relative paths without their suffix; or a ``.csv`` or ``.jsonl`` manifest
            with ``path`` (relative to the manifest's folder) and optionally ``id``, ``start`` and
            ``end`` in seconds, ``channel``, ``recording``, ``speaker``, ``language`` and ``text``
            for each utterance; other columns are passed over. A ``manifest.csv`` in the folder is
            used in the folder's stead. Or a Kaldi data directory, lhotse cuts (``.jsonl``,
            ``.jsonl.gz``; needs ``assonance[lhotse]``), or a folder that Hugging Face `datasets`
            saved (needs ``assonance[datasets]``). Nothing is downloaded and no command is run.
        window
            Seconds that a model is given at once: an utterance that is longer is cut into equal
            windows, see `assonance.corpus.windows.windows`. None leaves utterances whole.
        channel
            The channel to read of audio that has several, the first being 0, where the listing
            does not say; their mean by default.
        max_hours
            Hours of speech to draw at random, balanced by speaker; all by default. Windows are
            drawn, not whole recordings.
        seed
            Decides what is drawn.

        Returns
        -------
        Corpus
            In the listing's order, or sorted by path. What cannot be used, as far as headers
            tell, is in `left_out`.

        Raises
        ------
        AssonanceError
            There is no such path, it is malformed, two utterances have one id, or no utterance is
            usable; or an option makes no sense.
        """
        name, entries = entries_of(Path(path))
        found, left_out = opened(entries, channel)
        if not found:
            first = left_out[0]
            raise AssonanceError(
                f"{printable(path)}: none of its {len(left_out)} audio files can be used; "
                f"the first, {first.path}: {first.reason}"
            )
        utterances = found
        if window is not None:
            utterances = tuple(piece for each in found for piece in windows(each, window))
            _refuse_shared(utterances, path)
        notes = [*_on_channels(found), *_on_windows(found, utterances, window)]
        if max_hours is not None:
            drawn = draw(utterances, max_hours * 3600, seed)
            if not drawn:
                raise AssonanceError(
                    f"{printable(path)}: no utterance is as short as {max_hours:g} hours; "
                    "allow more"
                )
            if len(drawn) < len(utterances):
                notes.append(_on_draw(drawn, utterances, seed))
            utterances = drawn
        return cls(name, utterances, left_out, os.fspath(path), tuple(notes))

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


def _refuse_shared(utterances: Sequence[Utterance], path: str | os.PathLike[str]) -> None:
    """See that no window took another utterance's id."""
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
    found: Sequence[Utterance], cut: Sequence[Utterance], window: float | None
) -> list[str]:
    pieces = [each for each in cut if each.window_of is not None]
    if not pieces or window is None:
        return []
    long = len(found) - len(cut) + len(pieces)
    return [
        f"{long} of {len(found)} utterances are longer than {window:g} s and are read as "
        f"{len(pieces)} windows; models are given {window / 20:g} s more at inner edges, whose "
        "frames are not kept"
    ]


def _on_draw(drawn: Sequence[Utterance], whole: Sequence[Utterance], seed: int) -> str:
    hours = [sum(each.duration for each in part) / 3600 for part in (drawn, whole)]
    return (
        f"{hours[0]:.2f} of {hours[1]:.2f} hours of speech were drawn at random, balanced by "
        f"speaker (seed {seed}): {len(drawn)} of {len(whole)} utterances"
    )
