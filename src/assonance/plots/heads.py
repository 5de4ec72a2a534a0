"""Figures of attention heads, each drawn from a table of `assonance.tables.heads`."""

import math

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from assonance.comparison.result import Comparison
from assonance.plots import curves
from assonance.plots.scales import scale, title
from assonance.tables import heads as head_tables

# A letter and one of Okabe & Ito's colours for each kind.
LOOKS = {
    "diagonal": ("D", "#0072B2"),
    "vertical": ("V", "#D55E00"),
    "global": ("G", "#767676"),
    "positional": ("P", "#009E73"),
    head_tables.CONTENT: ("C", "#CC79A7"),
}


REACH = 25  # frames at either side that small profiles show


def head_kinds(comparison: Comparison) -> Figure:
    """Draw every head's offset profile, layer by layer, the heads of a layer sorted by kind.

    Parameters
    ----------
    comparison
        What to draw.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a model, a column a layer. A profile goes from the past (left) to the future
        (right), as high as its own highest share; its letter and colour say of what kind the head
        is in `assonance.tables.heads.heads`, its number which head it is.

    Raises
    ------
    AssonanceError
        No attention was measured.
    """
    table = head_tables.heads(comparison)
    order = list(LOOKS)
    models = head_tables.with_heads(comparison)
    most = max(int(table.index.get_level_values("head_row").max()) + 1, 1)
    figure = Figure(figsize=(9, 1.2 + len(models) * (0.9 + 0.34 * most)), layout="constrained")
    for place, model in enumerate(models):
        axes = figure.add_subplot(len(models), 1, place + 1)
        axes.set_title(f"heads of {curves.short(model)}", size=11)
        found = head_tables.profiles(comparison, model)
        near = found.sel(offset=slice(-REACH, REACH))
        layers = found["layer_row"].to_numpy().tolist()
        for column, layer in enumerate(layers):
            of_layer = table.loc[model, layer]
            ranked = of_layer.assign(rank=of_layer["kind"].map(order.index)).sort_values(
                ["rank", "peak_offset"], kind="stable"
            )
            for line, (head, row) in enumerate(ranked.iterrows()):
                letter, color = LOOKS[row["kind"]]
                heights = near.sel(layer_row=layer).to_numpy()[int(str(head))]
                across = column + 0.12 + 0.76 * np.linspace(0, 1, len(heights))
                up = line + 0.72 * heights / max(np.nanmax(heights), 1e-12)
                drawn = LineCollection([np.column_stack([across, up])], colors=color, lw=1.1)
                drawn.set_label(f"{layer} {head}")
                axes.add_collection(drawn)
                axes.text(
                    column + 0.02, line + 0.36, f"{letter}{head}", size=6, color=color, va="center"
                )
        axes.set(xlim=(0, len(layers)), ylim=(-0.15, most), yticks=[])
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
    figure.suptitle(f"Where do the heads look? {REACH} frames back to {REACH} ahead", weight="bold")
    return figure


def head_matches(comparison: Comparison, measure: str) -> Figure:
    """Draw how alike each head and its best match are, against what positions alone would make.

    Parameters
    ----------
    comparison, measure
        What to draw; a measure of heads.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a model, a point a head and other model. The numbers are ``position`` and
        ``value`` of `assonance.tables.heads.head_matches`.

    Raises
    ------
    AssonanceError
        The measure was not measured, or there is one model alone.
    """
    table = head_tables.head_matches(comparison, measure)
    limits = scale(comparison, measure)
    low, high = limits.low, limits.high
    figure, places = curves.panels(comparison)
    parts = curves.pairs(table)
    models = head_tables.with_heads(comparison)
    for row, axes in places.items():
        if row not in models:
            axes.set_title(f"{curves.short(row)} has no heads", size=11)
            axes.set_axis_off()
            continue
        axes.axline((low, low), slope=1, color=curves.QUIET, ls="--", lw=1)
        for col in (each for each in models if each != row):
            part = parts[row, col]
            look = curves.style(comparison, col) | {"ls": "", "alpha": 0.7, "lw": 0}
            axes.plot(limits.clip(part["position"]), limits.clip(part["value"]), label=col, **look)
        axes.set_title(f"each head of {curves.short(row)}", size=11)
        room = 0.03 * (high - low)
        axes.set_xlim(low - room, high + room)
        axes.set_xticks(np.linspace(low, high, 6))
        axes.xaxis.set_major_formatter("{x:.2g}")
        axes.tick_params(axis="x", labelrotation=0)
        axes.set_xlabel("the same two heads, positions alone")
        axes.set_ylabel(f"{title(comparison, measure)},\nbest head of the other model")
        curves.value_axis(axes, limits)
    extra = [curves.floor_handle("no more alike than positions alone make them")]
    curves.finish(
        figure,
        comparison,
        f"Alike beyond the same neighbourhood? {title(comparison, measure)}",
        extra,
        "best head of",
    )
    return figure
