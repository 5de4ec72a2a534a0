"""Figures of a comparison, each drawn from a table: of layers, their best matches, neurons.

Every function returns a `matplotlib.figure.Figure` of its own: nothing is shown, no global state
is touched. Save it with ``figure.savefig(path)``.
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

# A ceiling hardly above its floor makes shares without bounds: from here on they are drawn alike.
HIGHEST_SHARE = 1.25


def depth_curves(comparison: Comparison, measure: str, table: pd.DataFrame | None = None) -> Figure:
    """Draw how similar each layer is to the best layer of each other model, by depth.

    Parameters
    ----------
    comparison, measure
        What to draw; a measure of two layers.
    table
        What `assonance.tables.matches.best_layers` gives, where it is at hand.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a model, one line each other model with the band of its interval, its floor
        dashed and the layer's ceiling dotted, and one line of what log-mel frames alone reach.
        The numbers are ``estimate``, ``low``, ``high``, ``floor``, ``seed`` or ``neighbour``, and
        ``acoustics`` of `assonance.tables.matches.best_layers`.

    Raises
    ------
    AssonanceError
        The measure was not measured, or there is one model alone.
    """
    table = match_tables.best_layers(comparison, measure) if table is None else table
    limits = scale(comparison, measure)
    floor = floors_and_ceilings.floor_name(comparison, measure)
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
        What `assonance.tables.matches.best_layers` gives, where it is at hand.

    Returns
    -------
    matplotlib.figure.Figure
        As `depth_curves`, with the floor at 0 and the ceiling at 1. The numbers are ``share``,
        ``share_low`` and ``share_high`` of `assonance.tables.matches.best_layers`.

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
        curves.floor_handle(f"floor: {floors_and_ceilings.floor_name(comparison, measure)}"),
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
        ``depth_row`` and ``depth_col`` of `assonance.tables.matches.best_matches`.

    Raises
    ------
    AssonanceError
        The measure was not measured, or there is one model alone.
    """
    figure, places = curves.panels(comparison)
    parts = curves.pairs(match_tables.best_matches(comparison, measure))
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
        `assonance.tables.matches.localisation`.

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
