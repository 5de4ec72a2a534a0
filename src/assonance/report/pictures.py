"""Figures of the report: inline SVG, each with its numbers as a table."""

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
# Ids in an SVG, and what refers to them.
_REFERENCE = re.compile(r'(\bid="|href="#|url\(#)')


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


@dataclass(frozen=True)
class Picture:
    """A figure with its caption, its alternative text and its numbers.

    Attributes
    ----------
    id
        Unique on the page; also the name of files saved from it.
    caption, alternative
        Text below the figure; text for readers who cannot see it.
    svg, grid
        The figure and its numbers.
    reading
        "raw" or "share" if the same scores are drawn in both ways and one is shown at a time.
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
    """Draw a figure and format its table."""
    return Picture(id, caption, alternative, svg(draw, id), grid(table), reading)


def svg(draw: Callable[[], Figure], id: str) -> Markup:
    """Render a figure as inline SVG; the same figure gives the same bytes.

    Parameters
    ----------
    draw
        Returns the figure.
    id
        Prefix of every id in it, so that ids are unique on the page.
    """
    file = io.StringIO()
    with mpl.rc_context(), warnings.catch_warnings():
        # The browser has fonts for characters that matplotlib's font lacks.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        mpl.rcdefaults()
        mpl.rcParams.update({"svg.hashsalt": "assonance", "svg.fonttype": "none"})
        figure = draw()
        _lay_out(figure)
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    # Markup is safe: matplotlib escapes text in its SVG.
    return Markup(_REFERENCE.sub(rf"\g<1>{id}-", text).rstrip())  # noqa: S704


def _lay_out(figure: Figure) -> None:
    """Compute the layout once; savefig would draw the whole figure a second time for it."""
    engine = figure.get_layout_engine()
    if engine is not None:
        figure.dpi = 72  # of matplotlib's SVG
        FigureCanvasSVG(figure)
        engine.execute(figure)
        figure.set_layout_engine(None)


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
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))
