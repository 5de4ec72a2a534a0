"""Read phone and word alignments of utterances from TextGrid or CTM files."""

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from assonance.corpus import Utterance
from assonance.corpus.formats.entry import read_text
from assonance.corpus.textgrid import read_textgrid
from assonance.errors import AssonanceError, UnusableAudio, error_text, printable
from assonance.utils.files import exists, is_file

Level = Literal["phone", "word"]
# Names of tiers, in lower case.
_TIERS: Mapping[Level, tuple[str, ...]] = {
    "phone": ("phones", "phone", "phonemes", "phoneme", "mau"),
    "word": ("words", "word", "ort-mau"),
}
# Labels of silence, after removing Kaldi's suffix for the position of a phone in its word. Noise
# and laughter do not count as silence.
_SILENCE = frozenset(
    (
        *("sil", "sp", "sp0", "sp1", "<sil>", "[sil]", "(sil)", "{sil}", "<eps>", "<p:>"),
        *("silence", "<silence>", "[silence]", "pau", "epi", "h#", "#h"),
    )
)

# Seconds: a middle this far before an edge lies on it, so that one side of the edge has it.
_ROUNDING = 1e-6
_POSITIONS = ("_b", "_e", "_i", "_s")


class Span(NamedTuple):
    """A phone or word: start and end in seconds, and label."""

    start: float
    end: float
    label: str

    @property
    def silent(self) -> bool:
        """Whether its label means silence."""
        label = self.label.lower()
        return label in _SILENCE or (label[-2:] in _POSITIONS and label[:-2] in _SILENCE)


class Alignments:
    """Phone and word alignments of a corpus, looked up by name.

    An utterance is looked up by its own id, with times from its start. If there is no such
    alignment and it is a window, the id of the utterance it was cut from is used; then the name of
    its recording, with times from the start of the file. A TextGrid is found by its path without
    suffix, or by its file name if no other has the same.

    Parameters
    ----------
    path
        A folder of ``.TextGrid`` files, searched with its subfolders; a ``.ctm`` file; or a folder
        of CTM files with "phone" or "word" in their names.

    Raises
    ------
    AssonanceError
        The path does not exist or has no alignments.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        shown = printable(self.path)
        if not exists(self.path):
            raise AssonanceError(f"{shown}: no such alignments; give a folder or a .ctm file")
        if is_file(self.path):
            if self.path.suffix.lower() != ".ctm":
                raise AssonanceError(
                    f"{shown}: neither a folder of TextGrids nor a .ctm file; give one of these"
                )
            self._ctms = [self.path]
        else:
            self._ctms = sorted(self.path.glob("*.ctm"))
        if not self._ctms and not self._grids:
            raise AssonanceError(
                f"{shown}: holds no .TextGrid and no .ctm file; give another folder"
            )
        # Windows of one recording are looked up one after the other.
        self._in_textgrid = lru_cache(maxsize=4)(_in_textgrid)
        self._read: dict[Path, Mapping[str, list[Span]]] = {}

    def spans(self, utterance: Utterance, level: Level) -> list[Span]:
        """Return the phones or words of an utterance.

        Parameters
        ----------
        utterance
            Utterance to look up.
        level
            ``"phone"`` or ``"word"``.

        Returns
        -------
        list of Span
            Spans whose middle lies in the utterance, in order, in seconds from its start. Spans
            without a label are dropped; spans labelled as silence are included.

        Raises
        ------
        UnusableAudio
            The utterance has no alignment, or its alignment cannot be read.
        AssonanceError
            A CTM file is malformed, or there is no CTM file of this level.
        """
        names = [(utterance.id, 0.0)]
        if utterance.window_of is not None:
            names.append((utterance.window_of, utterance.offset))
        names.append((utterance.recording, utterance.start))
        for name, offset in names:
            spans = self._named(name, level, utterance.speaker)
            if spans is not None:
                shifted = [
                    Span(each.start - offset, each.end - offset, each.label) for each in spans
                ]
                return [
                    each
                    for each in shifted
                    if 0 <= (each.start + each.end) / 2 + _ROUNDING < utterance.duration
                ]
        raise UnusableAudio(f"has no alignment in {printable(self.path)}")

    def spoken(self, utterance: Utterance) -> list[Span]:
        """Return the phones that are not silence, or such words if there are no phones.

        Raises
        ------
        UnusableAudio
            As for `spans`.
        """
        try:
            spans = self.spans(utterance, "phone")
        except AssonanceError:
            spans = self.spans(utterance, "word")
        return [each for each in spans if not each.silent]

    def _named(self, name: str, level: Level, speaker: str | None) -> list[Span] | None:
        """Return the spans under a name, or None if there are none."""
        if self._ctms:
            return self._ctm(level).get(name)
        path = self._grids.get(name) or self._grids.get(Path(name).name)
        return None if path is None else self._in_textgrid(path, level, speaker)

    @cached_property
    def _grids(self) -> Mapping[str, Path]:
        """TextGrids by path without suffix, and by file name where it is unique."""
        found = {}
        for here, _, names in os.walk(self.path):
            for name in names:
                if name.lower().endswith(".textgrid"):
                    path = Path(here, name)
                    found[path.relative_to(self.path).with_suffix("").as_posix()] = path
        count = Counter(Path(name).name for name in found)
        by_file_name = {Path(name).name: path for name, path in found.items()}
        return {name: path for name, path in by_file_name.items() if count[name] == 1} | found

    def _ctm(self, level: Level) -> Mapping[str, list[Span]]:
        named = [path for path in self._ctms if level in path.name.lower()]
        (path, *others) = named or self._ctms
        if others or (not named and self.path.is_dir() and self._other(level) in path.name.lower()):
            raise AssonanceError(
                f"{printable(self.path)}: holds no CTM, or several, with {level!r} in the name; "
                "give one of them"
            )
        if path not in self._read:
            self._read[path] = _in_ctm(path)
        return self._read[path]

    @staticmethod
    def _other(level: Level) -> Level:
        return "word" if level == "phone" else "phone"


def _in_textgrid(path: Path, level: Level, speaker: str | None) -> list[Span]:
    """Read the tier of a level; of several, that of the speaker."""
    try:
        tiers = read_textgrid(path)
    except (OSError, ValueError) as error:
        raise UnusableAudio(
            f"has an alignment that cannot be read, {printable(path)}: {error_text(error)}"
        ) from error
    names = _TIERS[level]
    candidates = [each for each in tiers if each[0].lower().split(" - ")[-1].strip() in names]
    own = [each for each in candidates if each[0].rpartition(" - ")[0] == speaker]
    if len(candidates) > 1 and len(own) == 1:
        candidates = own
    if len(candidates) != 1:
        listed = ", ".join(printable(name) for name, _ in tiers) or "none"
        count = "no tier" if not candidates else "several tiers"
        raise UnusableAudio(f"has {count} of {level}s in {printable(path)}; its tiers: {listed}")
    ((_, intervals),) = candidates
    return [Span(*each) for each in intervals if each[2].strip()]


def _in_ctm(path: Path) -> Mapping[str, list[Span]]:
    """Read a CTM file: name, channel, start, duration, label and a confidence perhaps."""
    spans: dict[str, list[Span]] = {}
    channels: dict[str, str] = {}
    for line, name, channel, span in _ctm_lines(path):
        if channels.setdefault(name, channel) != channel:
            raise AssonanceError(
                f"{printable(path)}, line {line}: a second channel of {printable(name)}; "
                "give a CTM file of one channel"
            )
        spans.setdefault(name, []).append(span)
    return {name: sorted(each) for name, each in spans.items()}


def _ctm_lines(path: Path) -> Iterator[tuple[int, str, str, Span]]:
    for line, record in enumerate(read_text(path).split("\n"), start=1):
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
                "correct it"
            ) from error
        yield line, name, channel, span
