"""Draw what fine-tuning changed, from the tables of `assonance.tables.changes`."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.measures.roles import MATCHED
from assonance.plots import curves
from assonance.plots.scales import Scale, scale, title
from assonance.tables import changes as change_tables
from assonance.tables import floors_and_ceilings
from assonance.tables.changes import OWN
from assonance.tables.floors_and_ceilings import SECOND_SEED


def layers(
    comparison: Comparison,
    pairs: Sequence[FineTuning],
    measure: str,
    tables: Mapping[FineTuning, pd.DataFrame] | None = None,
) -> Figure:
    """Draw the similarity of each layer to itself after fine-tuning.

    Parameters
    ----------
    comparison, pairs
        Scores to draw, and the models before and after fine-tuning: one line per pair.
    measure
        A measure of pairs of layers, or one with ``_own`` after its name.
    tables
        As `assonance.tables.changes.layers` returns them, by pair; computed if None.

    Returns
    -------
    matplotlib.figure.Figure
        With the interval as a band, the ceiling (second seed) dotted, the floor dashed, and a ring
        at the onset: the layer from which on every layer has changed. The numbers are those of
        `assonance.tables.changes.layers`.

    Raises
    ------
    AssonanceError
        The measure was not computed.
    """
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.add_subplot()
    limits = scale_of(comparison, measure)
    extra: dict[str, Line2D] = {}
    for place, pair in enumerate(pairs):
        table = tables[pair] if tables else change_tables.layers(comparison, pair)
        part = change_tables.curve(table, measure)
        color, marker = curves.STYLES[place % len(curves.STYLES)]
        label = f"{curves.short(pair.pretrained)} → {curves.short(pair.fine_tuned)}"
        axes.plot(
            part["depth"], limits.clip(part["value"]), color=color, marker=marker, label=label
        )
        if part["low"].notna().any():
            low, high = limits.clip(part["low"]), limits.clip(part["high"])
            axes.fill_between(part["depth"], low, high, color=color, alpha=0.2, lw=0)
        extra |= _references(axes, part, measure, color, limits)
        extra |= _onset(axes, part, color, limits)
    axes.set_xlim(-0.05, 1.05)
    labels = comparison.layers(pairs[0].pretrained)
    axes.set_xticks(*curves.depth_ticks(labels), rotation=90, size=8)
    axes.set_xlabel("layer (the same before and after fine-tuning)")
    axes.set_ylabel(f"{title_of(comparison, measure)},\nbefore and after fine-tuning")
    curves.ruled(axes)
    curves.value_axis(axes, limits)
    handles, _ = axes.get_legend_handles_labels()
    figure.legend(handles=[*handles, *extra.values()], loc="outside lower center", frameon=False)
    figure.suptitle(
        f"What did fine-tuning change? {title_of(comparison, measure)}", weight="bold", wrap=True
    )
    return figure


def _references(
    axes: Axes, part: pd.DataFrame, measure: str, color: str, limits: Scale
) -> dict[str, Line2D]:
    """Draw ceiling and floor, and return their legend entries by label."""
    handles = {}
    floor = floors_and_ceilings.floor(part, measure.removesuffix(OWN))
    for column, reference in (("ceiling", SECOND_SEED), ("floor", floor)):
        if reference is None or reference.line is None or part[column].isna().all():
            continue
        look: dict[str, Any] = {"ls": reference.line.style, "lw": 1.2}
        axes.plot(part["depth"], limits.clip(part[column]), color=color, **look)
        handles[reference.label] = Line2D([], [], color=curves.QUIET, label=reference.label, **look)
    return handles


def _onset(axes: Axes, part: pd.DataFrame, color: str, limits: Scale) -> dict[str, Line2D]:
    """Draw a ring at the onset of change, and return its legend entry by label."""
    first = change_tables.onset(part)
    if first is None:
        return {}
    onset = part.loc[first]
    look: dict[str, Any] = {"ls": "", "marker": "o", "mfc": "none"}
    axes.plot(onset["depth"], max(onset["value"], limits.low), ms=14, mec=color, **look)
    label = "from here on every layer has changed"
    return {label: Line2D([], [], ms=11, mec=curves.QUIET, label=label, **look)}


def heads(comparison: Comparison, pair: FineTuning, measure: str) -> Figure:
    """Draw the similarity of each attention head to itself after fine-tuning.

    Parameters
    ----------
    comparison, pair, measure
        Scores to draw, the models before and after fine-tuning, and a measure of heads.

    Returns
    -------
    matplotlib.figure.Figure
        One point per head, with a cross at the score of two heads that attend by relative position
        alone. The numbers are those of `assonance.tables.changes.heads`.

    Raises
    ------
    AssonanceError
        The measure was not computed.
    """
    table = change_tables.heads(comparison, pair, measure).reset_index()
    labels = list(dict.fromkeys(table["layer"]))
    count = table["head"].max() + 1
    across = table["layer"].map(labels.index) + (table["head"] - (count - 1) / 2) * 0.6 / count
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.add_subplot()
    limits = scale(comparison, measure)
    color, marker = curves.STYLES[0]
    axes.plot(
        across,
        limits.clip(table["value"]),
        ls="",
        marker=marker,
        color=color,
        label="head before and after fine-tuning",
    )
    if table["position"].notna().any():
        axes.plot(
            across,
            limits.clip(table["position"]),
            ls="",
            marker="x",
            color=curves.QUIET,
            label="the same two heads by positions alone",
        )
    axes.set_xticks(range(len(labels)), [curves.short(layer, 16) for layer in labels], rotation=90)
    axes.set_xlabel("layer, with its heads side by side")
    axes.set_ylabel(f"{title(comparison, measure)},\neach head before and after fine-tuning")
    curves.ruled(axes)
    curves.value_axis(axes, limits)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    names = f"{curves.short(pair.pretrained)} → {curves.short(pair.fine_tuned)}"
    figure.suptitle(f"Which heads did fine-tuning change?\n{names}", weight="bold")
    return figure


def title_of(comparison: Comparison, measure: str) -> str:
    """Return the title of a measure, also of one with ``_own`` after its name."""
    if measure == f"{MATCHED}{OWN}":
        return "Share of neurons that are their own best match"
    if measure.endswith(OWN):
        return f"{title(comparison, measure.removesuffix(OWN))}, each head with itself"
    return title(comparison, measure)


def scale_of(comparison: Comparison, measure: str) -> Scale:
    """Choose the scale of a measure, also of one with ``_own`` after its name."""
    if measure == f"{MATCHED}{OWN}":
        return Scale(0.0, 1.0)
    return scale(comparison, measure.removesuffix(OWN))
