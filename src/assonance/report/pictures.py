"""What a section shows: pictures as inline SVG, each with its numbers as a table."""

import io
import itertools
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib as mpl
import pandas as pd
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from assonance.errors import printable

MISSING = "–"


_REFERENCE = re.compile(r'(\bid="|href="#|url\(#)')


@dataclass(frozen=True)
class Header:
    """A heading cell of a table, over some columns."""

    text: str
    columns: int = 1


@dataclass(frozen=True)
class Grid:
    """A table as the page prints it: rows of headings, then rows that begin with headings."""

    head: tuple[tuple[Header, ...], ...]
    body: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


@dataclass(frozen=True)
class Picture:
    """A figure, what it shows in words, and the numbers in it.

    Attributes
    ----------
    id
        Unique on the page; names the files saved from it.
    caption, alternative
        For all readers; for those who see no picture.
    svg, grid
        The figure and its numbers.
    reading
        "raw" or "share" where there are two pictures of one thing, of which one is shown.
    """

    id: str
    caption: str
    alternative: str
    svg: Markup
    grid: Grid
    reading: str = ""


def picture(
    id: str,
    draw: Callable[[], Figure],
    table: pd.DataFrame,
    caption: str,
    alternative: str,
    reading: str = "",
) -> Picture:
    """Draw a figure and set its table."""
    return Picture(id, caption, alternative, svg(draw, id), grid(table), reading)


def svg(draw: Callable[[], Figure], id: str) -> Markup:
    """Draw a figure as SVG to stand in a page among others; the same figure, the same bytes.

    Parameters
    ----------
    draw
        Makes the figure.
    id
        Prefix of every id in it: ids are unique on the whole page.
    """
    file = io.StringIO()
    with mpl.rc_context(), warnings.catch_warnings():
        # A reader's browser has fonts for what matplotlib's own lacks.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        mpl.rcdefaults()
        mpl.rcParams.update({"svg.hashsalt": "assonance", "svg.fonttype": "none"})
        figure = draw()
        _lay_out(figure)
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    # matplotlib escapes what it writes into an SVG.
    return Markup(_REFERENCE.sub(rf"\g<1>{id}-", text).rstrip())  # noqa: S704


def _lay_out(figure: Figure) -> None:
    """Place what is in a figure, once; saving would draw it all a second time for that."""
    engine = figure.get_layout_engine()
    if engine is not None:
        figure.dpi = 72  # as SVG has it
        FigureCanvasSVG(figure)
        engine.execute(figure)
        figure.set_layout_engine(None)


def grid(table: pd.DataFrame) -> Grid:
    """Set a table: index levels as row headings, column levels as rows of headings."""
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
    """Write a value: numbers with three decimals at most, what is missing as a dash."""
    if value is None or value is pd.NA or value != value:
        return MISSING
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))
