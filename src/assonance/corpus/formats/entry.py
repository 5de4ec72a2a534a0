"""Define what a format says about an utterance, and what all formats share."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from assonance.errors import AssonanceError, error_text, printable
from assonance.utils.files import exists


class About(TypedDict):
    """What a listing says about an utterance besides its audio; None for what it omits."""

    speaker: str | None
    language: str | None
    text: str | None


@dataclass(frozen=True)
class Entry:
    """An utterance as listed, before its file is opened.

    Attributes
    ----------
    id
        Unique within a corpus.
    path
        The audio file. If the audio is `embedded`, the name that messages use for it.
    recording
        Recording that the utterance was cut from; segments of one recording share it.
    start, end
        Span of the utterance in its file, in seconds; None for the start or end of the file.
    channel
        Channel of the file, counted from 0; None if the listing does not say.
    speaker, language, text
        None if the listing does not say.
    embedded
        Returns the bytes of an audio file that is stored inside another file; None otherwise.
    fault
        Why the audio cannot be opened, if that is already known.
    """

    id: str
    path: Path
    recording: str
    start: float | None = None
    end: float | None = None
    channel: int | None = None
    speaker: str | None = None
    language: str | None = None
    text: str | None = None
    embedded: Callable[[], bytes] | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Format:
    """A format in which corpora are listed.

    Attributes
    ----------
    name
        In messages and help, with its article: "a Kaldi directory".
    recognises
        Whether an existing path has this format.
    entries
        Lists the utterances of such a path, in order. Raises `AssonanceError` if it is malformed.
    corpus_name
        Short name of the corpus, from its absolute path; the folder's name by default.
    """

    name: str
    recognises: Callable[[Path], bool]
    entries: Callable[[Path], list[Entry]]
    corpus_name: Callable[[Path], str] = lambda path: path.name


def text_of(value: Any) -> str | None:
    """Return a value of a listing as text; None if it is missing: null, NaN or empty.

    Tables with gaps hold whole numbers as floats: 12.0 is 12.

    Raises
    ------
    ValueError
        The value is neither a word nor a number.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool | list | tuple | dict):
        raise ValueError(f"{type(value).__name__} is neither a word nor a number")
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else str(value)
    return str(value)


def ids_of_paths(paths: Sequence[str]) -> dict[str, str]:
    """Name each path by itself without its suffix, or in full if two would share that name."""
    distinct = dict.fromkeys(paths)
    stems = {path: path.removesuffix(Path(path).suffix) for path in distinct}
    taken = Counter(stems.values()) + Counter(distinct.keys())
    return {path: stem if taken[stem] == 1 else path for path, stem in stems.items()}


def segment_id(name: str, start: float, end: float) -> str:
    """Name a segment by what it is cut from and its start and end, in seconds to the millisecond.

    Examples
    --------
    >>> segment_id("talk", 0.5, 2)
    'talk:0.500-2.000'
    """
    return f"{name}:{start:.3f}-{end:.3f}"


def resolve(path: Path, folder: Path) -> Path:
    """Resolve a path from the current folder or, if it does not exist there, from the listing's.

    Kaldi and lhotse resolve relative paths from the folder they are started in.
    """
    return path if path.is_absolute() or exists(path) else folder / path


def read_text(path: Path) -> str:
    """Read a listing.

    Raises
    ------
    AssonanceError
        The file cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AssonanceError(
            f"{printable(path)}: cannot be read as UTF-8 text: {error_text(error)}; "
            "save it as UTF-8"
        ) from error


def check_unique_ids(shown: str, ids: Iterable[tuple[int, str]]) -> None:
    """Check that no two utterances have the same id.

    Parameters
    ----------
    shown
        Name of the listing in messages.
    ids
        Line and id of each utterance.

    Raises
    ------
    AssonanceError
        Two utterances have the same id.
    """
    seen: set[str] = set()
    repeated = []
    for line, id in ids:
        if id in seen:
            repeated.append((line, id))
        seen.add(id)
    if repeated:
        line, id = repeated[0]
        more = f", as have {len(repeated) - 1} more lines" if len(repeated) > 1 else ""
        raise AssonanceError(
            f"{shown}, line {line}: a second utterance with the id {id!r}{more}; make ids unique"
        )
