"""Curves over depth: how alike the best layers are, raw and as a share of floor to ceiling."""

from collections.abc import Iterator

import pandas as pd

from assonance.comparison.result import Comparison
from assonance.measures.roles import MATCHED, ROTATED
from assonance.plots import matches as match_plots
from assonance.plots import scales
from assonance.report.pictures import Picture, picture
from assonance.report.sections.section import Panel, Section, names_of, panel, slug_of
from assonance.report.words import level, named, span
from assonance.tables import floors_and_ceilings
from assonance.tables import matches as match_tables
from assonance.tables.floors_and_ceilings import BASELINE


def curves(
    comparison: Comparison, measure: str, id: str, *, shares: bool = True
) -> Iterator[Picture]:
    """Draw how similar the best layer is, and its floor; by itself, and as a share of the way."""
    if measure not in comparison.scores:
        return
    table = match_tables.best_layers(comparison, measure)
    if table["value"].isna().all():
        return
    name = scales.title(comparison, measure)
    floor = floors_and_ceilings.floor(table, measure)
    ceiling = floors_and_ceilings.ceiling(table, measure)
    of_way = table.columns.intersection(["share", "share_low", "share_high"])
    shares = shares and len(of_way) > 0
    shown = table.drop(columns=["depth_row", "depth_col", *(of_way if shares else ())])
    words = f"; floor ({floor.words}) {span(table[floor.column])}" if floor else ""
    drawn = "".join(
        f"; {each.line.words}, the {each.label}"
        for each in floors_and_ceilings.drawn(table, measure)
        if each.line is not None
    )
    headings = {floor.column: floor.label} if floor else {}
    band = "; band, the 95 % interval" if "low" in table else ""
    yield picture(
        id,
        lambda: match_plots.depth_curves(comparison, measure, table),
        named(shown, value=name, **headings),
        f"{name} with the most similar layer of the other model{drawn}{band}."
        f"{_of_acoustics(measure, table)}",
        f"Lines of {name} by depth, {span(table['estimate'])}{words}.",
        "raw" if shares else "",
    )
    if shares and floor is not None and ceiling is not None:
        ends = {
            floor.column: f"floor (0): {floor.words}",
            ceiling.column: f"ceiling (1): {ceiling.words}",
        }
        shown = table[["layer_col", *of_way, *ends]].rename(columns=ends)
        yield picture(
            f"{id}-share",
            lambda: match_plots.shares(comparison, measure, table),
            named(shown),
            f"{name} with the most similar layer of the other model, as a share of the way from "
            f"floor (0: {floor.words}) to ceiling (1: {ceiling.words}). Intervals are those of the "
            "score, with floor and ceiling taken as they are; what lies beyond the axis is drawn "
            "at its end.",
            f"Lines of the share by depth, {span(table['share'])}.",
            "share",
        )


def _of_acoustics(measure: str, table: pd.DataFrame) -> str:
    """Say how far log-mel frames alone go, and what this floor is not."""
    if BASELINE.column not in table:
        return ""
    said = f" Dash-dotted, the acoustics alone: log-mel frames reach {span(table[BASELINE.column])}"
    if "baseline_fraction" in table:
        said += (
            f", on average {table['baseline_fraction'].mean():.0%} of what the other model "
            "explains of a layer (each layer's share is in the table)"
        )
    if measure == MATCHED:
        said += (
            "; they offer a neuron 80 bands to be matched with, fewer than a wider layer's "
            "neurons, so that this floor is low by that"
        )
    elif level(measure) == "neuron":
        said += "; with 80 bands they can explain no more than 80 directions of a wider layer"
    return f"{said}."


def depths(comparison: Comparison) -> Section | None:
    """Show which layers go together."""
    if len(comparison.models) < 2:
        return None
    names = [name for name in names_of(comparison, "neuron", "layer") if name != ROTATED]
    panels = tuple(_depth_panel(comparison, name) for name in names)
    if not panels:
        return None
    text = (
        "For each layer of a model, the layer of another model that is most similar: first how "
        "similar it is, then where it lies. What lies on the dashed floor is no likeness: "
        "models that learnt nothing, or neurons mixed at random, reach it as well."
    )
    return Section("depth", "Depth", "Which depth matches which?", text, panels)


def _depth_panel(comparison: Comparison, measure: str) -> Panel:
    """Curves, and where the best layers lie."""
    name = scales.title(comparison, measure)
    slug = slug_of(comparison, measure)

    def pictures() -> Iterator[Picture]:
        yield from curves(comparison, measure, f"curves-{slug}")
        table = match_tables.best_matches(comparison, measure)
        if table["value"].isna().all():
            return
        apart = (table["depth_row"] - table["depth_col"]).abs().mean()
        yield picture(
            f"ridge-{slug}",
            lambda: match_plots.best_layers(comparison, measure),
            named(table[["depth_row", "layer_col", "depth_col"]]),
            f"Where the most similar layer lies, by {name}; dashed: at equal depth.",
            f"Lines of the best-matching layer by depth; on average {apart:.2f} of a model's depth "
            "away from equal depth.",
        )

    return panel(comparison, measure, pictures())
