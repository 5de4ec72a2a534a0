"""Figures of what fine-tuning changed, drawn from the tables of `assonance.tables.changes`."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.plots import curves
from assonance.plots.scales import Scale, scale, title
from assonance.tables import changes as change_tables
from assonance.tables.changes import OWN


def layers(
    comparison: Comparison,
    pairs: Sequence[FineTuning],
    measure: str,
    tables: Mapping[FineTuning, pd.DataFrame] | None = None,
) -> Figure:
    """Draw how similar each layer is to itself after fine-tuning.

    Parameters
    ----------
    comparison, pairs
        Where to look; a line a pair.
    measure
        A measure of two layers, or one with ``_own`` after its name.
    tables
        What `assonance.tables.changes.layers` gives of each pair, where it is at hand.

    Returns
    -------
    matplotlib.figure.Figure
        With the interval as a band, the ceiling of two trainings dotted, the floor dashed, and a
        ring around the layer from which on all have changed. The numbers are those of
        `assonance.tables.changes.layers`.

    Raises
    ------
    AssonanceError
        The measure was not measured.
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
        for name, style, words in (
            ("ceiling", ":", "ceiling: two trainings of one recipe"),
            ("floor", "--", "floor: nothing learnt in common"),
        ):
            if part[name].notna().any():
                axes.plot(part["depth"], limits.clip(part[name]), color=color, ls=style, lw=1.2)
                extra[words] = Line2D([], [], color=curves.QUIET, ls=style, lw=1.2, label=words)
        if (first := change_tables.onset(part)) is not None:
            ring = part.loc[first]
            axes.plot(
                ring["depth"], max(ring["value"], limits.low), "o", ms=14, mfc="none", mec=color
            )
            words = "from here on every layer has changed"
            extra[words] = Line2D(
                [], [], ls="", marker="o", ms=11, mfc="none", mec=curves.QUIET, label=words
            )
    axes.set_xlim(-0.05, 1.05)
    ladder = comparison.layers(pairs[0].pretrained)
    axes.set_xticks(*curves.depth_ticks(ladder), rotation=90, size=8)
    axes.set_xlabel("layer, the same before and after")
    axes.set_ylabel(title_of(comparison, measure))
    curves.ruled(axes)
    curves.value_axis(axes, limits)
    handles, _ = axes.get_legend_handles_labels()
    figure.legend(handles=[*handles, *extra.values()], loc="outside lower center", frameon=False)
    figure.suptitle(
        f"What did fine-tuning change? {title_of(comparison, measure)}", weight="bold", wrap=True
    )
    return figure


def heads(comparison: Comparison, pair: FineTuning, measure: str) -> Figure:
    """Draw how similar each attention head is to itself after fine-tuning.

    Parameters
    ----------
    comparison, pair, measure
        What to draw; a measure of heads.

    Returns
    -------
    matplotlib.figure.Figure
        A point a head; crosses are what two such heads would score if they knew positions alone.
        The numbers are those of `assonance.tables.changes.heads`.

    Raises
    ------
    AssonanceError
        The measure was not measured.
    """
    table = change_tables.heads(comparison, pair, measure).reset_index()
    ladder = list(dict.fromkeys(table["layer"]))
    count = table["head"].max() + 1
    across = table["layer"].map(ladder.index) + (table["head"] - (count - 1) / 2) * 0.6 / count
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
        label="a head with itself",
    )
    if table["position"].notna().any():
        axes.plot(
            across,
            limits.clip(table["position"]),
            ls="",
            marker="x",
            color=curves.QUIET,
            label="the same, if it knew positions alone",
        )
    axes.set_xticks(range(len(ladder)), [curves.short(layer, 16) for layer in ladder], rotation=90)
    axes.set_xlabel("layer; its heads side by side")
    axes.set_ylabel(title(comparison, measure))
    curves.ruled(axes)
    curves.value_axis(axes, limits)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    names = f"{curves.short(pair.pretrained)} → {curves.short(pair.fine_tuned)}"
    figure.suptitle(f"Which heads did fine-tuning change?\n{names}", weight="bold")
    return figure


def title_of(comparison: Comparison, measure: str) -> str:
    """Name a measure as an axis does, also of neurons or heads each with itself."""
    if measure == f"maxcorr{OWN}":
        return "Share of neurons that are their own best match"
    if measure.endswith(OWN):
        return f"{title(comparison, measure.removesuffix(OWN))}, each head with itself"
    return title(comparison, measure)


def scale_of(comparison: Comparison, measure: str) -> Scale:
    """Choose a measure's scale."""
    if measure == f"maxcorr{OWN}":
        return Scale(0.0, 1.0)
    return scale(comparison, measure.removesuffix(OWN))
