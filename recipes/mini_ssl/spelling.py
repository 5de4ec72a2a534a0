"""Transcripts as characters, and how far a reading is from them."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

BLANK = "<pad>"
# The blank is 0; "|" stands between words, as published CTC models have it.
SYMBOLS = (BLANK, "|", "'", *"abcdefghijklmnopqrstuvwxyz")


def spell(text: str) -> str | None:
    """Words of a transcript in lower-case letters and apostrophes, one space between words.

    Returns
    -------
    str or None
        None where the transcript does not say what is spoken: digits and other signs may be read
        in more ways than one. Asides in brackets are dropped.
    """
    text = re.sub(r"\[[^]]*\]|\([^)]*\)", " ", text.lower().replace("’", "'"))
    words = " ".join(re.sub(r"[\s.,;:!?\"-]+", " ", text).split())
    return words if re.fullmatch(r"[a-z' ]*[a-z][a-z' ]*", words) else None


def encode(words: str) -> list[int]:
    """Symbols of spelled words."""
    return [SYMBOLS.index("|" if character == " " else character) for character in words]


def read(symbols: Iterable[int]) -> str:
    """Words of encoded symbols; blanks are nothing."""
    text = "".join(SYMBOLS[index] for index in symbols if SYMBOLS[index] != BLANK)
    return " ".join(text.replace("|", " ").split())


def decode(path: Iterable[int]) -> str:
    """Words of a path of a CTC model, one symbol a frame: repeats count once."""
    return read(index for index, _ in groupby(path))


def edits(heard: str, said: str) -> int:
    """Fewest insertions, deletions and substitutions that make one text of the other."""
    before = list(range(len(said) + 1))
    for i, a in enumerate(heard, 1):
        row = [i]
        for j, b in enumerate(said, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
        before = row
    return before[-1]


def character_error_rate(heard: Sequence[str], said: Sequence[str]) -> float:
    """Edits of all texts over the characters that were said; above 1 where more is made up."""
    total = sum(edits(a, b) for a, b in zip(heard, said, strict=True))
    return total / sum(map(len, said))
