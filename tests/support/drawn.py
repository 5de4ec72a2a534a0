"""Read back what a figure shows."""

from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text


def texts(figure: Figure) -> str:
    """Return all text of a figure."""
    figure.draw_without_rendering()
    return "\n".join(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))


def lines(figure: Figure) -> dict[tuple[int, str], np.ndarray]:
    """Return the values of each labelled line of each panel."""
    return {
        (place, str(line.get_label())): np.asarray(line.get_ydata(), float)
        for place, axes in enumerate(figure.axes)
        for line in axes.lines
    }


def faults(figure: Figure) -> list[str]:
    """List the texts of a figure that are cut at its edge or lie on one another."""
    figure.draw_without_rendering()
    edge, found = figure.bbox, []
    shown = [each for each in figure.findobj(Text) if each.get_visible() and each.get_text()]
    hidden = {id(each) for axes in figure.axes for each in _not_drawn(axes)}
    boxes = [(each, each.get_window_extent()) for each in shown if id(each) not in hidden]
    for text, box in boxes:
        if not (edge.x0 - 1 <= box.x0 and box.x1 <= edge.x1 + 1):
            found.append(f"cut at a side: {text.get_text()!r}")
        if not (edge.y0 - 1 <= box.y0 and box.y1 <= edge.y1 + 1):
            found.append(f"cut above or below: {text.get_text()!r}")
    for (one, a), (other, b) in combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        up = min(a.y1, b.y1) - max(a.y0, b.y0)
        if min(across, up) > 1:
            found.append(f"on one another: {one.get_text()!r} and {other.get_text()!r}")
    return found


def _not_drawn(axes: Axes) -> list[Text]:
    """Return the labels of ticks that axes keep but do not draw."""
    found = []
    for axis in (axes.xaxis, axes.yaxis):
        drawn = axis._update_ticks() if axes.axison else []
        kept = [*axis.majorTicks, *axis.minorTicks]
        found += [text for tick in kept if tick not in drawn for text in (tick.label1, tick.label2)]
    return found
