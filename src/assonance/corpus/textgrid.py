"""Read the interval tiers of TextGrids as Praat reads them.

Praat takes the numbers, the texts in quotes and the flags in angle brackets of a file, in order,
and skips everything else: words such as ``xmin =``, numbers in square brackets, and comments. The
long and the short format are therefore read in the same way.

Source: the manual of Praat, "TextGrid file formats".
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

Tier = list[tuple[float, float, str]]
# A comment, a text, or a word.
_TOKEN = re.compile(r'!.*|"((?:[^"]|"")*)"|([^\s"]+)')
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(%?)", re.ASCII)
_BINARY = b"ooBinaryFile"
_T = TypeVar("_T", float, str)


def read_textgrid(path: Path) -> list[tuple[str, Tier]]:
    """Read the interval tiers of a TextGrid in a text format.

    Returns
    -------
    list of tuple
        Name of each tier and its intervals, empty labels included: start and end in seconds, label.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is no TextGrid, or ends early, or an interval ends before it starts.
    """
    raw = path.read_bytes()
    if raw.startswith(_BINARY):
        raise ValueError("is a binary TextGrid; save it as a text file in Praat")
    tokens = _Tokens(_decoded(raw))
    if not tokens.text().startswith("ooTextFile") or tokens.text() != "TextGrid":
        raise ValueError("is not a TextGrid")
    tokens.number(), tokens.number()
    if tokens.flag() != "<exists>":
        return []
    tiers = []
    for _ in range(tokens.count()):
        kind, name = tokens.text(), tokens.text()
        tokens.number(), tokens.number()
        entries = tokens.count()
        if kind == "IntervalTier":
            tiers.append((name, [_interval(tokens) for _ in range(entries)]))
        elif kind == "TextTier":
            for _ in range(entries):
                tokens.number(), tokens.text()
        else:
            raise ValueError(f"has a tier of the unknown kind {kind!r}")
    return tiers


def _interval(tokens: "_Tokens") -> tuple[float, float, str]:
    start, end, label = tokens.number(), tokens.number(), tokens.text()
    if not start <= end:
        raise ValueError(f"has an interval from {start:g} s to {end:g} s")
    return start, end, label


def _decoded(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


class _Flag(str):
    """A flag, such as ``<exists>``."""

    __slots__ = ()


class _Tokens:
    """The numbers, texts and flags of a TextGrid, taken in order."""

    def __init__(self, content: str) -> None:
        self._found = self._tokens(content)

    def number(self) -> float:
        """Take the next number."""
        found = self._next(float)
        if not math.isfinite(found):
            raise ValueError("has a number that is not finite")
        return found

    def count(self) -> int:
        """Take the next number, which must be a count."""
        found = self.number()
        if found < 0 or not found.is_integer():
            raise ValueError(f"has {found:g} where a count should be")
        return int(found)

    def text(self) -> str:
        """Take the next text."""
        return self._next(str)

    def flag(self) -> str:
        """Take the next flag."""
        return self._next(_Flag)

    def _next(self, kind: type[_T]) -> _T:
        found = next(self._found, None)
        if found is None:
            raise ValueError("ends early")
        if type(found) is not kind:
            raise ValueError(f"has {str(found)[:40]!r} where another kind of value should be")
        return found

    @staticmethod
    def _tokens(content: str) -> Iterator[float | str]:
        for found in _TOKEN.finditer(content):
            text, word = found.groups()
            if text is not None:
                yield text.replace('""', '"')
            elif word is not None and (number := _NUMBER.fullmatch(word)):
                yield float(number[1]) / (100 if number[2] else 1)
            elif word is not None and word.startswith("<") and word.endswith(">"):
                yield _Flag(word)
