"""Read back what a figure shows."""

import numpy as np
from matplotlib.figure import Figure


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
