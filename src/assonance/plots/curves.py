"""Draw curves over depth: panels, line styles, ticks and legends that figures share."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from assonance.comparison.result import Comparison
from assonance.errors import printable
from assonance.plots.scales import Scale, number
from assonance.tables import cells
from assonance.tables.floors_and_ceilings import Reference

# The colours of Okabe & Ito that are legible on white, each with its own marker.
STYLES = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#56B4E9", "v"),
    ("#E69F00", "P"),
    ("#000000", "X"),
)

QUIET = "#767676"


def short(name: str, most: int = 26) -> str:
    """Shorten a name for an axis, and escape ``$`` from matplotlib's mathematics."""
    text = printable(name)
    if len(text) > most:
        half = max(most // 2, 3)
        text = f"{text[:half]}…{text[1 - half :]}"
    return text.replace("$", r"\$")


def ruled(axes: Axes) -> None:
    """Add a pale grid behind the data."""
    axes.grid(color="#e6e6e6", lw=0.6)
    axes.set_axisbelow(True)


def panels(comparison: Comparison) -> tuple[Figure, Mapping[str, Axes]]:
    """Make a figure with one panel per model, two per line."""
    models = comparison.models
    lines = math.ceil(len(models) / 2)
    layout = ConstrainedLayoutEngine(h_pad=0.1)
    figure = Figure(figsize=(9, 0.8 + 3.9 * lines), layout=layout)
    panels = {}
    for place, model in enumerate(models):
        axes = figure.add_subplot(lines, 2, place + 1)
        axes.set_title(f"each layer of {short(model)}", size=11)
        axes.set_xlim(-0.05, 1.05)
        axes.set_xticks(*depth_ticks(comparison.layers(model)), rotation=90, size=8)
        axes.set_xlabel(f"layer of {short(model)}, first to last")
        ruled(axes)
        panels[model] = axes
    return figure, panels


def relative_depth_axis(axes: Axes) -> None:
    """Label an axis that layers of all models share, by their relative depth."""
    axes.set_xlim(-0.05, 1.05)
    axes.set_xticks([0, 0.5, 1], ["first layer", "middle", "last layer"])
    axes.set_xlabel("relative depth of the layer in its model")


def depth_ticks(layers: Sequence[str]) -> tuple[list[float], list[str]]:
    """Return ticks at the relative depths of layers, and their labels: at most 13."""
    step = math.ceil(len(layers) / 13)
    places = range(0, len(layers), step)
    return (
        [cells.depth(place, len(layers)) for place in places],
        [short(layers[place], 16) for place in places],
    )


def style(comparison: Comparison, model: str) -> dict[str, Any]:
    """Return the line style of a model, the same in every panel and figure."""
    turn, place = divmod(comparison.models.index(model), len(STYLES))
    color, marker = STYLES[place][0], STYLES[(place + turn) % len(STYLES)][1]
    return {"color": color, "marker": marker, "ms": 5, "lw": 1.8}


def pairs(table: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """Split a table of best layers by row and column model."""
    return {
        (str(row), str(col)): part
        for (row, col), part in table.groupby(level=["model_row", "model_col"], sort=False)
    }


def draw(
    axes: Axes,
    parts: Mapping[tuple[str, str], pd.DataFrame],
    row: str,
    comparison: Comparison,
    limits: Scale,
    references: Sequence[Reference] = (),
) -> None:
    """Draw the panel of one model: a line for each other model, with the references.

    Parameters
    ----------
    axes, row
        The panel, and its model.
    parts
        Tables as `pairs` returns them.
    comparison
        Its models, for their styles.
    limits
        Scale of the values.
    references
        Columns to draw as lines too, as `assonance.tables.floors_and_ceilings.drawn` lists them.
    """
    others = [name for name in comparison.models if name != row]
    for col in others:
        line(axes, parts[row, col], col, style(comparison, col), limits, references)
    for each in references:
        if each.line is not None and each.line.color is not None:
            # The same for all other models: any part has it.
            part = parts[row, others[0]]
            values = limits.clip(part[each.column])
            axes.plot(part["depth_row"], values, label=each.label, **_look(each))


def line(
    axes: Axes,
    table: pd.DataFrame,
    name: str,
    look: dict[str, Any],
    limits: Scale,
    references: Sequence[Reference] = (),
) -> None:
    """Draw estimates over depth with their intervals, and references as thin lines."""
    drawn = table["estimate"] if "estimate" in table else table["value"]
    axes.plot(table["depth_row"], limits.clip(drawn), label=name, **look)
    if "low" in table:
        low, high = (limits.clip(table[end]) for end in ("low", "high"))
        axes.fill_between(table["depth_row"], low, high, color=look["color"], alpha=0.2, lw=0)
    # Ceilings first, so that floors lie on top.
    for each in reversed(references):
        if each.line is not None and each.line.color is None:
            thin = look | {"marker": "", "alpha": 0.7, "ls": each.line.style, "lw": each.line.width}
            values = limits.clip(table[each.column])
            axes.plot(table["depth_row"], values, label=f"{each.kind} {name}", **thin)


def value_axis(axes: Axes, limits: Scale) -> None:
    """Set the value axis to a scale, and mark its ends if values beyond are drawn there."""
    span = limits.high - limits.low
    axes.set_ylim(limits.low - 0.03 * span, limits.high + 0.03 * span)
    places = np.linspace(limits.low, limits.high, 6)
    labels = [number(place) for place in places]
    if limits.clipped:
        labels[0] = f"≤ {labels[0]}"
    if limits.capped:
        labels[-1] = f"≥ {labels[-1]}"
    axes.set_yticks(places, labels)


def reference_handles(references: Sequence[Reference]) -> list[Line2D]:
    """Make the legend entries of references."""
    return [Line2D([], [], label=each.label, **_look(each)) for each in references]


def _look(reference: Reference) -> dict[str, Any]:
    """Return the line style of a reference, grey unless it has its own colour."""
    line = reference.line
    if line is None:
        return {}
    return {"color": line.color or QUIET, "ls": line.style, "lw": line.width}


def band_handles(table: pd.DataFrame) -> list[Patch]:
    """Make the legend entry of intervals; empty if there are none."""
    defined = "low" in table and bool(table["low"].notna().any())
    return [Patch(color=QUIET, alpha=0.3, lw=0, label="95 % interval")] if defined else []


def dashed_handle(label: str) -> Line2D:
    """Make the legend entry of a dashed line."""
    return Line2D([], [], color=QUIET, ls="--", lw=1.1, label=label)


def finish(
    figure: Figure,
    comparison: Comparison,
    heading: str,
    extra: Sequence[Line2D | Patch],
    whose: str = "best layer of",
) -> None:
    """Add the legend and the title of a figure.

    Parameters
    ----------
    figure, comparison
        The figure, and its models for the legend.
    heading
        Title of the figure.
    extra
        Further legend entries.
    whose
        Words before each model's name in the legend.
    """
    handles = [
        Line2D([], [], label=f"{whose} {short(model)}", **style(comparison, model))
        for model in comparison.models
    ]
    figure.legend(handles=[*handles, *extra], loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(heading, weight="bold")
