"""Format tables: headings, and numbers rounded as in the figures."""

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assonance.errors import printable
from assonance.report.packing import DIGITS, rounded

MISSING = "–"


@dataclass(frozen=True)
class Header:
    """A heading cell of a table that spans some columns."""

    text: str
    columns: int = 1


@dataclass(frozen=True)
class Grid:
    """A formatted table: heading rows, then rows of heading cells followed by data cells."""

    head: tuple[tuple[Header, ...], ...]
    body: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


def grid(table: pd.DataFrame) -> Grid:
    """Format a table: index levels as row headings, column levels as heading rows."""
    levels = table.columns.nlevels
    corner = [printable(str(name)) for name in table.index.names]
    head = []
    for level in range(levels):
        names = table.columns.get_level_values(level)
        grouped = itertools.groupby(names) if level < levels - 1 else ((n, (n,)) for n in names)
        last = level == levels - 1
        row = [Header(name if last else "") for name in corner]
        row += [Header(printable(str(name)), len(list(group))) for name, group in grouped]
        head.append(tuple(row))
    labels = table.index if table.index.nlevels > 1 else ((label,) for label in table.index)
    body = tuple(
        (tuple(printable(str(part)) for part in label), tuple(map(cell, row)))
        for label, row in zip(labels, table.itertuples(index=False), strict=True)
    )
    return Grid(tuple(head), body)


def cell(value: object) -> str:
    """Format a value: floats with three decimals, missing values as a dash."""
    if value is None or value is pd.NA or value != value:
        return MISSING
    if isinstance(value, tuple):
        return ", ".join(map(cell, value))
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return f"{float(rounded(value)):.{DIGITS}f}"
    return printable(str(value))
