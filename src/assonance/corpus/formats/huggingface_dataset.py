"""Datasets that the Hugging Face `datasets` library saved to a folder; nothing is downloaded.

The audio is the first column of type Audio. Ids come from a column ``id``, or are row numbers.
Needs ``assonance[datasets]``.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from assonance.corpus.formats.entry import (
    About,
    Entry,
    Format,
    check_unique_ids,
    text_of,
)
from assonance.errors import AssonanceError, error_text, printable

# Names of the columns, the preferred first.
_COLUMNS = {
    "id": ("id",),
    "speaker": ("speaker", "speaker_id", "client_id"),
    "language": ("language", "lang", "locale"),
    "text": ("text", "sentence", "transcription", "transcript"),
}


def is_dataset(folder: Path) -> bool:
    """Return whether a folder was written by ``save_to_disk``."""
    return (folder / "dataset_dict.json").is_file() or (
        (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    )


def entries_in_dataset(folder: Path) -> list[Entry]:
    """List the rows of a dataset saved by ``Dataset.save_to_disk``, in order.

    Raises
    ------
    AssonanceError
        `datasets` is not installed; the folder holds several splits, cannot be read, has no audio
        column or no rows; or two rows have the same id.
    """
    shown = printable(folder)
    try:
        import datasets
    except ImportError as error:
        raise AssonanceError(
            f"{shown}: reading a saved dataset needs datasets; pip install 'assonance[datasets]'"
        ) from error
    if (folder / "dataset_dict.json").is_file():
        raise _several_splits(folder)
    try:
        table = datasets.load_from_disk(str(folder.absolute()))
        columns = [
            name for name, kind in table.features.items() if isinstance(kind, datasets.Audio)
        ]
        if not columns:
            raise AssonanceError(f"{shown}: no column of audio; cast a column to datasets.Audio")
        # Only these columns: others may need a decoder, or memory.
        audio = table.select_columns(columns[:1])
        audio = audio.cast_column(columns[0], datasets.Audio(decode=False))
        wanted = {part: _column(table.column_names, names) for part, names in _COLUMNS.items()}
        listed = table.select_columns([name for name in wanted.values() if name])
        rows = listed[:] if listed.column_names else {}
    except AssonanceError:
        raise
    except Exception as error:  # damaged files raise anything in pyarrow and datasets
        raise AssonanceError(
            f"{shown}: cannot be read as a saved dataset: {error_text(error)}; save it again"
        ) from error
    if not len(table):
        raise AssonanceError(f"{shown}: holds no rows; give a dataset with utterances")
    said = {
        part: _texts(rows[name], f"{shown}: column {name}") if name else [None] * len(table)
        for part, name in wanted.items()
    }
    ids = [each or f"{row:06}" for row, each in enumerate(said["id"])]
    check_unique_ids(shown, enumerate(ids, start=1))
    return [
        Entry(
            id,
            folder / f"row {row}",
            recording=id,
            embedded=_bytes_of(audio, columns[0], row),
            **About(
                speaker=said["speaker"][row],
                language=said["language"][row],
                text=said["text"][row],
            ),
        )
        for row, id in enumerate(ids)
    ]


def _several_splits(folder: Path) -> AssonanceError:
    splits = sorted(path.parent.name for path in folder.glob("*/state.json"))
    return AssonanceError(
        f"{printable(folder)}: holds the splits {', '.join(map(printable, splits))}; name one of "
        f"them, as in {printable(folder / (splits or ['train'])[0])}"
    )


def _bytes_of(table: Any, column: str, row: int) -> Callable[[], bytes]:
    def read() -> bytes:
        stored = table[row][column] or {}
        if stored.get("bytes") is None:
            raise ValueError("the dataset was saved without it")
        return bytes(stored["bytes"])

    return read


def _column(names: Sequence[str], preferred: Sequence[str]) -> str | None:
    """Return the first preferred column that is there, by its own name."""
    plain = {name.strip().casefold(): name for name in reversed(names)}
    return next((plain[name] for name in preferred if name in plain), None)


def _texts(values: Sequence[Any], what: str) -> list[str | None]:
    """Return the values of a column as text; None for those that are missing."""
    try:
        return [text_of(each) for each in values]
    except ValueError as error:
        raise AssonanceError(f"{what}: {error}; cast it to a column of words") from error


FORMAT = Format("a saved Hugging Face dataset", is_dataset, entries_in_dataset)
