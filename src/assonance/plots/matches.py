"""Draw best matches by depth: how similar they are, where they lie, how localised they are.

Every function returns its own `matplotlib.figure.Figure` and touches no global state. Save it with
``figure.savefig(path)``.
"""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError
from assonance.plots import curves
from assonance.plots.scales import Scale, scale, title
from assonance.tables import floors_and_ceilings
from assonance.tables import matches as match_tables

# With a ceiling hardly above its floor, shares have no bounds: larger ones are drawn here.
HIGHEST_SHARE = 1.25


def depth_curves(comparison: Comparison, measure: str, table: pd.DataFrame | None = None) -> Figure:
    """Draw the similarity of each layer to the best layer of each other model, by depth.

    Parameters
    ----------
    comparison, measure
        Scores to draw, of pairs of layers.
    table
        As `assonance.tables.matches.best_layers` returns it; computed if None.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per model and one line per other model, with the interval as a band and a line
        for each of `assonance.tables.floors_and_ceilings.REFERENCES` that is drawn. The numbers
        are columns of `assonance.tables.matches.best_layers`.

    Raises
    ------
    AssonanceError
        The measure was not computed, or only one model was compared.
    """
    table = match_tables.best_layers(comparison, measure) if table is None else table
    limits = scale(comparison, measure)
    references = floors_and_ceilings.drawn(table, measure)
    figure, panels = curves.panels(comparison)
    parts = curves.pairs(table)
    for row, axes in panels.items():
        curves.draw(axes, parts, row, comparison, limits, references)
        axes.set_ylabel(f"{title(comparison, measure)}\nwith the best layer of the other model")
        curves.value_axis(axes, limits)
    extra: list[Line2D | Patch] = [
        *curves.reference_handles(references),
        *curves.band_handles(table),
    ]
    heading = f"How similar are layers, by depth? {title(comparison, measure)}"
    curves.finish(figure, comparison, heading, extra)
    return figure


def shares(comparison: Comparison, measure: str, table: pd.DataFrame | None = None) -> Figure:
    """Draw each layer's best score as a share of the way from floor to ceiling, by depth.

    Parameters
    ----------
    comparison, measure
        Scores to draw, of pairs of layers; the measure needs a floor and a ceiling.
    table
        As `assonance.tables.matches.best_layers` returns it; computed if None.

    Returns
    -------
    matplotlib.figure.Figure
        As `depth_curves`, with the floor at 0 and the ceiling at 1. The numbers are ``share``,
        ``share_low`` and ``share_high`` of `assonance.tables.matches.best_layers`.

    Raises
    ------
    AssonanceError
        The measure was not computed or has no floor or ceiling, or only one model was compared.
    """
    table = match_tables.best_layers(comparison, measure) if table is None else table
    if "share" not in table:
        raise AssonanceError(
            f"{measure}: has no floor or no ceiling here; compare models with their random twins"
        )
    ends = {"share": "estimate", "share_low": "low", "share_high": "high"}
    shown = table.filter(["depth_row", *ends]).rename(columns=ends)
    limits = Scale(0.0, HIGHEST_SHARE, clipped=True, capped=True)
    references = [
        reference
        for reference in (
            floors_and_ceilings.floor(table, measure),
            floors_and_ceilings.ceiling(table, measure),
        )
        if reference is not None
    ]
    figure, panels = curves.panels(comparison)
    parts = curves.pairs(shown)
    for row, axes in panels.items():
        axes.axhline(0, color=curves.QUIET, lw=1.1, ls="--")
        axes.axhline(1, color=curves.QUIET, lw=1.1, ls=":")
        curves.draw(axes, parts, row, comparison, limits)
        axes.set_ylabel(
            f"{title(comparison, measure)} with the best layer\n"
            "of the other model: floor = 0, ceiling = 1"
        )
        curves.value_axis(axes, limits)
    extra: list[Line2D | Patch] = [
        *curves.reference_handles(references),
        *curves.band_handles(shown),
    ]
    heading = f"How far from floor to ceiling, by depth? {title(comparison, measure)}"
    curves.finish(figure, comparison, heading, extra)
    return figure


def best_layers(comparison: Comparison, measure: str) -> Figure:
    """Draw the depth of the most similar layer of each other model.

    Parameters
    ----------
    comparison, measure
        Scores to draw, of pairs of layers.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per model, one line per other model, and the line of equal depth. The numbers are
        ``depth_row`` and ``depth_col`` of `assonance.tables.matches.best_matches`.

    Raises
    ------
    AssonanceError
        The measure was not computed, or only one model was compared.
    """
    figure, panels = curves.panels(comparison)
    parts = curves.pairs(match_tables.best_matches(comparison, measure))
    for row, axes in panels.items():
        axes.plot([0, 1], [0, 1], color=curves.QUIET, lw=1, ls="--")
        others = [name for name in comparison.models if name != row]
        for col in others:
            part = parts[row, col]
            axes.plot(
                part["depth_row"], part["depth_col"], label=col, **curves.style(comparison, col)
            )
        axes.set_ylim(-0.06, 1.06)
        if len(others) == 1:
            axes.set_yticks(*curves.depth_ticks(comparison.layers(others[0])))
            axes.set_ylabel(f"best-matching layer of {curves.short(others[0])}")
        else:
            axes.set_yticks([0, 0.5, 1], ["first", "middle", "last"])
            axes.set_ylabel("best-matching layer of the other model\n(relative depth)")
    heading = f"Which depth matches which? {title(comparison, measure)}"
    curves.finish(figure, comparison, heading, [curves.dashed_handle("equal relative depth")])
    return figure


def localisation(comparison: Comparison) -> Figure:
    """Draw the localisation index by depth.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per model and one line per other model, with the interval as a band, at the layer
        that predicts the row layer best. The numbers are ``estimate``, ``low`` and ``high`` of
        `assonance.tables.matches.localisation`.

    Raises
    ------
    AssonanceError
        It was not computed, or only one model was compared.
    """
    table = match_tables.localisation(comparison)
    limits = Scale(0.0, 1.0, clipped=True)
    figure, panels = curves.panels(comparison)
    parts = curves.pairs(table)
    for row, axes in panels.items():
        curves.draw(axes, parts, row, comparison, limits)
        axes.set_ylabel("localisation index\n(0: same space, 1: same neurons)")
        curves.value_axis(axes, limits)
    heading = "Same neurons, or only the same space? Localisation by depth"
    curves.finish(figure, comparison, heading, curves.band_handles(table))
    return figure
