"""Draw the matrix of one measure as inline SVG, for readers without a script."""

from collections import defaultdict

import numpy as np
from markupsafe import Markup, escape

from assonance.comparison.result import Comparison
from assonance.errors import printable
from assonance.report.matches import Matches
from assonance.report.views.layers import colours, places
from assonance.report.words import title
from assonance.tables import cells

_CELL, _LEFT, _TOP = 14, 140, 30


def static_matrix(matches: Matches) -> Markup:
    """Draw the first measure's scores of all layers with all layers.

    Returns
    -------
    Markup
        An SVG with one path a colour, so that its size hardly grows with the number of layers;
        empty if nothing was computed for pairs of layers.
    """
    comparison, names = matches.comparison, matches.shown
    if not names:
        return Markup("")
    every = places(comparison)
    count = len(every)
    rows, columns = np.divmod(np.arange(count**2), count)
    at = {
        f"{part}_{side}": [every[place][k] for place in side_places]
        for side, side_places in (("row", rows), ("col", columns))
        for k, part in enumerate(("model", "layer"))
    }
    values = cells.read(comparison.scores[names[0]], at).reshape(count, count)
    between = np.array([[a[0] != b[0] for b in every] for a in every])
    known = values[np.isfinite(values) & (between if between.any() else ~between)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    steps = colours()
    paths: dict[str, list[str]] = defaultdict(list)
    for i, j in np.argwhere(np.isfinite(values)):
        part = (values[i, j] - low) / ((high - low) or 1)
        step = steps[int(np.clip(part, 0, 1) * (len(steps) - 1))]
        x, y = _LEFT + _CELL * j, _TOP + _CELL * (count - 1 - i)
        paths[step].append(f"M{x} {y}h{_CELL}v{_CELL}h-{_CELL}z")
    drawn = "".join(f'<path fill="{step}" d="{"".join(d)}"/>' for step, d in sorted(paths.items()))
    side = _CELL * count
    words = (
        f"{title(comparison, names[0])} of {count} layers with each other; dark {low:.2f} (the "
        f"lowest between models), bright {high:.2f} (the highest). First layers at the bottom left."
    )
    return Markup(  # noqa: S704 – every text in it is escaped
        f'<svg viewBox="0 0 {_LEFT + side + 10} {_TOP + side + 30}" role="img" '
        f'aria-label="{escape(words)}">{drawn}{_names(comparison, side)}</svg>'
        f"<p>{escape(words)}</p>"
    )


def _names(comparison: Comparison, side: int) -> str:
    """Write the models beside their rows and below their columns, with lines between them."""
    text, start = "", 0
    for model in comparison.models:
        width = _CELL * len(comparison.layers(model))
        middle = start + width / 2
        name = escape(printable(model)[:24])
        text += (
            f'<text x="{_LEFT - 8}" y="{_TOP + side - middle}" text-anchor="end">{name}</text>'
            f'<text x="{_LEFT + middle}" y="{_TOP + side + 18}" text-anchor="middle">{name}</text>'
        )
        start += width
    return text
