"""Read the scores of one measure as a plain table, one number a cell, and format it."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from assonance.comparison.lookup import find_measure, find_model
from assonance.comparison.result import CELL, Comparison
from assonance.errors import AssonanceError, printable
from assonance.tables import cells

FORMATS = ("csv", "tex", "parquet", "json")
_DIGITS = 3  # of a number in LaTeX


def scores(
    comparison: Comparison,
    measure: str,
    rows: Sequence[str] = (),
    cols: Sequence[str] = (),
    *,
    intervals: bool = False,
) -> pd.DataFrame:
    """Read the scores of a measure, one row for each.

    Parameters
    ----------
    comparison, measure
        Scores to read.
    rows, cols
        Models of the row and column layers; all, with controls, by default.
    intervals
        Whether to add estimate, low and high of the intervals.

    Returns
    -------
    pandas.DataFrame
        Columns model_row, layer_row, model_col and layer_col (the first two for a measure of
        single layers), value and, if asked for, estimate, low and high. Scores that are not
        defined are left out.

    Raises
    ------
    AssonanceError
        The measure was not taken, a model is not in the comparison, no score is left, or the
        measure has no interval.
    """
    name = find_measure(comparison, measure)
    if name not in comparison.scores:
        raise AssonanceError(f"measure {printable(name)}: has no scores of layers to export")
    array = comparison.scores[name]
    wanted = {"model_row": rows, "model_col": cols}
    chosen = {
        dim: [find_model(comparison, each) for each in models]
        for dim, models in wanted.items()
        if models and dim in array.dims
    }
    table = array.sel(chosen).to_dataframe("value").reset_index()
    if intervals:
        if name not in comparison.intervals:
            raise AssonanceError(f"measure {printable(name)}: has no intervals in this run")
        for each in ("estimate", *cells.BOUNDS):
            ends = comparison.intervals[name].sel(chosen).sel(statistic=each)
            table[each] = ends.to_series().to_numpy()
    columns = [
        *(dim for dim in CELL if dim in array.dims),
        *table.columns[table.columns.get_loc("value") :],
    ]
    table = table[columns].dropna(subset="value").reset_index(drop=True)
    if table.empty:
        raise AssonanceError(f"measure {printable(name)}: no score is defined for these models")
    return table


def matrix(table: pd.DataFrame) -> pd.DataFrame:
    """Arrange scores with a row for each row layer and a column for each column layer.

    Parameters
    ----------
    table
        As `scores` returns it, of a measure of pairs of layers.

    Returns
    -------
    pandas.DataFrame
        Its first columns are model and layer; the others are named ``MODEL LAYER``.
    """
    if "layer_col" not in table:
        return table
    named = table.assign(column=table["model_col"] + " " + table["layer_col"])
    order = list(dict.fromkeys(named["column"]))
    keys = ["model_row", "layer_row"]
    rows = pd.MultiIndex.from_frame(named[keys].drop_duplicates())
    wide = named.pivot(index=keys, columns="column", values="value").loc[rows, order]
    return wide.rename_axis(columns=None).reset_index()


def formatted(table: pd.DataFrame, kind: str) -> bytes:
    """Format a table as a file's content.

    Parameters
    ----------
    table
        The table; its columns are text or numbers.
    kind
        One of `FORMATS`. In ``csv``, ``json`` and ``parquet`` numbers read back to the last bit;
        in ``tex`` they have three decimals.

    Raises
    ------
    AssonanceError
        There is no such format, or what writes it is not installed.
    """
    if kind not in _WRITERS:
        raise AssonanceError(
            f"format {printable(kind)!r}: choose a file that ends in one of "
            f"{', '.join(f'.{each}' for each in FORMATS)}"
        )
    return _WRITERS[kind](table)


def format_of(path: Path) -> str:
    """Return the format that a file's ending asks for, or an empty text."""
    return path.suffix.lower().removeprefix(".")


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n").encode()


def _json(table: pd.DataFrame) -> bytes:
    rows = [
        {str(key): _plain(value) for key, value in row.items()}
        for row in table.to_dict(orient="records")
    ]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f"[\n{lines}\n]\n".encode()


def _plain(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


def _parquet(table: pd.DataFrame) -> bytes:
    try:
        content = table.to_parquet(None, index=False)
    except ImportError as error:
        raise AssonanceError(
            "Parquet: needs pyarrow; install it with `pip install 'assonance[parquet]'`"
        ) from error
    return bytes(content)


def _tex(table: pd.DataFrame) -> bytes:
    """Format a table for the package booktabs."""
    text = ~table.columns.isin(table.select_dtypes("number").columns)
    head = " & ".join(map(_escaped, table.columns))
    lines = [" & ".join(map(_cell, row)) for row in table.itertuples(index=False)]
    body = "".join(f"{line} \\\\\n" for line in lines)
    layout = "".join("l" if each else "r" for each in text)
    return (
        f"\\begin{{tabular}}{{{layout}}}\n\\toprule\n{head} \\\\\n\\midrule\n{body}"
        "\\bottomrule\n\\end{tabular}\n"
    ).encode()


def _cell(value: object) -> str:
    if isinstance(value, float):
        number = "" if math.isnan(value) else f"{value:.{_DIGITS}f}"
        return f"$-${number[1:]}" if number.startswith("-") else number
    return _escaped(value)


def _escaped(value: object) -> str:
    """Escape what LaTeX takes for commands."""
    return "".join(_SPECIAL.get(sign, sign) for sign in printable(str(value)))


_SPECIAL: Mapping[str, str] = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "−": "$-$",
}
_WRITERS: Mapping[str, Callable[[pd.DataFrame], bytes]] = {
    "csv": _csv,
    "tex": _tex,
    "parquet": _parquet,
    "json": _json,
}
