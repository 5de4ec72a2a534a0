"""Draw what scores can be trusted for: dominating neurons, overfitting, chance level."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from assonance.comparison.result import Comparison
from assonance.plots import curves
from assonance.plots.scales import Scale, title
from assonance.tables import trust as trust_tables
from assonance.tables.floors_and_ceilings import SHIFTED


def dominance(comparison: Comparison) -> Figure:
    """Draw the share of each layer's variance in its ten neurons of most variance.

    Returns
    -------
    matplotlib.figure.Figure
        One line per model, by depth. The numbers are ``top_ten_neurons`` of
        `assonance.tables.trust.descriptors`.
    """
    table = trust_tables.descriptors(comparison)
    figure = Figure(figsize=(6, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for model in comparison.models:
        part = table.loc[[model]]
        axes.plot(
            part["depth_row"],
            part["top_ten_neurons"],
            label=model,
            **curves.style(comparison, model),
        )
    curves.relative_depth_axis(axes)
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("share of the layer's variance\nin its top ten neurons (0 to 1)")
    curves.ruled(axes)
    heading = "Do a few neurons dominate a layer's variance?"
    curves.finish(figure, comparison, heading, [], "layers of")
    return figure


def overfitting(comparison: Comparison, in_sample: str, held_out: str) -> Figure:
    """Draw each layer's held-out score against its in-sample score.

    Returns
    -------
    matplotlib.figure.Figure
        One point per layer and other model. The numbers are those of
        `assonance.tables.trust.overfitting`.
    """
    table = trust_tables.overfitting(comparison, in_sample, held_out)
    figure = Figure(figsize=(5.4, 5.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=curves.QUIET, lw=1, ls="--")
    limits = Scale(0.0, 1.0, clipped=True)
    for model in comparison.models:
        part = table.loc[[model]]
        look = curves.style(comparison, model) | {"ls": "", "alpha": 0.8}
        axes.plot(limits.clip(part["in_sample"]), limits.clip(part["held_out"]), **look)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_xlabel(f"{title(comparison, in_sample)}, in sample")
    axes.set_ylabel(title(comparison, held_out))
    curves.ruled(axes)
    extra = [curves.dashed_handle("no overfitting")]
    curves.finish(figure, comparison, "How much is overfitting?", extra, "layers of")
    return figure


def chance(comparison: Comparison) -> Figure:
    """Draw the mean score between models, with its null and its references, by measure.

    Returns
    -------
    matplotlib.figure.Figure
        One line per measure. The numbers are those of
        `assonance.tables.trust.chance_by_measure`.
    """
    table = trust_tables.chance_by_measure(comparison)
    figure = Figure(figsize=(7, 1.6 + 0.34 * len(table)), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(table))[::-1]
    columns = {"value": "between models"} | {
        each.name: each.label for each in trust_tables.averaged()
    }
    for place, (name, words) in enumerate(columns.items()):
        color, marker = curves.STYLES[place % len(curves.STYLES)]
        if table[name].notna().any():
            axes.plot(table[name], places, ls="", marker=marker, color=color, label=words)
    null: dict[str, Any] = {"marker": "x", "color": "#444444", "label": SHIFTED.label}
    axes.plot(table[SHIFTED.name], places, ls="", **null)
    axes.axvline(0, color=curves.QUIET, lw=0.8)
    axes.set_yticks(places, [title(comparison, str(name)) for name in table.index])
    axes.set_xlabel("score, mean over all pairs of layers of different models")
    curves.ruled(axes)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle("How high are scores if nothing is shared?", weight="bold")
    return figure
