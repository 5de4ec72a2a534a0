"""Lines over the depth of models: panels, looks, ticks and legends that figures share."""

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
from assonance.tables import cells, floors_and_ceilings

# Okabe & Ito's colours that hold on white, each with a marker of its own.
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


ACOUSTICS: dict[str, Any] = {"color": "#444444", "ls": "-.", "lw": 1.3}


def short(name: str, most: int = 26) -> str:
    """Make a name fit on an axis, and keep matplotlib from reading it as mathematics."""
    text = printable(name)
    if len(text) > most:
        half = max(most // 2, 3)
        text = f"{text[:half]}…{text[1 - half :]}"
    return text.replace("$", r"\$")


def ruled(axes: Axes) -> None:
    """Rule axes quietly, behind what is drawn."""
    axes.grid(color="#e6e6e6", lw=0.6)
    axes.set_axisbelow(True)


def panels(comparison: Comparison) -> tuple[Figure, Mapping[str, Axes]]:
    """Make one panel a model, two side by side."""
    models = comparison.models
    lines = math.ceil(len(models) / 2)
    layout = ConstrainedLayoutEngine(h_pad=0.1)
    figure = Figure(figsize=(9, 0.8 + 3.9 * lines), layout=layout)
    places = {}
    for place, model in enumerate(models):
        axes = figure.add_subplot(lines, 2, place + 1)
        axes.set_title(f"each layer of {short(model)}", size=11)
        axes.set_xlim(-0.05, 1.05)
        axes.set_xticks(*depth_ticks(comparison.layers(model)), rotation=90, size=8)
        axes.set_xlabel(f"layer of {short(model)}, first to last")
        ruled(axes)
        places[model] = axes
    return figure, places


def depth_ticks(layers: Sequence[str]) -> tuple[list[float], list[str]]:
    """Label layers at their relative depth, at most 13 of them."""
    step = math.ceil(len(layers) / 13)
    places = range(0, len(layers), step)
    return (
        [cells.depth(place, len(layers)) for place in places],
        [short(layers[place], 16) for place in places],
    )


def style(comparison: Comparison, model: str) -> dict[str, Any]:
    """Line of a model, the same in every panel and figure."""
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
) -> None:
    """Draw one line each other model, and its floor."""
    for col in (name for name in comparison.models if name != row):
        line(axes, parts[row, col], col, style(comparison, col), limits)


def line(axes: Axes, table: pd.DataFrame, name: str, look: dict[str, Any], limits: Scale) -> None:
    """Draw estimates over depth with their intervals, and floor and ceiling quietly."""
    drawn = table["estimate"] if "estimate" in table else table["value"]
    axes.plot(table["depth_row"], limits.clip(drawn), label=name, **look)
    if "low" in table:
        low, high = (limits.clip(table[end]) for end in ("low", "high"))
        axes.fill_between(table["depth_row"], low, high, color=look["color"], alpha=0.2, lw=0)
    ceiling = floors_and_ceilings.ceiling_name(table)
    if ceiling is not None:
        above = look | {"lw": 1.1, "ls": ":", "marker": "", "alpha": 0.7}
        axes.plot(table["depth_row"], limits.clip(table[ceiling]), label=f"ceiling {name}", **above)
    if "floor" in table:
        quieter = look | {"lw": 1.1, "ls": "--", "marker": "", "alpha": 0.7}
        axes.plot(table["depth_row"], limits.clip(table["floor"]), label=f"floor {name}", **quieter)


def value_axis(axes: Axes, limits: Scale) -> None:
    """Fix the value axis to the scale, and say at its foot what was drawn there."""
    span = limits.high - limits.low
    axes.set_ylim(limits.low - 0.03 * span, limits.high + 0.03 * span)
    places = np.linspace(limits.low, limits.high, 6)
    labels = [number(place) for place in places]
    if limits.clipped:
        labels[0] = f"≤ {labels[0]}"
    if limits.capped:
        labels[-1] = f"≥ {labels[-1]}"
    axes.set_yticks(places, labels)


def ceiling_handles(table: pd.DataFrame) -> list[Line2D]:
    """Make the legend's sample of a dotted line, where there is a ceiling."""
    name = floors_and_ceilings.ceiling_name(table)
    if name is None:
        return []
    label = f"ceiling: {floors_and_ceilings.CEILINGS[name]}"
    return [Line2D([], [], color=QUIET, ls=":", lw=1.1, label=label)]


def acoustics(axes: Axes, table: pd.DataFrame, limits: Scale) -> None:
    """Draw what log-mel frames alone reach of a model's layers: the same beside every other."""
    axes.plot(table["depth_row"], limits.clip(table["acoustics"]), **ACOUSTICS)


def acoustics_handles(table: pd.DataFrame) -> list[Line2D]:
    """Make the legend's sample of the line of log-mel frames, where they were compared."""
    return (
        [Line2D([], [], label=floors_and_ceilings.ACOUSTICS, **ACOUSTICS)]
        if "acoustics" in table
        else []
    )


def band_handles(table: pd.DataFrame) -> list[Patch]:
    """Make the legend's sample of a band, where there are intervals."""
    known = "low" in table and bool(table["low"].notna().any())
    return [Patch(color=QUIET, alpha=0.3, lw=0, label="95 % interval")] if known else []


def floor_handle(label: str) -> Line2D:
    """Make the legend's sample of a dashed line."""
    return Line2D([], [], color=QUIET, ls="--", lw=1.1, label=label)


def finish(
    figure: Figure,
    comparison: Comparison,
    heading: str,
    extra: Sequence[Line2D | Patch],
    whose: str = "best layer of",
) -> None:
    """Add what all panels share: one legend, one title."""
    handles = [
        Line2D([], [], label=f"{whose} {short(model)}", **style(comparison, model))
        for model in comparison.models
    ]
    figure.legend(handles=[*handles, *extra], loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(heading, weight="bold")
