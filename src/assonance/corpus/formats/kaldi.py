"""Kaldi data directories: wav.scp, and segments, utt2spk, text and utt2lang where there are any."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from assonance.corpus.formats.entry import About, Entry, found, refuse_repeated, text_of
from assonance.errors import AssonanceError, printable


def is_kaldi(folder: Path) -> bool:
    """Say whether a folder is a Kaldi data directory."""
    return (folder / "wav.scp").is_file()


def entries_in_kaldi(folder: Path) -> list[Entry]:
    """Read a Kaldi data directory, in the order of its segments, or of its wav.scp.

    Relative paths are taken from the current folder, as Kaldi does, or else from the directory.

    Raises
    ------
    AssonanceError
        A file of it is malformed, lists nothing or names something twice; or audio is the output
        of a command, which is never run.
    """
    recordings = {}
    for line, id, path in _pairs(folder / "wav.scp"):
        if path.endswith("|") or path.startswith("|"):
            raise AssonanceError(
                f"{printable(folder / 'wav.scp')}, line {line}: the audio of {printable(id)} is "
                "the output of a command, and none is ever run; write the audio to files and name "
                "them"
            )
        recordings[id] = found(Path(path), folder)
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
                "in seconds; mend it"
            ) from error
        listed = recording in recordings
        yield Entry(
            id,
            recordings.get(recording, path),
            recording,
            start=span[0],
            end=None if span[1] == -1 else span[1],  # Kaldi's way to say: to the end
            channel=which,
            fault=None if listed else f"is cut from {printable(recording)}, not in wav.scp",
            **about(id),
        )


def _pairs(path: Path) -> list[tuple[int, str, str]]:
    """Read line number, key and the rest of each line."""
    pairs = []
    for line, record in enumerate(text_of(path).split("\n"), start=1):
        if not record.strip():
            continue
        key, *rest = record.split(maxsplit=1)
        if not rest and path.name != "text":  # that nothing was said is a transcript
            raise AssonanceError(f"{printable(path)}, line {line}: a key alone; mend it")
        pairs.append((line, key, rest[0].strip() if rest else ""))
    if not pairs:
        raise AssonanceError(f"{printable(path)}: lists nothing; fill or remove it")
    refuse_repeated(printable(path), ((line, key) for line, key, _ in pairs))
    return pairs
