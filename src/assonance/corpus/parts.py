"""Divide speech into parts of about one length, the same on every machine."""

import re
from dataclasses import dataclass, replace

from assonance.corpus.corpus import Corpus
from assonance.errors import AssonanceError

_PART = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


@dataclass(frozen=True)
class Part:
    """One of several parts of the speech, counted from 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Read a part such as ``3/20``.

        Raises
        ------
        AssonanceError
            It has another form, or is not among the parts.
        """
        found = _PART.fullmatch(text)
        if found is None:
            raise AssonanceError(f"--part {text!r}: not of the form K/N, such as 3/20")
        number, count = map(int, found.groups())
        if not 1 <= number <= count:
            raise AssonanceError(f"--part {text!r}: give a part from 1/{count} to {count}/{count}")
        return cls(number, count)

    def of(self, speech: Corpus) -> Corpus:
        """Return this part of the speech, in its order.

        The longest utterances are dealt out first, each to the part that has least so far, so
        the parts are of about one length. The same speech gives the same parts.
        """
        order = sorted(speech.utterances, key=lambda each: (-each.duration, each.id))
        totals = [0.0] * self.count
        mine = set()
        for each in order:
            least = totals.index(min(totals))
            totals[least] += each.duration
            if least == self.number - 1:
                mine.add(each.id)
        return replace(speech, utterances=tuple(each for each in speech if each.id in mine))
