"""Section on best matches: their scores by depth, raw and scaled, and where they lie."""

from collections.abc import Iterator

import pandas as pd

from assonance.comparison.result import Comparison
from assonance.measures.roles import MATCHED, ROTATED
from assonance.plots import matches as match_plots
from assonance.plots import scales
from assonance.report.pictures import Picture, picture
from assonance.report.sections.section import Panel, Section, names_of, panel, slug_of
from assonance.report.words import level, named, percent, span
from assonance.tables import floors_and_ceilings
from assonance.tables import matches as match_tables
from assonance.tables.floors_and_ceilings import BASELINE


def curves(
    comparison: Comparison, measure: str, id: str, *, shares: bool = True
) -> Iterator[Picture]:
    """Draw the score of best matches by depth, raw and scaled from floor to ceiling."""
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
    lines = "".join(
        f"; {each.line.words}: {each.kind} ({each.words})"
        for each in floors_and_ceilings.drawn(table, measure)
        if each.line is not None and each is not BASELINE
    )
    headings = {floor.column: floor.label} if floor else {}
    band = "; band: 95 % interval" if "low" in table else ""
    yield picture(
        id,
        lambda: match_plots.depth_curves(comparison, measure, table),
        named(shown, value=name, **headings),
        f"{name} of each layer with its best match in the other model{lines}{band}."
        f"{_baseline(measure, table)}",
        f"Lines of {name} of best matches by depth, {span(table['estimate'])}{words}.",
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
            f"{name} of each layer with its best match in the other model, scaled from "
            f"floor (0: {floor.words}) to ceiling (1: {ceiling.words}). Intervals treat floor and "
            "ceiling as fixed. Values beyond the axis are drawn at its end.",
            f"Lines of the scaled {name} of best matches by depth, {span(table['share'])}.",
            "share",
        )


def _baseline(measure: str, table: pd.DataFrame) -> str:
    """Word the scores of the log-mel baseline, and why it can be too low."""
    if BASELINE.column not in table:
        return ""
    text = f" Dash-dotted: log-mel baseline, {span(table[BASELINE.column])}"
    if "baseline_fraction" in table:
        text += (
            f", on average {percent(table['baseline_fraction'].mean())} of the variance that the "
            "other model explains (by layer in the table)"
        )
    if measure == MATCHED:
        text += (
            ". With only 80 bands to match, this baseline is too low for layers of more than 80 "
            "neurons"
        )
    elif level(measure) == "neuron":
        text += ". Its 80 bands can explain at most 80 directions of a wider layer"
    return f"{text}."


def matches_section(comparison: Comparison) -> Section | None:
    """Show which layers match, and how well."""
    if len(comparison.models) < 2:
        return None
    names = [name for name in names_of(comparison, "neuron", "layer") if name != ROTATED]
    panels = tuple(_depth_panel(comparison, name) for name in names)
    if not panels:
        return None
    text = (
        "The best match of a layer is the most similar layer of another model. The first figure "
        "shows how similar the two are, the last one at which depth the match lies. A score on the "
        "dashed floor is no evidence of similarity: random weights or randomly rotated neurons "
        "reach it too."
    )
    return Section("depth", "Best matches", "Which layers match?", text, panels)


def _depth_panel(comparison: Comparison, measure: str) -> Panel:
    """Make the panel of a measure: scores of best matches, and their depths."""
    name = scales.title(comparison, measure)
    slug = slug_of(comparison, measure)

    def pictures() -> Iterator[Picture]:
        yield from curves(comparison, measure, f"curves-{slug}")
        table = match_tables.best_matches(comparison, measure)
        if table["value"].isna().all():
            return
        distance = (table["depth_row"] - table["depth_col"]).abs().mean()
        yield picture(
            f"ridge-{slug}",
            lambda: match_plots.best_layers(comparison, measure),
            named(table[["depth_row", "layer_col", "depth_col"]]),
            f"Depth of the best match by {name}, from the first layer to the last; dashed: equal "
            "depth.",
            f"Lines of the depth of the best match by depth; on average {distance:.2f} of a "
            "model's depth from equal depth.",
        )

    return panel(comparison, measure, pictures())
