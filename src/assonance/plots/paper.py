"""Fit figures to the width of a paper's column or page, with text that can be read there."""

import io
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text

from assonance.errors import AssonanceError, printable
from assonance.utils.files import write_together

Width = Literal["column", "page", "screen"]
FORMATS = ("pdf", "svg", "png")
_DPI = 300
_POINT = 1 / 72  # inch
# Width of a digit and height of a line, as a share of the text's size.
_DIGIT, _LINE = 0.64, 1.25
# A layout changes what fits, which changes the layout.
_ROUNDS = 4
_MOST_LINES = 3  # of a name
# Height of a panel as a share of its width; the longest side of a square one, in inches.
_HEIGHT, _SQUARE = 0.56, 5.5
# Share of a cell beside the curve in it.
_ASIDE = 0.3
# Height of a figure, as a share of its width, at which a square panel has the full width.
_TALL = 1.6


@dataclass(frozen=True)
class Size:
    """A width, and how large text and lines are at that width.

    Attributes
    ----------
    inches
        Width of the figure.
    text, heading
        Size of text and of the title, in points.
    lines
        Widths of lines and sizes of markers, as a share of those on the screen.
    panels
        Largest number of panels side by side.
    """

    inches: float
    text: float
    heading: float
    lines: float
    panels: int


SIZES = {"column": Size(3.35, 7, 8, 0.6, 1), "page": Size(6.9, 8, 9, 0.75, 2)}


def fit(figure: Figure, width: Width, title: str | None = None) -> Figure:
    """Fit a figure to a width, and give it a title.

    Parameters
    ----------
    figure
        A figure as the functions of `assonance.plots` draw it. It is changed.
    width
        ``"column"`` (3.35 inches, text of 7 points), ``"page"`` (6.9 inches, 8 points) or
        ``"screen"``, as it is.
    title
        Title instead of its own; empty for none.

    Returns
    -------
    matplotlib.figure.Figure
        The same figure. Its height follows from what it shows.

    Raises
    ------
    AssonanceError
        There is no such width.
    """
    if title is not None:
        figure.suptitle(title.replace("$", r"\$"))
    if width == "screen":
        return figure
    if width not in SIZES:
        raise AssonanceError(
            f"width {printable(str(width))!r}: choose from {', '.join((*SIZES, 'screen'))}"
        )
    size = SIZES[width]
    FigureCanvasAgg(figure)
    _arrange(figure, size)
    _restyle(figure, size)
    for image in [each for axes in figure.axes for each in axes.images]:
        _as_cells(image)
    rows = max(_rows(figure), 1)
    figure.set_size_inches(size.inches, rows * size.inches / size.panels + 1.5)
    names = {each: each.get_text() for axes in figure.axes for each in _names(axes)}
    for axes in figure.axes:
        _name_tiles(axes, size.inches / 2, names)
    for _ in range(_ROUNDS):
        _lay_out(figure, size, names)
    for axes in figure.axes:
        _thin(axes, size)
        _drop_numbers(axes, size)
    _lay_out(figure, size, names)
    return figure


def content(figure: Figure, kind: str) -> bytes:
    """Return the file of a figure; the same figure gives the same bytes.

    Fonts are embedded as TrueType in a PDF, and text stays text in an SVG.

    Parameters
    ----------
    figure
        The figure.
    kind
        One of `FORMATS`.

    Raises
    ------
    AssonanceError
        There is no such format.
    """
    if kind not in FORMATS:
        raise AssonanceError(
            f"format {printable(kind)!r}: choose a file that ends in one of "
            f"{', '.join(f'.{each}' for each in FORMATS)}"
        )
    dates: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
    file = io.BytesIO()
    options: dict[Any, Any] = {
        "pdf.fonttype": 42,
        "svg.fonttype": "none",
        "svg.hashsalt": "assonance",
    }
    with mpl.rc_context(options):
        figure.savefig(file, format=kind, dpi=_DPI, metadata=dates.get(kind))
    return file.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PDF, SVG or PNG file, by the file's ending; see `content`."""
    kind = path.suffix.lower().removeprefix(".")
    write_together({path: content(figure, kind)})


# Below, figures and axes are Any: by the types of matplotlib, any part of them may be missing.


def _panels(figure: Any) -> list[Any]:
    """Return the axes that show data, without those of a colour bar."""
    return [each for each in figure.axes if each.get_subplotspec() and not _is_bar(each)]


def _is_bar(axes: Any) -> bool:
    return bool(axes.get_label() == "<colorbar>")


def _arrange(figure: Any, size: Size) -> None:
    """Put panels side by side only as far as the width has room."""
    panels = _panels(figure)
    across = {each.get_subplotspec().get_gridspec().ncols for each in panels}
    if across and max(across) > size.panels:
        grid = GridSpec(math.ceil(len(panels) / size.panels), size.panels, figure)
        for place, each in enumerate(panels):
            each.set_subplotspec(grid[divmod(place, size.panels)])


def _restyle(figure: Any, size: Size) -> None:
    """Set the sizes of text, lines and markers."""
    for text in figure.findobj(Text):
        text.set_fontsize(size.text)
    if figure._suptitle is not None:
        figure._suptitle.set_fontsize(size.heading)
    for line in figure.findobj(Line2D):
        line.set_linewidth(line.get_linewidth() * size.lines)
        line.set_markersize(line.get_markersize() * size.lines)
        line.set_markeredgewidth(line.get_markeredgewidth() * size.lines)
    for each in figure.findobj(lambda a: isinstance(a, LineCollection | PathCollection)):
        each.set_linewidth(np.asarray(each.get_linewidth()) * size.lines)
    for axes in figure.axes:
        axes.tick_params(width=0.8 * size.lines, length=3 * size.lines, pad=2)
        axes.xaxis.labelpad = axes.yaxis.labelpad = 2
        for spine in axes.spines.values():
            spine.set_linewidth(spine.get_linewidth() * size.lines)


def _as_cells(image: Any) -> None:
    """Replace an image by its cells as vectors, which no viewer blurs."""
    axes, values = image.axes, image.get_array()
    edges = [np.arange(count + 1) - 0.5 for count in values.shape[::-1]]
    limits = axes.get_xlim(), axes.get_ylim()
    # Edges of their own colour hide the seams that viewers leave between cells.
    mesh = axes.pcolormesh(
        *edges, values, cmap=image.cmap, norm=image.norm, edgecolors="face", linewidth=0.2, zorder=0
    )
    axes.set(xlim=limits[0], ylim=limits[1], aspect="equal")
    bar = image.colorbar
    image.remove()
    if bar is not None:
        bar.update_normal(mesh)
        bar.solids.set(edgecolor="face", rasterized=False)


def _lay_out(figure: Any, size: Size, names: Mapping[Annotation, str]) -> None:
    """Wrap text and choose the height, from where a first drawing has put things."""
    if any(each.get_aspect() == 1 for each in _panels(figure)):
        figure.set_figheight(min(_TALL * size.inches, _SQUARE + 2))
    figure.draw_without_rendering()
    for legend in list(figure.legends):
        _relay(figure, legend, size)
    if figure._suptitle is not None and figure._suptitle.get_text():
        _wrap(figure._suptitle, size.inches - 0.1)
    most = min(_inches(each)[1] for each in _panels(figure))
    for axes in figure.axes:
        width, height = _inches(axes)
        height = min(height, most) if _is_bar(axes) else height
        _wrap(axes.title, width)
        _wrap(axes.xaxis.label, max(width, 1.0))
        _wrap(axes.yaxis.label, max(height, 1.0))
        _name_tiles(axes, max(width, size.inches / 2), names)
    figure.draw_without_rendering()
    _set_height(figure, size)


def _wrap(text: Text, inches: float) -> None:
    """Break lines of a text where they would be longer than so many inches."""
    words = " ".join(text.get_text().split())
    if not words:
        return
    text.set_text(words)
    most = int(len(words) * inches / max(_length(text), 1e-9))
    text.set_text("\n".join(textwrap.wrap(words, max(most, 6), break_long_words=False)))


def _length(text: Text) -> float:
    """Return the length of a text along its lines, in inches."""
    box = text.get_window_extent()
    length = box.height if text.get_rotation() % 180 == 90 else box.width
    figure: Any = text.get_figure(root=True)
    return float(length / figure.dpi)


def _relay(figure: Any, legend: Any, size: Size) -> None:
    """Arrange a legend in as many columns as the width has room for."""
    handles = legend.legend_handles
    labels = [" ".join(each.get_text().split()) for each in legend.get_texts()]
    for columns in range(min(len(labels), 5), 0, -1):
        legend.remove()
        legend = figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=columns,
            frameon=False,
            fontsize=size.text,
            handlelength=1.8,
            columnspacing=1.2,
        )
        if legend.get_window_extent().width <= (size.inches - 0.1) * figure.dpi:
            return
    for each in legend.get_texts():
        _wrap(each, size.inches - 5 * size.text * _POINT)


def _names(axes: Any) -> list[Annotation]:
    """Return the names of the models of a matrix: above and beside each tile in turn."""
    square = axes.get_aspect() == 1
    return [each for each in axes.texts if square and isinstance(each, Annotation)]


def _name_tiles(axes: Any, width: float, names: Mapping[Annotation, str]) -> None:
    """Break the names of a matrix's models so that each is as short as its tile."""
    low, high = axes.get_xlim()
    lines = {float(each.get_xdata()[0]) for each in axes.lines if len(set(each.get_xdata())) == 1}
    edges = [low, *sorted(lines), high]
    for place, name in enumerate(_names(axes)):
        beside, tile = place % 2 == 1, place // 2
        name.set(rotation=-90 if beside else 0, rotation_mode="default")
        name.set(ha="left" if beside else "center", va="center" if beside else "bottom")
        inches = (edges[tile + 1] - edges[tile]) * width / (high - low)
        name.set_text(names[name])
        name.set_text(_broken(names[name], _length(name), inches))


def _broken(name: str, length: float, inches: float) -> str:
    """Break a name of some length at its punctuation, and shorten it if that is not enough."""
    most = max(int(0.9 * inches * len(name) / max(length, 1e-9)), 2)
    lines = [""]
    for part in re.split(r"(?<=[-_/. ])", name):
        if lines[-1] and len(lines[-1]) + len(part) > most:
            lines.append("")
        lines[-1] += part
    shown = [line if len(line) <= most else f"{line[: most - 1]}…" for line in lines]
    return "\n".join(shown[:_MOST_LINES])


def _inches(axes: Any) -> tuple[float, float]:
    """Return the width and height that a layout gives to axes, before an aspect limits them."""
    box, (wide, high) = axes.get_position(original=True), axes.figure.get_size_inches()
    if axes.get_aspect() == 1:
        return (min(box.width * wide, box.height * high),) * 2
    return box.width * wide, box.height * high


def _thin(axes: Any, size: Size) -> None:
    """Keep as many labels of ticks as have room, always the first."""
    (width, height), line = _inches(axes), _LINE * size.text * _POINT
    labels = [each for each in axes.get_xticklabels() if each.get_text()]
    if labels and labels[0].get_rotation() == 90:
        _every(axes.xaxis, width, line)
    elif labels:
        _every(axes.xaxis, width, max(map(_length, labels)) + line / 2)
    if len(axes.get_yticks()) > 6 and not _is_bar(axes):
        _every(axes.yaxis, height, line)


def _every(axis: Any, length: float, line: float) -> None:
    """Keep every k-th tick, so that labels are at least a line apart."""
    places = list(axis.get_majorticklocs())
    if len(places) < 2:
        return
    low, high = sorted(axis.get_view_interval())
    apart = length * min(abs(b - a) for a, b in pairwise(places))
    step = max(math.ceil(line * (high - low) / max(apart, 1e-9)), 1)
    if step > 1:
        labels = [each.get_text() for each in axis.get_majorticklabels()]
        axis.set_ticks(places[::step], labels[::step])


def _drop_numbers(axes: Any, size: Size) -> None:
    """Remove what is written in cells if they are too narrow for it."""
    numbers = [each for each in axes.texts if not isinstance(each, Annotation)]
    if not numbers:
        return
    low, high = axes.get_xlim()
    room = 1 if axes.get_aspect() == 1 else _ASIDE
    longest = max(len(each.get_text()) for each in numbers)
    if longest * size.text * _POINT * _DIGIT > room * _inches(axes)[0] / (high - low):
        for each in numbers:
            each.remove()


def _set_height(figure: Any, size: Size) -> None:
    """Change the figure's height so that its panels have the height that they should."""
    panels = _panels(figure)
    if any(each.get_aspect() == 1 for each in panels):
        figure.set_figheight(_height_around(figure, panels, size))
        for _ in range(2):
            figure.draw_without_rendering()
            beyond = -min(each.get_tightbbox().y0 for each in panels) / figure.dpi
            figure.set_figheight(figure.get_figheight() + max(beyond + 0.03, 0))
        return
    high = figure.get_figheight()
    missing = max(_wanted(each, size) - _inches(each)[1] for each in panels)
    figure.set_figheight(max(high + missing * _rows(figure), 0.4 * size.inches))


def _height_around(figure: Any, panels: Sequence[Any], size: Size) -> float:
    """Return the height of all that a square panel is drawn with, at the full width."""
    figure.set_figheight(min(_TALL * size.inches, _SQUARE + 2))
    figure.draw_without_rendering()
    title = [figure._suptitle] if figure.get_suptitle() else []
    boxes = [each.get_tightbbox() for each in (*panels, *title, *figure.legends)]
    texts = [each.get_tightbbox() for axes in panels for each in axes.texts]
    top = max(box.y1 for box in (boxes[0], *texts))
    heights = [box.height for box in boxes[1:]]
    around = top - min(box.y0 for box in (boxes[0], *texts)) + sum(heights)
    return float(around / figure.dpi) + 0.08 * (len(heights) + 2)


def _rows(figure: Any) -> int:
    return len({each.get_subplotspec().rowspan.start for each in _panels(figure)})


def _wanted(axes: Any, size: Size) -> float:
    """Return the height that a panel should have for its width, in inches."""
    line = _LINE * size.text * _POINT
    rows = len({round(each.get_position()[1], 3) for each in axes.texts})
    if rows > 1:  # rows of small pictures, each with a word
        return 1.5 * rows * line
    return max(_HEIGHT * _inches(axes)[0], len(axes.get_yticks()) * line)
