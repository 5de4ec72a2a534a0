"""Draw the figures of a study: scores beside published values, and what survives the spectrum."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assonance.plots import curves
from assonance.report.study.beyond import KINDS, OBJECTIVES, RANDOM, SEEDS
from assonance.report.study.patterns import Cells

_WORDS = {
    OBJECTIVES: "other objective",
    RANDOM: "floor: random weights",
    SEEDS: "ceiling: second seed",
}


def svg(figure: Figure) -> str:
    """Return a figure as SVG, the same bytes each time."""
    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "assonance", "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def pattern(each: Cells, title: str) -> Figure:
    """Draw the matrix of scores, that of published values, and each pair of layers as a dot.

    The colours of a matrix run from its own lowest to its own highest value, since the question is
    whether the patterns agree, not the values.
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.subplots(1, 3)
    for ax, values, name in zip(
        axes, (each.measured, each.published), ("measured here", "published"), strict=False
    ):
        _matrix(figure, ax, values, each)
        ax.set_title(name, size=10)
    within = each.model[:, None] == each.model[None, :]
    for at, words, (color, marker) in (
        (~within, "across models", curves.STYLES[0]),
        (within, "within a model", curves.STYLES[1]),
    ):
        shown = at & np.isfinite(each.measured)
        axes[2].plot(
            *(values[shown] for values in (each.published, each.measured)),
            ls="",
            marker=marker,
            ms=2.5,
            mew=0,
            alpha=0.5,
            color=color,
            label=words,
            rasterized=True,
        )
    axes[2].set_xlabel("published")
    axes[2].set_ylabel("measured here")
    axes[2].legend(fontsize=8, markerscale=2)
    curves.ruled(axes[2])
    figure.suptitle(title, weight="bold")
    return figure


def retained(table: pd.DataFrame, titles: dict[str, str]) -> Figure:
    """Draw what fine-tuning retains of each layer, by depth: here, and in the paper.

    Parameters
    ----------
    table
        As `assonance.report.study.patterns.retained` returns it.
    titles
        Titles of the measures.
    """
    measures = list(dict.fromkeys(table["measure"]))
    figure = Figure(figsize=(3 * len(measures), 3.4), layout="constrained")
    axes = figure.subplots(1, len(measures), squeeze=False, sharey=True)[0]
    models = list(dict.fromkeys(table["model"]))
    for ax, measure in zip(axes, measures, strict=True):
        for model, (color, marker) in zip(models, curves.STYLES, strict=False):
            part = table[(table["measure"] == measure) & (table["model"] == model)]
            for column, line in (("measured", "-"), ("published", ":")):
                ax.plot(
                    part["depth"],
                    part[column],
                    line,
                    color=color,
                    marker=marker,
                    ms=4,
                    label=f"{model}, {'here' if column == 'measured' else 'published'}",
                )
        ax.set_title(titles.get(measure, measure), size=10)
        ax.set_xlabel("relative depth")
        ax.set_ylim(0, 1.02)
        curves.ruled(ax)
    axes[0].set_ylabel("similarity of a layer to itself\nbefore fine-tuning")
    axes[0].legend(fontsize=7)
    return figure


def beyond(table: pd.DataFrame) -> Figure:
    """Draw R² and partial R² by depth, with intervals as bands, one panel a size of models.

    Parameters
    ----------
    table
        As `assonance.report.study.beyond.by_depth` returns it.
    """
    sizes = sorted(table.index.unique("layers"))
    figure = Figure(figsize=(max(8.0, 4.6 * len(sizes)), 4.2), layout="constrained")
    axes = figure.subplots(1, len(sizes), squeeze=False, sharey=True)[0]
    for ax, size in zip(axes, sizes, strict=True):
        for kind, (color, marker) in zip(KINDS, curves.STYLES, strict=False):
            part = table[
                (table.index.get_level_values("kind") == kind)
                & (table.index.get_level_values("layers") == size)
            ].droplevel(["kind", "layers"])
            if part.empty:
                continue
            for column, line in (("whole", ":"), ("beyond", "-")):
                words = "spectrum partialled out" if column == "beyond" else "R²"
                label = f"{_WORDS[kind]}, {words}"
                ax.plot(
                    part.index, part[column], line, color=color, marker=marker, ms=4, label=label
                )
                ends = (part[f"{column}_low"], part[f"{column}_high"])
                ax.fill_between(part.index, *ends, color=color, alpha=0.15, lw=0)
        ax.set_title(f"models of {size - 1} blocks", size=10)
        ax.set_xlabel("relative depth of both layers")
        ax.set_ylim(bottom=min(0, ax.get_ylim()[0]), top=1)
        curves.ruled(ax)
    axes[0].set_ylabel("held-out R²")
    figure.legend(
        *axes[0].get_legend_handles_labels(), fontsize=8, ncols=3, loc="outside lower center"
    )
    return figure


def _matrix(figure: Figure, axes: Axes, values: np.ndarray, each: Cells) -> None:
    """Draw one matrix with a line between models and their roles as ticks."""
    image = axes.imshow(values, origin="lower", cmap="cividis", interpolation="none")
    models = np.unique(each.model)
    edges = [np.flatnonzero(each.model == model)[0] for model in models]
    for edge in edges[1:]:
        axes.axhline(edge - 0.5, color="white", lw=1)
        axes.axvline(edge - 0.5, color="white", lw=1)
    middles = [np.flatnonzero(each.model == model).mean() for model in models]
    names = [each.layers[edge][0] for edge in edges]
    axes.set_xticks(middles, names, size=7, rotation=30, ha="right")
    axes.set_yticks(middles, names, size=7)
    figure.colorbar(image, ax=axes, shrink=0.7)
