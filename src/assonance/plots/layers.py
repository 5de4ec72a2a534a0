"""Draw matrices of all layers by all layers, and the consensus score by depth."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from assonance.comparison.result import Comparison
from assonance.measures.roles import CONSENSUS
from assonance.plots import curves
from assonance.plots.scales import Scale, scale, title
from assonance.tables import floors_and_ceilings
from assonance.tables import layers as layer_tables

# Columns up to which a matrix has room for its numbers.
NUMBERED = 14


def matrix(comparison: Comparison, measure: str, *, twins: bool = False) -> Figure:
    """Draw the scores of all layers with all layers, a tile per pair of models.

    Parameters
    ----------
    comparison, measure
        Scores to draw, of pairs of layers.
    twins
        Whether to include random twins and the baseline.

    Returns
    -------
    matplotlib.figure.Figure
        Layer 0 at the bottom left of each tile; hatched where a pair was not scored. The numbers
        are those of `assonance.tables.layers.matrix`.

    Raises
    ------
    AssonanceError
        The measure was not computed.
    """
    table = layer_tables.matrix(comparison, measure, twins=twins)
    limits = scale(comparison, measure)
    count = len(table)
    side = min(9.0, max(4.0, 1.6 + 0.42 * count))
    sizes = table.groupby(level="model", sort=False).size()
    # Names longer than their tiles are slanted.
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
    _tiles(axes, table, sizes, slanted=slanted)
    if count <= NUMBERED:
        _numbers(axes, table, limits)
    bar = figure.colorbar(
        image, ax=axes, extend="min" if limits.clipped else "neither", shrink=0.8, pad=0.02
    )
    bar.set_label(f"{title(comparison, measure)}\n(colours: {limits})", labelpad=8)
    axes.set_xlabel("column layer: model and layer")
    axes.set_ylabel("row layer: model and layer")
    figure.suptitle(f"Which layers are similar? {title(comparison, measure)}", weight="bold")
    return figure


def consensus(comparison: Comparison) -> Figure:
    """Draw the consensus score of each layer: its neurons' worst match in any other layer.

    Returns
    -------
    matplotlib.figure.Figure
        One line per model with the interval as a band, and its random twin dashed. The numbers are
        those of `assonance.tables.layers.consensus`.

    Raises
    ------
    AssonanceError
        It was not computed.
    """
    table = layer_tables.consensus(comparison)
    limits = scale(comparison, CONSENSUS)
    references = floors_and_ceilings.drawn(table, CONSENSUS)
    figure = Figure(figsize=(6, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for model in comparison.models:
        part = table.loc[[model]]
        curves.line(axes, part, model, curves.style(comparison, model), limits, references)
    curves.relative_depth_axis(axes)
    axes.set_ylabel(f"{title(comparison, CONSENSUS)}\nin the worst layer of the other models")
    curves.ruled(axes)
    curves.value_axis(axes, limits)
    extra: list[Line2D | Patch] = [
        *curves.reference_handles(references),
        *curves.band_handles(table),
    ]
    curves.finish(
        figure, comparison, "Neurons that every layer of other models has", extra, "layers of"
    )
    return figure


def _tiles(axes: Axes, table: pd.DataFrame, sizes: "pd.Series[int]", *, slanted: bool) -> None:
    """Separate the tiles of models, and label models and layers."""
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


def _numbers(axes: Axes, table: pd.DataFrame, limits: Scale) -> None:
    """Write the value of each cell in it, light on dark and dark on light."""
    middle = (limits.low + limits.high) / 2
    for (i, j), value in np.ndenumerate(table.to_numpy()):
        if np.isfinite(value):
            text = f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
            text = text.removeprefix("0") if value >= 0 else f"−{text[1:].removeprefix('0')}"
            color = "white" if value < middle else "black"
            axes.text(j, i, text, ha="center", va="center", size=7, color=color, in_layout=False)


def _layer_ticks(axes: Axes, table: pd.DataFrame, sizes: Sequence[int]) -> None:
    """Label all layers if they fit, else some of each tile."""
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
