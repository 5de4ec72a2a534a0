"""Figures of what scores can be trusted for, each drawn from a table."""

import numpy as np
from matplotlib.figure import Figure

from assonance.comparison.result import Comparison
from assonance.plots import curves
from assonance.plots.scales import Scale, title
from assonance.tables import trust as trust_tables


def dominance(comparison: Comparison) -> Figure:
    """Draw how much of each layer's variance its ten neurons of most variance own.

    Returns
    -------
    matplotlib.figure.Figure
        One line a model, by depth. The numbers are ``top_ten_neurons`` of
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
    axes.set(xlim=(-0.05, 1.05), ylim=(-0.03, 1.03))
    axes.set_xticks([0, 0.5, 1], ["first layer", "middle", "last layer"])
    axes.set_xlabel("layer of the model, by relative depth")
    axes.set_ylabel("share of the variance (0 to 1)")
    curves.ruled(axes)
    heading = "Do a few neurons own a layer's variance? The top ten"
    curves.finish(figure, comparison, heading, [], "layers of")
    return figure


def overfitting(comparison: Comparison, in_sample: str, held_out: str) -> Figure:
    """Draw each layer's in-sample score against its held-out score.

    Returns
    -------
    matplotlib.figure.Figure
        One point a layer and other model. The numbers are those of
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
    heading = "How much is overfitting?"
    extra = [curves.floor_handle("nothing is")]
    curves.finish(figure, comparison, heading, extra, "layers of")
    return figure


def chance(comparison: Comparison) -> Figure:
    """Draw what measures read between models beside what they read of nothing shared.

    Returns
    -------
    matplotlib.figure.Figure
        One line a measure. The numbers are ``value``, ``shifted``, ``random weights`` and
        ``acoustics`` of `assonance.tables.trust.chance_by_measure`.
    """
    table = trust_tables.chance_by_measure(comparison)
    figure = Figure(figsize=(7, 1.6 + 0.34 * len(table)), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(table))[::-1]
    looks = (
        ("value", "o", "between models"),
        ("random weights", "s", "with random weights"),
        ("acoustics", "^", "with log-mel frames"),
    )
    for (name, marker, words), (color, _) in zip(looks, curves.STYLES, strict=False):
        if table[name].isna().all():
            continue
        axes.plot(table[name], places, ls="", marker=marker, color=color, label=words)
    axes.plot(table["shifted"], places, ls="", marker="x", color="#444444", label="shifted speech")
    axes.axvline(0, color=curves.QUIET, lw=0.8)
    axes.set_yticks(places, [title(comparison, str(name)) for name in table.index])
    axes.set_xlabel("mean over all layers of different models")
    curves.ruled(axes)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle("What do measures read where nothing is shared?", weight="bold")
    return figure
