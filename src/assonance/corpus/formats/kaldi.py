"""Kaldi data directories: wav.scp, and segments, utt2spk, utt2lang and text if present.

Relative paths start from the current folder, as in Kaldi, or else from the directory.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from assonance.corpus.formats.entry import (
    About,
    Entry,
    Format,
    check_unique_ids,
    read_text,
    resolve,
)
from assonance.errors import AssonanceError, printable


def is_kaldi(folder: Path) -> bool:
    """Return whether a path is a Kaldi data directory."""
    return (folder / "wav.scp").is_file()


def entries_in_kaldi(folder: Path) -> list[Entry]:
    """List the utterances of a Kaldi data directory, in the order of segments or else wav.scp.

    Raises
    ------
    AssonanceError
        A file is malformed, empty or has a key twice; or audio is the output of a command, which
        is never run.
    """
    recordings = {}
    for line, id, path in _pairs(folder / "wav.scp"):
        if path.endswith("|") or path.startswith("|"):
            raise AssonanceError(
                f"{printable(folder / 'wav.scp')}, line {line}: the audio of {printable(id)} is "
                "the output of a command, and none is ever run; write the audio to files and list "
                "these"
            )
        recordings[id] = resolve(Path(path), folder)
    speakers, languages, texts = (
        {id: value for _, id, value in _pairs(folder / name)} if (folder / name).is_file() else {}
        for name in ("utt2spk", "utt2lang", "text")
    )

    def about(id: str) -> About:
        return About(speaker=speakers.get(id), language=languages.get(id), text=texts.get(id))

    if (folder / "segments").is_file():
        return [*_segments(folder / "segments", recordings, about)]
    return [Entry(id, path, recording=id, **about(id)) for id, path in recordings.items()]


def _segments(
    path: Path, recordings: Mapping[str, Path], about: Callable[[str], About]
) -> Iterator[Entry]:
    for line, id, rest in _pairs(path):
        try:
            recording, start, end, *channel = rest.split()
            span = float(start), float(end)
            (which,) = map(int, channel) if channel else (None,)
        except ValueError as error:
            raise AssonanceError(
                f"{printable(path)}, line {line}: not an utterance, its recording, start and end "
                "in seconds; correct it"
            ) from error
        known = recording in recordings
        yield Entry(
            id,
            recordings.get(recording, path),
            recording,
            start=span[0],
            end=None if span[1] == -1 else span[1],  # in Kaldi: to the end
            channel=which,
            fault=None
            if known
            else f"is cut from {printable(recording)}, which wav.scp does not list",
            **about(id),
        )


def _pairs(path: Path) -> list[tuple[int, str, str]]:
    """Read each line's number, its key, and the rest of it."""
    pairs = []
    for line, record in enumerate(read_text(path).split("\n"), start=1):
        if not record.strip():
            continue
        key, *rest = record.split(maxsplit=1)
        if not rest and path.name != "text":  # an empty transcript is valid
            raise AssonanceError(
                f"{printable(path)}, line {line}: a key without a value; add the value"
            )
        pairs.append((line, key, rest[0].strip() if rest else ""))
    if not pairs:
        raise AssonanceError(f"{printable(path)}: is empty; fill or remove it")
    check_unique_ids(printable(path), ((line, key) for line, key, _ in pairs))
    return pairs


FORMAT = Format("a Kaldi directory", is_kaldi, entries_in_kaldi)
