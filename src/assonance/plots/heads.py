"""Draw attention heads: where they look, and how similar their best matches are."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from assonance.comparison.result import Comparison
from assonance.plots import curves
from assonance.plots.scales import scale, title
from assonance.tables import heads as head_tables

# A letter and a colour of Okabe & Ito for each kind.
LOOKS = {
    "diagonal": ("D", "#0072B2"),
    "vertical": ("V", "#D55E00"),
    "global": ("G", "#767676"),
    "positional": ("P", "#009E73"),
    head_tables.CONTENT: ("C", "#CC79A7"),
}
# Frames before and after the query that profiles show.
REACH = 25


def head_kinds(comparison: Comparison) -> Figure:
    """Draw the offset profile of every head, layer by layer, sorted by kind.

    Parameters
    ----------
    comparison
        Heads to draw.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per model, one column per layer. A profile goes from past (left) to future
        (right) and is scaled to its own peak. Its letter and colour give the kind of the head in
        `assonance.tables.heads.heads`, its number the index of the head.

    Raises
    ------
    AssonanceError
        No attention was compared.
    """
    table = head_tables.heads(comparison)
    models = head_tables.with_heads(comparison)
    most = max(int(table.index.get_level_values("head_row").max()) + 1, 1)
    figure = Figure(figsize=(9, 1.2 + len(models) * (0.9 + 0.34 * most)), layout="constrained")
    for place, model in enumerate(models):
        axes = figure.add_subplot(len(models), 1, place + 1)
        axes.set_title(f"heads of {curves.short(model)}", size=11)
        profiles = head_tables.profiles(comparison, model)
        near = profiles.sel(offset=slice(-REACH, REACH))
        layers = profiles["layer_row"].to_numpy().tolist()
        for column, layer in enumerate(layers):
            _column(axes, table.loc[model, layer], near.sel(layer_row=layer), column)
        axes.set(xlim=(0, len(layers)), ylim=(-0.15, most), yticks=[], xlabel="layer")
        step = math.ceil(len(layers) / 13)
        shown = range(0, len(layers), step)
        axes.set_xticks(
            [each + 0.5 for each in shown], [curves.short(layers[each], 16) for each in shown]
        )
        axes.tick_params(axis="x", labelsize=8, length=0)
        for spine in axes.spines.values():
            spine.set_color("#cccccc")
    handles = [
        Line2D([], [], color=color, lw=2, label=f"{letter}: {kind}")
        for kind, (letter, color) in LOOKS.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    heading = f"Where do heads look? From {REACH} frames before the query to {REACH} after it"
    figure.suptitle(heading, weight="bold")
    return figure


def _column(axes: Axes, heads: pd.DataFrame, profiles: xr.DataArray, column: int) -> None:
    """Draw the profiles of one layer's heads, sorted by kind, from the bottom up."""
    order = list(LOOKS)
    ranked = heads.assign(rank=heads["kind"].map(order.index)).sort_values(
        ["rank", "peak_offset"], kind="stable"
    )
    for line, (head, row) in enumerate(ranked.iterrows()):
        letter, color = LOOKS[row["kind"]]
        heights = profiles.to_numpy()[int(str(head))]
        across = column + 0.27 + 0.68 * np.linspace(0, 1, len(heights))
        up = line + 0.72 * heights / max(np.nanmax(heights), 1e-12)
        drawn = LineCollection([np.column_stack([across, up])], colors=color, lw=1.1)
        drawn.set_label(f"{profiles['layer_row'].item()} {head}")
        axes.add_collection(drawn)
        axes.text(column + 0.02, line + 0.36, f"{letter}{head}", size=6, color=color, va="center")


def head_matches(comparison: Comparison, measure: str) -> Figure:
    """Draw the score of each head with its best match, against that of positions alone or depth.

    Parameters
    ----------
    comparison, measure
        Scores to draw, by a measure of heads.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per model, one point per head and other model. The numbers are ``position`` and
        ``value`` of `assonance.tables.heads.head_matches`. Where ``position`` is no floor, heads
        are drawn at the depth of their layer instead.

    Raises
    ------
    AssonanceError
        The measure was not computed, or only one model has heads.
    """
    table = head_tables.head_matches(comparison, measure)
    limits = scale(comparison, measure)
    low, high = limits.low, limits.high
    figure, panels = curves.panels(comparison)
    parts = curves.pairs(table)
    models = head_tables.with_heads(comparison)
    floor = table["position"].notna().any()
    for row, axes in panels.items():
        if row not in models:
            axes.set_title(f"{curves.short(row)} has no heads", size=11)
            axes.set_axis_off()
            continue
        if floor:
            axes.axline((low, low), slope=1, color=curves.QUIET, ls="--", lw=1)
        for col in (each for each in models if each != row):
            part = parts[row, col]
            look = curves.style(comparison, col) | {"ls": "", "alpha": 0.7, "lw": 0}
            across = limits.clip(part["position"]) if floor else _places(comparison, row, part)
            axes.plot(across, limits.clip(part["value"]), label=col, **look)
        axes.set_title(f"each head of {curves.short(row)}", size=11)
        if floor:
            margin = 0.03 * (high - low)
            axes.set_xlim(low - margin, high + margin)
            axes.set_xticks(np.linspace(low, high, 6))
            axes.xaxis.set_major_formatter("{x:.2g}")
            axes.tick_params(axis="x", labelrotation=0)
            axes.set_xlabel(f"{title(comparison, measure)},\nthe same two heads by positions alone")
        else:
            _layer_axis(axes, comparison.layers(row))
        axes.set_ylabel(f"{title(comparison, measure)}\nwith the best head of the other model")
        curves.value_axis(axes, limits)
    extra = [curves.dashed_handle("as similar as by positions alone")] if floor else []
    question = "Are heads similar beyond positions?" if floor else "Do heads attend alike?"
    curves.finish(
        figure, comparison, f"{question} {title(comparison, measure)}", extra, "best head of"
    )
    return figure


def _places(comparison: Comparison, model: str, part: pd.DataFrame) -> list[int]:
    """Return the place of each head's layer in its model."""
    layers = comparison.layers(model)
    return [layers.index(str(each)) for each in part.index.get_level_values("layer_row")]


def _layer_axis(axes: Axes, layers: Sequence[str]) -> None:
    """Label the layers along an axis, as many as there is room for."""
    shown = range(0, len(layers), math.ceil(len(layers) / 13))
    axes.set_xlim(-0.5, len(layers) - 0.5)
    axes.set_xticks(shown, [curves.short(layers[each], 16) for each in shown], rotation=90)
    axes.set_xlabel("layer of the head")
