"""What a listing of speech says of an utterance, before its file is opened."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from assonance.errors import AssonanceError, error_text, printable


class About(TypedDict):
    """What a listing says of an utterance beside its audio; None where it says nothing."""

    speaker: str | None
    language: str | None
    text: str | None


@dataclass(frozen=True)
class Entry:
    """An utterance as a listing names it.

    Attributes
    ----------
    id
        Its name; unique within a listing.
    path
        The audio file; where the audio is `embedded`, what to call it in messages.
    recording
        What it was cut from: pieces of one recording share it.
    start, end
        Which part of the file it is, in seconds; None for the file's own start and end.
    channel
        Which of the file's channels, the first being 0; None where the listing does not say.
    speaker, language, text
        None where the listing does not say.
    embedded
        Gives the bytes of an audio file that is kept within something else.
    fault
        Why there is nothing to open, where that is known by now.
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


def names_of(paths: Sequence[str]) -> dict[str, str]:
    """Name each path by itself without its suffix, or whole where that would name two."""
    distinct = dict.fromkeys(paths)
    stems = {path: path.removesuffix(Path(path).suffix) for path in distinct}
    taken = Counter(stems.values()) + Counter(distinct.keys())
    return {path: stem if taken[stem] == 1 else path for path, stem in stems.items()}


def name_of_part(name: str, start: float, end: float) -> str:
    """Name a part of what has a name by its start and end in seconds, to the millisecond."""
    return f"{name}:{start:.3f}-{end:.3f}"


def found(path: Path, folder: Path) -> Path:
    """Resolve a path as the tools do that wrote it, or else beside the listing.

    Kaldi and lhotse take relative paths from the folder they are started in.
    """
    return path if path.is_absolute() or path.exists() else folder / path


def text_of(path: Path) -> str:
    """Read a listing.

    Raises
    ------
    AssonanceError
        It cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AssonanceError(
            f"{printable(path)}: cannot be read as UTF-8 text: {error_text(error)}; save it anew"
        ) from error


def refuse_repeated(shown: str, ids: Iterable[tuple[int, str]]) -> None:
    """See that ids are unique.

    Parameters
    ----------
    shown
        The listing's name, as messages show it.
    ids
        Line and id of each utterance.

    Raises
    ------
    AssonanceError
        Two utterances have one id.
    """
    seen: set[str] = set()
    again = []
    for line, id in ids:
        if id in seen:
            again.append((line, id))
        seen.add(id)
    if again:
        line, id = again[0]
        more = f", as have {len(again) - 1} more lines" if len(again) > 1 else ""
        raise AssonanceError(
            f"{shown}, line {line}: a second utterance with the id {id!r}{more}; make ids unique"
        )
