"""Define the errors and warnings of assonance, and how names appear in them."""

import difflib
from collections.abc import Iterable, Sequence
from os import PathLike, fspath

_LONGEST = 200  # characters of a name that are compared with known names
_LONGEST_LINE = 4000  # characters of a message


class AssonanceError(Exception):
    """A problem that the user can fix, described in one line.

    The message names the file or argument, says what is wrong with it and what to do.
    The command line prints it without a traceback and exits with status 1.

    Examples
    --------
    >>> import assonance
    >>> try:
    ...     assonance.load_model("no-such-folder", offline=True)
    ... except assonance.AssonanceError as error:
    ...     print(len(str(error).splitlines()))
    1
    """

    def __init__(self, message: str) -> None:
        line = one_line(message)
        if len(line) > _LONGEST_LINE:  # of a name of many thousand characters, perhaps
            line = f"{line[: _LONGEST_LINE // 2]} … {line[-_LONGEST_LINE // 2 :]}"
        super().__init__(line)


class AssonanceWarning(UserWarning):
    """A caveat that readers of a result must know; also printed in the report.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> import assonance
    >>> X = np.random.default_rng(0).normal(size=(10, 20))
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     score = assonance.similarity(X, X[:, ::-1], "svcca")
    >>> caught[0].category.__name__
    'AssonanceWarning'
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def printable(name: str | PathLike[str]) -> str:
    """Return a name or path in a form that never breaks a line or a terminal.

    Parameters
    ----------
    name
        Any text from a file system or manifest, with newlines or undecodable bytes perhaps.

    Returns
    -------
    str
        The name itself if every character is printable, otherwise its escaped ``repr``.
    """
    text = fspath(name)
    return text if text.isprintable() else repr(text)


def one_line(text: str) -> str:
    r"""Return text with every character escaped that breaks a line or a terminal.

    Examples
    --------
    >>> print(one_line("two\nlines in \x1b[31mred"))
    two\nlines in \x1b[31mred
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def check_path(value: object, what: str) -> None:
    """Raise an error unless a value is text or a path.

    Parameters
    ----------
    value
        What the caller gave.
    what
        What it is, to begin the message: "the corpus".
    """
    if not isinstance(value, str | PathLike):
        raise AssonanceError(f"{what} must be a name or path; got {type(value).__name__}")


def join_names(names: Sequence[str], most: int = 4) -> str:
    """Join names as in a sentence; beyond `most`, name the first few and count the rest."""
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def did_you_mean(name: str, known: Iterable[str], alike: float = 0.8) -> str:
    """Return a question that names the known name most like this one, or nothing if none is.

    Parameters
    ----------
    name
        What was given.
    known
        Names that exist.
    alike
        How much of the two names must agree, from 0 to 1. Less will do for a short list.
    """
    near = difflib.get_close_matches(name[:_LONGEST], list(known), n=1, cutoff=alike)
    return f"; did you mean {printable(near[0])}?" if near else ""


def error_text(error: Exception) -> str:
    """Return an error's message on one line, without a path or a final full stop."""
    words = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(words.split()).removeprefix("Error : ").rstrip(".")


class UnusableAudio(AssonanceError):  # noqa: N818 - describes the audio, not a fault of ours
    """An utterance that cannot be used, although others can.

    Parameters
    ----------
    reason
        What is wrong with the audio, in one line.
    path
        The audio file, if known. The message then begins with it.
    """

    def __init__(self, reason: str, path: str | PathLike[str] | None = None) -> None:
        self.reason = reason
        super().__init__(reason if path is None else f"{printable(path)}: {reason}")
