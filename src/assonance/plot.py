"""Figures of a comparison, each drawn from a table: of layers, their best matches, neurons.

Every function returns a `matplotlib.figure.Figure` of its own: nothing is shown, no global state
is touched. Save it with ``figure.savefig(path)``.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from assonance import curves, match_tables, neuron_tables, tables
from assonance.errors import AssonanceError
from assonance.outside import one_line
from assonance.results import Comparison
from assonance.scales import Scale, scale, title

NUMBERED = 14  # columns up to which a matrix has room for its numbers
# A ceiling hardly above its floor makes shares without bounds: from here on they are drawn alike.
HIGHEST_SHARE = 1.25


def matrix(comparison: Comparison, measure: str, *, twins: bool = False) -> Figure:
    """Draw a tile for each two models: every layer of one against every layer of the other.

    Parameters
    ----------
    comparison, measure
        What to draw; a measure of two layers.
    twins
        Whether random-weights twins and the baseline have tiles too.

    Returns
    -------
    matplotlib.figure.Figure
        Layer 0 at the bottom left of each tile; hatched where nothing was measured. The numbers
        are those of `assonance.tables.matrix`.

    Raises
    ------
    AssonanceError
        The measure was not measured.
    """
    table = tables.matrix(comparison, measure, twins=twins)
    limits = scale(comparison, measure)
    count = len(table)
    side = min(9.0, max(4.0, 1.6 + 0.42 * count))
    sizes = table.groupby(level="model", sort=False).size()
    # Names that are longer than their tiles are written across.
    slanted = any(len(str(name)) > 8 * side * size / count for name, size in sizes.items())
    figure = Figure(figsize=(side + (3.0 if slanted else 1.2), side), layout="constrained")
    axes = figure.add_subplot()
    axes.patch.set(facecolor="white", edgecolor=curves.QUIET, hatch="///", linewidth=0)
    image = axes.imshow(
        table.to_numpy(),
        origin="lower",
        cmap="cividis",
        vmin=limits.low,
        vmax=limits.high,
        interpolation="none",
    )
    edges = np.cumsum([0, *sizes]) - 0.5
    for edge in edges[1:-1]:
        axes.axhline(edge, color="white", lw=2)
        axes.axvline(edge, color="white", lw=2)
    _layer_ticks(axes, table, sizes.tolist())
    for middle, name in zip((edges[:-1] + edges[1:]) / 2, sizes.index, strict=True):
        words = curves.short(str(name))
        look: dict[str, Any] = {"textcoords": "offset points", "weight": "bold"}
        look |= {"rotation_mode": "anchor"} if slanted else {}
        above, beside = axes.get_xaxis_transform(), axes.get_yaxis_transform()
        turn, along = (30, "left") if slanted else (0, "center")
        axes.annotate(
            words, (middle, 1), (0, 3.5), above, ha=along, va="bottom", rotation=turn, **look
        )
        turn = 0 if slanted else -90
        axes.annotate(
            words, (1, middle), (3.5, 0), beside, ha="left", va="center", rotation=turn, **look
        )
    if count <= NUMBERED:
        _numbers(axes, table, limits)
    bar = figure.colorbar(
        image, ax=axes, extend="min" if limits.clipped else "neither", shrink=0.8, pad=0.02
    )
    bar.set_label(f"{title(comparison, measure)}\ncolours: {limits}", labelpad=8)
    axes.set_xlabel("compared with: model and layer")
    axes.set_ylabel("this layer: model and layer")
    figure.suptitle(f"Which layers are alike? {title(comparison, measure)}", weight="bold")
    return figure


def depth_curves(comparison: Comparison, measure: str, table: pd.DataFrame | None = None) -> Figure:
    """Draw how similar each layer is to the best layer of each other model, by depth.

    Parameters
    ----------
    comparison, measure
        What to draw; a measure of two layers.
    table
        What `assonance.match_tables.best_layers` gives, where it is at hand.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a model, one line each other model with the band of its interval, its floor
        dashed and the layer's ceiling dotted, and one line of what log-mel frames alone reach.
        The numbers are ``estimate``, ``low``, ``high``, ``floor``, ``seed`` or ``neighbour``, and
        ``acoustics`` of `assonance.match_tables.best_layers`.

    Raises
    ------
    AssonanceError
        The measure was not measured, or there is one model alone.
    """
    table = match_tables.best_layers(comparison, measure) if table is None else table
    limits = scale(comparison, measure)
    floor = match_tables.floor_name(comparison, measure)
    figure, places = curves.panels(comparison)
    parts = curves.pairs(table)
    for row, axes in places.items():
        curves.draw(axes, parts, row, comparison, limits)
        if "acoustics" in table:
            other = next(col for col in comparison.models if col != row)
            curves.acoustics(axes, parts[row, other], limits)
        axes.set_ylabel(f"{title(comparison, measure)},\nbest layer of the other model")
        curves.value_axis(axes, limits)
    extra: list[Line2D | Patch] = []
    if floor is not None:
        extra.append(curves.floor_handle(f"floor: {floor}"))
    extra += [*curves.acoustics_handles(table), *curves.ceiling_handles(table)]
    extra += curves.band_handles(table)
    curves.finish(figure, comparison, f"How alike, by depth? {title(comparison, measure)}", extra)
    return figure


def shares(comparison: Comparison, measure: str, table: pd.DataFrame | None = None) -> Figure:
    """Draw how far each layer's best score goes from its floor to its ceiling, by depth.

    Parameters
    ----------
    comparison, measure
        What to draw; a measure of two layers that has a floor and a ceiling here.
    table
        What `assonance.match_tables.best_layers` gives, where it is at hand.

    Returns
    -------
    matplotlib.figure.Figure
        As `depth_curves`, with the floor at 0 and the ceiling at 1. The numbers are ``share``,
        ``share_low`` and ``share_high`` of `assonance.match_tables.best_layers`.

    Raises
    ------
    AssonanceError
        The measure was not measured or has no floor or no ceiling, or there is one model alone.
    """
    table = match_tables.best_layers(comparison, measure) if table is None else table
    if "share" not in table:
        raise AssonanceError(f"{measure}: has no floor or no ceiling here to be a share between")
    ends = {"share": "estimate", "share_low": "low", "share_high": "high"}
    shown = table.filter(["depth_row", *ends]).rename(columns=ends)
    limits = Scale(0.0, HIGHEST_SHARE, clipped=True, capped=True)
    figure, places = curves.panels(comparison)
    parts = curves.pairs(shown)
    for row, axes in places.items():
        axes.axhline(0, color=curves.QUIET, lw=1.1, ls="--")
        axes.axhline(1, color=curves.QUIET, lw=1.1, ls=":")
        curves.draw(axes, parts, row, comparison, limits)
        axes.set_ylabel(f"{title(comparison, measure)}: share\nof the way from floor to ceiling")
        curves.value_axis(axes, limits)
    extra: list[Line2D | Patch] = [
        curves.floor_handle(f"floor: {match_tables.floor_name(comparison, measure)}"),
        *curves.ceiling_handles(table),
        *curves.band_handles(shown),
    ]
    heading = f"How far from floor to ceiling, by depth? {title(comparison, measure)}"
    curves.finish(figure, comparison, heading, extra)
    return figure


def best_layers(comparison: Comparison, measure: str) -> Figure:
    """Draw at which depth of each other model the most similar layer lies.

    Parameters
    ----------
    comparison, measure
        What to draw; a measure of two layers.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a model, one line each other model, and the line of equal depth. The numbers are
        ``depth_row`` and ``depth_col`` of `assonance.match_tables.ridge`.

    Raises
    ------
    AssonanceError
        The measure was not measured, or there is one model alone.
    """
    figure, places = curves.panels(comparison)
    parts = curves.pairs(match_tables.ridge(comparison, measure))
    for row, axes in places.items():
        axes.plot([0, 1], [0, 1], color=curves.QUIET, lw=1, ls="--")
        others = [name for name in comparison.models if name != row]
        for col in others:
            part = parts[row, col]
            axes.plot(
                part["depth_row"], part["depth_col"], label=col, **curves.style(comparison, col)
            )
        axes.set_ylim(-0.06, 1.06)
        if len(others) == 1:
            layers = comparison.layers(others[0])
            axes.set_yticks(*curves.depth_ticks(layers))
            axes.set_ylabel(f"best layer of {curves.short(others[0])}")
        else:
            axes.set_yticks([0, 0.5, 1], ["first", "middle", "last"])
            axes.set_ylabel("best layer of the other model\n(relative depth)")
    heading = f"Which depth matches which? {title(comparison, measure)}"
    curves.finish(figure, comparison, heading, [curves.floor_handle("equal depth")])
    return figure


def localisation(comparison: Comparison) -> Figure:
    """Draw how much of what two models share lies in single neurons, by depth.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a model, one line each other model with the band of its interval, at the layer
        that knows it best. The numbers are ``estimate``, ``low`` and ``high`` of
        `assonance.match_tables.localisation`.

    Raises
    ------
    AssonanceError
        It was not measured, or there is one model alone.
    """
    table = match_tables.localisation(comparison)
    limits = Scale(0.0, 1.0, clipped=True)
    figure, places = curves.panels(comparison)
    parts = curves.pairs(table)
    for row, axes in places.items():
        curves.draw(axes, parts, row, comparison, limits)
        axes.set_ylabel("localisation index")
        curves.value_axis(axes, limits)
    curves.finish(
        figure,
        comparison,
        "Single neurons, or only the space? Localisation by depth",
        curves.band_handles(table),
    )
    return figure


def consensus(comparison: Comparison) -> Figure:
    """Draw how well a model's neurons are matched by whichever other layer matches them worst.

    Returns
    -------
    matplotlib.figure.Figure
        One line a model with the band of its interval, and its random-weights twin dashed. The
        numbers are those of `assonance.tables.consensus`.

    Raises
    ------
    AssonanceError
        It was not measured.
    """
    table = tables.consensus(comparison)
    limits = scale(comparison, "mincorr")
    figure = Figure(figsize=(6, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for model in comparison.models:
        part = table.loc[[model]]
        curves.line(axes, part, model, curves.style(comparison, model), limits)
    axes.set_xlim(-0.05, 1.05)
    axes.set_xticks([0, 0.5, 1], ["first layer", "middle", "last layer"])
    axes.set_xlabel("layer of the model, by relative depth")
    axes.set_ylabel(f"{title(comparison, 'mincorr')}, worst layer of the other models")
    curves.ruled(axes)
    curves.value_axis(axes, limits)
    extra: list[Line2D | Patch] = []
    if "floor" in table:
        extra.append(curves.floor_handle("floor: random weights"))
    extra += curves.band_handles(table)
    curves.finish(
        figure, comparison, "Neurons that every layer of the others has", extra, "layers of"
    )
    return figure


def neurons(comparison: Comparison, row: str, layer_row: str, col: str, layer_col: str) -> Figure:
    """Draw each neuron of a layer by what the whole of another layer and its best neuron know.

    Parameters
    ----------
    comparison, row, layer_row, col, layer_col
        What to draw: the neurons are those of the row layer.

    Returns
    -------
    matplotlib.figure.Figure
        Points on the diagonal have a twin neuron; points among the quiet ones live only in the
        shared space. The numbers are those of `assonance.neuron_tables.neurons`.

    Raises
    ------
    AssonanceError
        Neurons were not measured, or a model or layer is unknown.
    """
    table = neuron_tables.neurons(comparison, row, layer_row, col, layer_col)
    if table.empty:
        raise AssonanceError(f"{one_line(row)}, {one_line(layer_row)}: no neuron has a score here")
    figure = Figure(figsize=(6, 5.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(
        [0, 1], [0, 1], color=curves.QUIET, lw=1, label="one neuron says all that the layer knows"
    )
    across = Scale(0.0, 1.0, clipped=True).clip(table["linreg_heldout_r"])
    color, marker = curves.STYLES[0]
    best: dict[str, Any] = {"marker": marker, "ms": 5, "mew": 0, "alpha": 0.6, "color": color}
    axes.plot(across, table["maxcorr"], ls="", label="a neuron and its best match", **best)
    if "maxcorr_rotated" in table:
        words = "floor: best of randomly rotated neurons"
        floor: dict[str, Any] = {
            "marker": "x",
            "ms": 3.5,
            "mew": 0.8,
            "color": "#444444",
            "label": words,
        }
        axes.plot(across, table["maxcorr_rotated"], ls="", **floor)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    below = "≤ 0" if (table["linreg_heldout_r"] < 0).any() else "0"
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1], [below, "0.2", "0.4", "0.6", "0.8", "1"])
    there = f"{curves.short(col)} {curves.short(layer_col, 16)}"
    axes.set_xlabel(f"all of {there} together: held-out r (0 to 1)")
    axes.set_ylabel(f"best single neuron of\n{there}: |r| (0 to 1)")
    curves.ruled(axes)
    figure.legend(loc="outside lower center", ncols=1, frameon=False)
    here = f"{curves.short(row)} {curves.short(layer_row, 16)}"
    figure.suptitle(f"Same neurons, or only the same space?\nneurons of {here}", weight="bold")
    return figure


def _numbers(axes: Axes, table: pd.DataFrame, limits: Scale) -> None:
    """Write each cell's value in it, light on dark and dark on light."""
    middle = (limits.low + limits.high) / 2
    for (i, j), value in np.ndenumerate(table.to_numpy()):
        if np.isfinite(value):
            text = f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
            text = text.removeprefix("0") if value >= 0 else f"−{text[1:].removeprefix('0')}"
            color = "white" if value < middle else "black"
            axes.text(j, i, text, ha="center", va="center", size=7, color=color, in_layout=False)


def _layer_ticks(axes: Axes, table: pd.DataFrame, sizes: Sequence[int]) -> None:
    """Label layers, all where they fit, else some of each tile."""
    step = 1 if len(table) <= 40 else math.ceil(len(table) / 30)
    places = [
        start + layer
        for start, size in zip(np.cumsum([0, *sizes]), sizes, strict=False)
        for layer in range(0, max(size - step, 0) + 1, step)
    ]
    labels = [str(table.index[place][1]) for place in places]
    labels = [curves.short(label, 16) for label in labels]
    axes.set_xticks(places, labels, rotation=90, size=8)
    axes.set_yticks(places, labels, size=8)
