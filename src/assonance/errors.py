"""Define the errors and warnings of assonance, and how names appear in them."""

from collections.abc import Sequence
from os import PathLike, fspath


class AssonanceError(Exception):
    """Something the user can put right, said in one line.

    The message names the file or argument, says what is wrong with it and what to do.
    The command line prints it without a traceback and exits with status 1.
    """


class AssonanceWarning(UserWarning):
    """Something the reader of a result must know: raised, and printed in the report as well."""


def printable(name: str | PathLike[str]) -> str:
    """Show a name or path so that it never breaks a line or a terminal.

    Parameters
    ----------
    name
        Anything a file system or a manifest may hold: Unicode, newlines, undecodable bytes.

    Returns
    -------
    str
        The name itself where every character prints, its escaped ``repr`` otherwise.
    """
    text = fspath(name)
    return text if text.isprintable() else repr(text)


def join_names(names: Sequence[str], most: int = 4) -> str:
    """Join names as a sentence does; of many, the first ones and how many more."""
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def error_text(error: Exception) -> str:
    """Give an error's own words on one line, without the path that the caller names."""
    words = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(words.split()).removeprefix("Error : ").rstrip(".")


class UnusableAudio(AssonanceError):  # noqa: N818 - it names what was met, not a fault of ours
    """One utterance that cannot be used, where the others still can.

    Parameters
    ----------
    reason
        One line: what is wrong with the audio.
    path
        The audio file, where the raiser knows it; the message then begins with it.
    """

    def __init__(self, reason: str, path: str | PathLike[str] | None = None) -> None:
        self.reason = reason
        super().__init__(reason if path is None else f"{printable(path)}: {reason}")
