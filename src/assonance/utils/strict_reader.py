"""Read nested mappings and lists strictly: nothing unknown, errors that name the key."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from assonance.errors import AssonanceError, printable


class StrictReader:
    """A reader of nested mappings and lists, whose errors name the file and the key.

    Parameters
    ----------
    path
        The file, as messages show it.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def mapping(self, key: str, content: Any, names: Iterable[str]) -> Mapping[str, Any]:
        """Return a mapping whose keys are all among `names`."""
        if not isinstance(content, Mapping):
            raise self.wrong(key, f"must be a mapping (keys: {', '.join(names)})")
        for name in content:
            self.one_of(key, name, names)
        return content

    def one_of(self, key: str, word: Any, words: Iterable[str]) -> str:
        """Return a word that is one of `words`, or say which was meant."""
        allowed = tuple(words)
        if isinstance(word, str) and word in allowed:
            return word
        near = difflib.get_close_matches(word, allowed, 1) if isinstance(word, str) else []
        hint = f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(allowed)}"
        problem = "is missing" if word is None else f"{printable(str(word))!r} is not known"
        raise self.wrong(key, f"{problem}; {hint}")

    def texts(self, key: str, content: Any) -> tuple[str, ...]:
        """Return one line of text or a list of such as a tuple."""
        parts = [content] if isinstance(content, str) else content
        if not isinstance(parts, list | tuple):
            raise self.wrong(key, "must be a string or a list of strings")
        return tuple(self.text(key, each) for each in parts)

    def text(self, key: str, content: Any) -> str:
        """Return text on one line."""
        if not isinstance(content, str) or not content.strip() or not content.isprintable():
            raise self.wrong(key, "must be a string on one line")
        return content

    def wrong(self, key: str, problem: str) -> AssonanceError:
        """Make the error for a key."""
        return AssonanceError(f"{self.path}: {printable(key)}: {problem}")
