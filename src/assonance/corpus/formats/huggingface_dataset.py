"""Datasets that Hugging Face `datasets` saved in a folder: read as they lie there."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from assonance.corpus.formats.entry import About, Entry, refuse_repeated
from assonance.errors import AssonanceError, error_text, printable

# What columns are called that say who speaks, in which language, and what.
_COLUMNS = (
    ("speaker", "speaker_id", "client_id"),
    ("language", "lang", "locale"),
    ("text", "sentence", "transcription", "transcript"),
)


def is_dataset(folder: Path) -> bool:
    """Say whether `datasets` saved something in a folder."""
    return (folder / "dataset_dict.json").is_file() or (
        (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    )


def entries_in_dataset(folder: Path) -> list[Entry]:
    """Read the rows of what ``Dataset.save_to_disk`` left, in order.

    The audio is the first column of the type Audio; ids are those of a column ``id``, or the
    row's number.

    Raises
    ------
    AssonanceError
        `datasets` is not installed; the folder holds several splits, cannot be read, has no
        column of audio or no row, or two rows have one id.
    """
    shown = printable(folder)
    try:
        import datasets
    except ImportError as error:
        raise AssonanceError(
            f"{shown}: reading a saved dataset needs datasets; pip install 'assonance[datasets]'"
        ) from error
    if (folder / "dataset_dict.json").is_file():
        splits = sorted(path.parent.name for path in folder.glob("*/state.json"))
        raise AssonanceError(
            f"{shown}: holds the splits {', '.join(map(printable, splits))}; name one of them, as "
            f"{printable(folder / (splits or ['train'])[0])}"
        )
    try:
        table = datasets.load_from_disk(str(folder.absolute()))
        columns = [
            name for name, kind in table.features.items() if isinstance(kind, datasets.Audio)
        ]
        if not columns:
            raise AssonanceError(f"{shown}: no column of audio; cast one to datasets.Audio")
        audio = table.cast_column(columns[0], datasets.Audio(decode=False))
        said = table.remove_columns(
            [
                each
                for each in table.column_names
                if isinstance(table.features[each], datasets.Audio)
            ]
        )
        rows = said[:] if said.column_names else {}
    except AssonanceError:
        raise
    except Exception as error:  # whatever damaged files make of pyarrow and datasets
        raise AssonanceError(
            f"{shown}: cannot be read as a saved dataset: {error_text(error)}; save it anew"
        ) from error
    if not len(table):
        raise AssonanceError(f"{shown}: holds no rows; name another folder")
    ids = [_words(each) or f"{row:06}" for row, each in enumerate(_column(rows, ("id",), table))]
    refuse_repeated(shown, enumerate(ids, start=1))
    speakers, languages, texts = (_column(rows, names, table) for names in _COLUMNS)
    return [
        Entry(
            id,
            folder / f"row {row}",
            recording=id,
            embedded=_bytes_of(audio, columns[0], row),
            **About(
                speaker=_words(speakers[row]),
                language=_words(languages[row]),
                text=_words(texts[row]),
            ),
        )
        for row, id in enumerate(ids)
    ]


def _bytes_of(table: Any, column: str, row: int) -> Callable[[], bytes]:
    def read() -> bytes:
        kept = table[row][column] or {}
        if kept.get("bytes") is None:
            raise ValueError("the dataset was saved without it")
        return bytes(kept["bytes"])

    return read


def _column(rows: Any, names: Sequence[str], table: Any) -> Sequence[Any]:
    known = [name for name in names if name in rows]
    return rows[known[0]] if known else [None] * len(table)


def _words(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)
