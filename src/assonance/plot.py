"""Figures of a comparison, each drawn from the table of the same name in `assonance.tables`.

Every function returns a `matplotlib.figure.Figure` of its own: nothing is shown, no global state
is touched. Save it with ``figure.savefig(path)``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from assonance import tables
from assonance.errors import AssonanceError
from assonance.outside import one_line
from assonance.results import Comparison

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
NUMBERED = 14  # columns up to which a matrix has room for its numbers


@dataclass(frozen=True)
class Scale:
    """The values from the darkest to the brightest colour, or from an axis's foot to its head."""

    low: float
    high: float
    clipped: bool = False

    def __str__(self) -> str:
        """Say it in words."""
        words = f"{_number(self.low)} to {_number(self.high)}"
        return f"{words}, lower values drawn as {_number(self.low)}" if self.clipped else words

    def clip(self, values: pd.Series) -> pd.Series:
        """Bring what lies below up to the foot."""
        return values.clip(lower=self.low)


def scale(comparison: Comparison, measure: str) -> Scale:
    """Choose the scale of a measure from its declared range, not from the values at hand.

    Negative similarities are drawn as 0, and said to be. Only a measure without lower bound of
    which more than half of the values are negative begins at its lowest value.
    """
    lowest, highest = comparison.scores[measure].attrs.get("range", (0.0, 1.0))
    high = float(highest) if math.isfinite(highest) else 1.0
    if lowest >= 0:
        return Scale(float(lowest), high)
    values = tables.matrix(comparison, measure).to_numpy()
    values = values[np.isfinite(values)]
    if not math.isfinite(lowest) and values.size and np.median(values) < 0:
        return Scale(math.floor(values.min() * 10) / 10, high)
    return Scale(0.0, high, clipped=True)


def title(comparison: Comparison, measure: str) -> str:
    """Name a measure as its axis does."""
    return str(comparison.scores[measure].attrs.get("long_name", measure))


def matrix(comparison: Comparison, measure: str, *, twins: bool = False) -> Figure:
    """Draw a tile for each two models: every layer of one against every layer of the other.

    Parameters
    ----------
    comparison, measure
        What to draw; a measure of two layers.
    twins
        Whether random-weights twins have tiles too.

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
    figure = Figure(figsize=(side + 1.2, side), layout="constrained")
    axes = figure.add_subplot()
    axes.patch.set(facecolor="white", edgecolor=QUIET, hatch="///", linewidth=0)
    image = axes.imshow(
        table.to_numpy(),
        origin="lower",
        cmap="cividis",
        vmin=limits.low,
        vmax=limits.high,
        interpolation="none",
    )
    sizes = table.groupby(level="model", sort=False).size()
    edges = np.cumsum([0, *sizes]) - 0.5
    for edge in edges[1:-1]:
        axes.axhline(edge, color="white", lw=2)
        axes.axvline(edge, color="white", lw=2)
    _layer_ticks(axes, table, sizes.tolist())
    for name, low, high in zip(sizes.index, edges[:-1], edges[1:], strict=True):
        middle = (low + high) / 2
        room = int(8 * side * (high - low) / count)
        axes.annotate(
            short(name, room), (middle, 1), xycoords=("data", "axes fraction"), xytext=(0, 5),
            textcoords="offset points", ha="center", va="bottom", weight="bold",
        )  # fmt: skip
        axes.annotate(
            short(name, room), (1, middle), xycoords=("axes fraction", "data"), xytext=(5, 0),
            textcoords="offset points", ha="left", va="center", rotation=-90, weight="bold",
        )  # fmt: skip
    if count <= NUMBERED:
        _numbers(axes, table, limits)
    bar = figure.colorbar(
        image, ax=axes, extend="min" if limits.clipped else "neither", shrink=0.8, pad=0.02
    )
    bar.set_label(f"{title(comparison, measure)}\ncolours: {limits}")
    axes.set_xlabel("compared with: model and layer")
    axes.set_ylabel("this layer: model and layer")
    figure.suptitle(f"Which layers are alike? {title(comparison, measure)}", weight="bold")
    return figure


def depth_curves(comparison: Comparison, measure: str) -> Figure:
    """Draw how similar each layer is to the best layer of each other model, by depth.

    Parameters
    ----------
    comparison, measure
        What to draw; a measure of two layers.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a model, one line each other model, and its floor dashed. The numbers are
        ``value`` and ``floor`` of `assonance.tables.best_layers`.

    Raises
    ------
    AssonanceError
        The measure was not measured, or there is one model alone.
    """
    table = tables.best_layers(comparison, measure)
    limits = scale(comparison, measure)
    floor = tables.floor_name(comparison, measure)
    figure, panels = _panels(comparison)
    for row, axes in panels.items():
        _curves(axes, table.loc[[row]].droplevel("model_row"), comparison, limits)
        axes.set_ylabel(f"{title(comparison, measure)},\nbest layer of the other model")
        _value_axis(axes, limits)
    extra = [] if floor is None else [_floor_handle(f"floor: {floor}")]
    _finish(figure, comparison, f"How alike, by depth? {title(comparison, measure)}", extra)
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
        ``depth_row`` and ``depth_col`` of `assonance.tables.best_layers`.

    Raises
    ------
    AssonanceError
        The measure was not measured, or there is one model alone.
    """
    table = tables.best_layers(comparison, measure)
    figure, panels = _panels(comparison)
    for row, axes in panels.items():
        axes.plot([0, 1], [0, 1], color=QUIET, lw=1, ls="--")
        others = [name for name in comparison.models if name != row]
        for col in others:
            part = table.xs((row, col))
            axes.plot(part["depth_row"], part["depth_col"], label=col, **_style(comparison, col))
        axes.set_ylim(-0.06, 1.06)
        if len(others) == 1:
            layers = comparison.layers(others[0])
            axes.set_yticks(*_depth_ticks(layers))
            axes.set_ylabel(f"best layer of {short(others[0])}")
        else:
            axes.set_yticks([0, 0.5, 1], ["first", "middle", "last"])
            axes.set_ylabel("best layer of the other model\n(relative depth)")
    heading = f"Which depth matches which? {title(comparison, measure)}"
    _finish(figure, comparison, heading, [_floor_handle("equal depth")])
    return figure


def localisation(comparison: Comparison) -> Figure:
    """Draw how much of what two models share lies in single neurons, by depth.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a model, one line each other model, at the layer that knows it best. The numbers
        are ``value`` of `assonance.tables.localisation`.

    Raises
    ------
    AssonanceError
        It was not measured, or there is one model alone.
    """
    table = tables.localisation(comparison)
    limits = Scale(0.0, 1.0, clipped=True)
    figure, panels = _panels(comparison)
    for row, axes in panels.items():
        _curves(axes, table.loc[[row]].droplevel("model_row"), comparison, limits)
        axes.set_ylabel("localisation index")
        _value_axis(axes, limits)
    _finish(figure, comparison, "Single neurons, or only the space? Localisation by depth", [])
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
        shared space. The numbers are those of `assonance.tables.neurons`.

    Raises
    ------
    AssonanceError
        Neurons were not measured, or a model or layer is unknown.
    """
    table = tables.neurons(comparison, row, layer_row, col, layer_col)
    if table.empty:
        raise AssonanceError(f"{one_line(row)}, {one_line(layer_row)}: no neuron has a score here")
    figure = Figure(figsize=(6, 5.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=QUIET, lw=1, label="one neuron says all that the layer knows")
    across = Scale(0.0, 1.0, clipped=True).clip(table["linreg_heldout_r"])
    if "maxcorr_rotated" in table:
        axes.plot(
            across, table["maxcorr_rotated"], ls="", marker="x", ms=4, color="#9a9a9a",
            label="floor: best of randomly rotated neurons",
        )  # fmt: skip
    color, marker = STYLES[0]
    axes.plot(
        across, table["maxcorr"], ls="", marker=marker, ms=4.5, mec="white", mew=0.4, color=color,
        label="a neuron and its best match",
    )  # fmt: skip
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    below = "≤ 0" if (table["linreg_heldout_r"] < 0).any() else "0"
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1], [below, "0.2", "0.4", "0.6", "0.8", "1"])
    there = f"{short(col)} {layer_col}"
    axes.set_xlabel(f"all of {there} together: held-out r (0 to 1)")
    axes.set_ylabel(f"best single neuron of {there}: |r| (0 to 1)")
    axes.grid(color="#e6e6e6", lw=0.6)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=1, frameon=False)
    figure.suptitle(
        f"Same neurons, or only the same space?\nneurons of {short(row)} {layer_row}", weight="bold"
    )
    return figure


def short(name: str, most: int = 26) -> str:
    """Make a name fit on an axis, and keep matplotlib from reading it as mathematics."""
    text = one_line(name)
    if len(text) > most:
        half = max(most // 2, 3)
        text = f"{text[:half]}…{text[1 - half :]}"
    return text.replace("$", r"\$")


def _number(value: float) -> str:
    """Write a number as short as it is."""
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("-", "−")


def _numbers(axes: Axes, table: pd.DataFrame, limits: Scale) -> None:
    """Write each cell's value in it, light on dark and dark on light."""
    middle = (limits.low + limits.high) / 2
    for (i, j), value in np.ndenumerate(table.to_numpy()):
        if np.isfinite(value):
            text = f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.1f}"
            text = text.replace("-", "−")
            color = "white" if value < middle else "black"
            axes.text(j, i, text, ha="center", va="center", size=7, color=color)


def _layer_ticks(axes: Axes, table: pd.DataFrame, sizes: Sequence[int]) -> None:
    """Label layers, all where they fit, else some of each tile."""
    step = 1 if len(table) <= 40 else math.ceil(len(table) / 30)
    places = [
        start + layer
        for start, size in zip(np.cumsum([0, *sizes]), sizes, strict=False)
        for layer in range(0, max(size - step, 0) + 1, step)
    ]
    labels = [str(table.index[place][1]) for place in places]
    labels = [short(label, 16) for label in labels]
    axes.set_xticks(places, labels, rotation=90, size=8)
    axes.set_yticks(places, labels, size=8)


def _panels(comparison: Comparison) -> tuple[Figure, Mapping[str, Axes]]:
    """Make one panel a model, two side by side."""
    models = comparison.models
    lines = math.ceil(len(models) / 2)
    figure = Figure(figsize=(9, 0.8 + 3.9 * lines), layout="constrained")
    panels = {}
    for place, model in enumerate(models):
        axes = figure.add_subplot(lines, 2, place + 1)
        axes.set_title(f"each layer of {short(model)}", size=11)
        axes.set_xlim(-0.05, 1.05)
        axes.set_xticks(*_depth_ticks(comparison.layers(model)), rotation=90, size=8)
        axes.set_xlabel(f"layer of {short(model)}, first to last")
        axes.grid(color="#e6e6e6", lw=0.6)
        axes.set_axisbelow(True)
        panels[model] = axes
    return figure, panels


def _depth_ticks(layers: Sequence[str]) -> tuple[list[float], list[str]]:
    """Label layers at their relative depth, at most 13 of them."""
    step = math.ceil(len(layers) / 13)
    places = range(0, len(layers), step)
    return (
        [tables.depth(place, len(layers)) for place in places],
        [short(layers[place], 16) for place in places],
    )


def _style(comparison: Comparison, model: str) -> dict[str, Any]:
    """Line of a model, the same in every panel and figure."""
    color, marker = STYLES[comparison.models.index(model) % len(STYLES)]
    return {"color": color, "marker": marker, "ms": 5, "lw": 1.8}


def _curves(axes: Axes, table: pd.DataFrame, comparison: Comparison, limits: Scale) -> None:
    """Draw one line each other model, and its floor."""
    for col in table.index.unique("model_col"):
        part, style = table.xs(col), _style(comparison, col)
        axes.plot(part["depth_row"], limits.clip(part["value"]), label=col, **style)
        if "floor" in part:
            style |= {"lw": 1.1, "ls": "--", "marker": "", "alpha": 0.7}
            axes.plot(part["depth_row"], limits.clip(part["floor"]), label=f"floor {col}", **style)


def _value_axis(axes: Axes, limits: Scale) -> None:
    """Fix the value axis to the scale, and say at its foot what was drawn there."""
    span = limits.high - limits.low
    axes.set_ylim(limits.low - 0.03 * span, limits.high + 0.03 * span)
    places = np.linspace(limits.low, limits.high, 6)
    labels = [_number(place) for place in places]
    if limits.clipped:
        labels[0] = f"≤ {labels[0]}"
    axes.set_yticks(places, labels)


def _floor_handle(label: str) -> Line2D:
    """Make the legend's sample of a dashed line."""
    return Line2D([], [], color=QUIET, ls="--", lw=1.1, label=label)


def _finish(figure: Figure, comparison: Comparison, heading: str, extra: Sequence[Line2D]) -> None:
    """Add what all panels share: one legend, one title."""
    handles = [
        Line2D([], [], label=f"best layer of {short(model)}", **_style(comparison, model))
        for model in comparison.models
    ]
    figure.legend(handles=[*handles, *extra], loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(heading, weight="bold")
