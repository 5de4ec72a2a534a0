"""Alignments: where in an utterance its phones and words lie, from TextGrids or CTM files."""

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from assonance.corpus import Utterance
from assonance.errors import AssonanceError, UnusableAudio, error_text, printable

Unit = Literal["phone", "word"]


# What tiers are called, whatever the case.
_TIERS: Mapping[Unit, tuple[str, ...]] = {
    "phone": ("phones", "phone", "phonemes", "phoneme", "mau"),
    "word": ("words", "word", "ort-mau"),
}


# What aligners write where nobody speaks. Kaldi's marks of a phone's place in its word are taken
# off first. Noise and laughter are no silence.
_SILENCE = frozenset(
    (
        *("sil", "sp", "sp0", "sp1", "<sil>", "[sil]", "(sil)", "{sil}", "<eps>", "<p:>"),
        *("silence", "<silence>", "[silence]", "pau", "epi", "h#", "#h"),
    )
)


_PLACES = ("_b", "_e", "_i", "_s")


class Span(NamedTuple):
    """A phone or word: its start and end in seconds, and its label."""

    start: float
    end: float
    label: str

    @property
    def silent(self) -> bool:
        """Whether its label says that nobody speaks."""
        label = self.label.lower()
        return label in _SILENCE or (label[-2:] in _PLACES and label[:-2] in _SILENCE)


class Alignments:
    """Phones and words of utterances, looked up by name.

    An utterance is looked up by its own id, times counting from its start; else, where it is a
    window, by the id of what it is a window of; else by its recording, times counting from the
    start of the file. TextGrids may lie in folders of the same names, or anywhere under a name
    that no other has.

    Parameters
    ----------
    path
        A folder of TextGrids (``.TextGrid``), searched in depth; a ``.ctm`` file; or a folder of
        CTM files with "phone" or "word" in their names.

    Raises
    ------
    AssonanceError
        There are none, or a CTM file is malformed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        shown = printable(self.path)
        if not self.path.exists():
            raise AssonanceError(f"{shown}: no such alignments; name a folder or a .ctm file")
        if self.path.is_file():
            if self.path.suffix.lower() != ".ctm":
                raise AssonanceError(
                    f"{shown}: neither a folder of TextGrids nor a .ctm file; name one of these"
                )
            self._ctms = [self.path]
        else:
            self._ctms = sorted(self.path.glob("*.ctm"))
        if not self._ctms and not self._grids:
            raise AssonanceError(f"{shown}: holds no .TextGrid and no .ctm; name another folder")
        # Windows of one recording ask one after the other.
        self._in_textgrid = lru_cache(maxsize=4)(_in_textgrid)
        self._read: dict[Path, Mapping[str, list[Span]]] = {}

    def spans(self, utterance: Utterance, unit: Unit) -> list[Span]:
        """Give the phones or words of an utterance.

        Parameters
        ----------
        utterance
            Of whom.
        unit
            ``"phone"`` or ``"word"``.

        Returns
        -------
        list of Span
            In order, in seconds from the utterance's start: those whose middle lies in it. What
            carries no label is none; what is labelled as silence is.

        Raises
        ------
        UnusableAudio
            There is no alignment of it, or none that can be read.
        AssonanceError
            A CTM file is malformed, or none is of this unit.
        """
        names = [(utterance.id, 0.0)]
        if utterance.window_of is not None:
            names.append((utterance.window_of, utterance.offset))
        names.append((utterance.recording, utterance.start))
        for name, offset in names:
            spans = self._named(name, unit, utterance.speaker)
            if spans is not None:
                moved = [Span(each.start - offset, each.end - offset, each.label) for each in spans]
                return [
                    each for each in moved if 0 <= (each.start + each.end) / 2 < utterance.duration
                ]
        raise UnusableAudio(f"has no alignment in {printable(self.path)}")

    def spoken(self, utterance: Utterance) -> list[Span]:
        """Give where somebody speaks: phones that are no silence, or words where none has phones.

        Raises
        ------
        UnusableAudio
            As `spans`.
        """
        try:
            spans = self.spans(utterance, "phone")
        except AssonanceError:
            spans = self.spans(utterance, "word")
        return [each for each in spans if not each.silent]

    def _named(self, name: str, unit: Unit, speaker: str | None) -> list[Span] | None:
        """Look up a name; None where nothing goes by it."""
        if self._ctms:
            return self._ctm(unit).get(name)
        path = self._grids.get(name) or self._grids.get(Path(name).name)
        return None if path is None else self._in_textgrid(path, unit, speaker)

    @cached_property
    def _grids(self) -> Mapping[str, Path]:
        """TextGrids by path without suffix, and by name alone where that is no other's."""
        found = {}
        for here, _, names in os.walk(self.path):
            for name in names:
                if name.lower().endswith(".textgrid"):
                    path = Path(here, name)
                    found[path.relative_to(self.path).with_suffix("").as_posix()] = path
        count = Counter(Path(name).name for name in found)
        alone = {Path(name).name: path for name, path in found.items()}
        return {name: path for name, path in alone.items() if count[name] == 1} | found

    def _ctm(self, unit: Unit) -> Mapping[str, list[Span]]:
        named = [path for path in self._ctms if unit in path.name.lower()]
        (path, *others) = named or self._ctms
        if others or (not named and self.path.is_dir() and self._other(unit) in path.name.lower()):
            raise AssonanceError(
                f"{printable(self.path)}: holds no CTM, or several, with {unit!r} in the name; "
                "name one of them"
            )
        if path not in self._read:
            self._read[path] = _in_ctm(path)
        return self._read[path]

    @staticmethod
    def _other(unit: Unit) -> Unit:
        return "word" if unit == "phone" else "phone"


def _in_textgrid(path: Path, unit: Unit, speaker: str | None) -> list[Span]:
    """Read one tier; with several of a kind, that of the speaker."""
    from praatio import textgrid

    try:
        grid = textgrid.openTextgrid(
            str(path), includeEmptyIntervals=False, reportingMode="silence"
        )
        tiers = {
            name: [Span(*entry) for entry in grid.getTier(name).entries]
            for name in grid.tierNames
            if isinstance(grid.getTier(name), textgrid.IntervalTier)
        }
    except Exception as error:  # whatever a damaged file makes of the parser
        raise UnusableAudio(
            f"has an alignment that cannot be read, {printable(path)}: {error_text(error)}"
        ) from error
    kinds = _TIERS[unit]
    fitting = [name for name in tiers if name.lower().split(" - ")[-1].strip() in kinds]
    own = [name for name in fitting if name.rpartition(" - ")[0] == speaker]
    if len(fitting) > 1 and len(own) == 1:
        fitting = own
    if len(fitting) != 1:
        listed = ", ".join(map(printable, tiers)) or "none"
        count = "no tier" if not fitting else "several tiers"
        raise UnusableAudio(f"has {count} of {unit}s in {printable(path)}; its tiers: {listed}")
    return [each for each in tiers[fitting[0]] if each.label.strip()]


def _in_ctm(path: Path) -> Mapping[str, list[Span]]:
    """Read a CTM file: name, channel, start, duration, label and perhaps a confidence a line."""
    spans: dict[str, list[Span]] = {}
    channels: dict[str, str] = {}
    for line, name, channel, span in _ctm_lines(path):
        if channels.setdefault(name, channel) != channel:
            raise AssonanceError(
                f"{printable(path)}, line {line}: a second channel of {printable(name)}; "
                "give a CTM of one channel"
            )
        spans.setdefault(name, []).append(span)
    return {name: sorted(each) for name, each in spans.items()}


def _ctm_lines(path: Path) -> Iterator[tuple[int, str, str, Span]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AssonanceError(
            f"{printable(path)}: cannot be read as UTF-8 text: {error_text(error)}; save it anew"
        ) from error
    for line, record in enumerate(text.split("\n"), start=1):
        fields: Sequence[str] = record.split()
        if not fields or record.startswith(";;"):
            continue
        try:
            name, channel, start, duration, label, *_ = fields
            span = Span(float(start), float(start) + float(duration), label)
            if not 0 <= span.start <= span.end < math.inf:
                raise ValueError
        except ValueError as error:
            raise AssonanceError(
                f"{printable(path)}, line {line}: not a name, channel, start, duration and label; "
                "mend it"
            ) from error
        yield line, name, channel, span
