"""Section on fine-tuning: what it changed, layer by layer and head by head."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import pandas as pd

from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.errors import join_names, printable
from assonance.measures.roles import FIRST_SHOWN
from assonance.plots import changes as change_plots
from assonance.report.pictures import Picture, picture
from assonance.report.sections.section import Panel, Section, definition
from assonance.tables import changes as change_tables
from assonance.tables.floors_and_ceilings import SECOND_SEED
from assonance.tables.heads import head_measures

TEXT = (
    "Similarity of each layer before and after fine-tuning. The dotted ceiling is the similarity "
    "of two models trained from different seeds: a layer below it changed by more than training "
    "from another seed would change it. A ring marks the layer from which all layers lie below the "
    "ceiling or, without a ceiling, below the middle between the most and the least similar layer."
)

_COLUMNS = {
    "beyond": "below the ceiling",
    "ceiling": SECOND_SEED.label,
    "value": "before with after",
}


def change_curves(
    comparison: Comparison, tables: Mapping[FineTuning, pd.DataFrame], measure: str, slug: str
) -> Iterator[Picture]:
    """Draw each layer before with itself after by one measure, one figure per set of layers.

    `tables` are those of `assonance.tables.changes.layers`, computed once for all measures.
    """
    for number, group in enumerate(_of_the_same_layers(comparison, list(tables))):
        curves = {
            pair: change_tables.curve(tables[pair], measure)
            for pair in group
            if measure in tables[pair].index.get_level_values("measure")
        }
        known = {pair: table for pair, table in curves.items() if not table.empty}
        if not known:
            continue
        name = change_plots.title_of(comparison, measure)
        onsets = {pair: change_tables.onset(table) for pair, table in known.items()}
        changed = [
            f"from {layer} on" + (f" in {printable(pair.fine_tuned)}" if len(known) > 1 else "")
            for pair, layer in onsets.items()
            if layer
        ]
        models = [
            f"{printable(pair.pretrained)} with the same layer of {printable(pair.fine_tuned)}"
            for pair in known
        ]
        ends = [
            f"{table['value'].iloc[0]:.2f} to {table['value'].iloc[-1]:.2f}"
            for table in known.values()
        ]
        yield picture(
            f"change-{slug}-{number}",
            partial(change_plots.layers, comparison, list(known), measure, tables),
            _shown(known),
            f"{name} of each layer of {join_names(models)}."
            + (
                f" Ring{'s' if len(changed) > 1 else ''}: {join_names(changed)}." if changed else ""
            ),
            f"Lines of {name} by depth, from first to last layer: {join_names(ends)}.",
        )


def _of_the_same_layers(
    comparison: Comparison, pairs: Sequence[FineTuning]
) -> list[list[FineTuning]]:
    """Group pairs whose models have the same layers, so that their curves can share a figure."""
    groups: dict[tuple[str, ...], list[FineTuning]] = {}
    for pair in pairs:
        groups.setdefault(comparison.layers(pair.pretrained), []).append(pair)
    return list(groups.values())


def _shown(known: Mapping[FineTuning, pd.DataFrame]) -> pd.DataFrame:
    """Make the table of one figure, with the fine-tuned model as index level if several."""
    by_name = {pair.fine_tuned: table for pair, table in known.items()}
    table = pd.concat(by_name, names=["after"]) if len(known) > 1 else next(iter(by_name.values()))
    shown = table.drop(columns=["level", "depth"]).dropna(axis="columns", how="all")
    return shown.rename(columns=_COLUMNS)


def single_heads(
    comparison: Comparison, pairs: Sequence[FineTuning], measure: str, slug: str
) -> Iterator[Picture]:
    """Draw the score of every head with itself."""
    if measure not in head_measures(comparison):
        return
    for pair in pairs:
        table = change_tables.heads(comparison, pair, measure)
        if table.empty:
            continue
        low = [f"head {head} of {layer}" for layer, head in table["value"].nsmallest(3).index]
        yield picture(
            f"change-heads-{slug}-{pairs.index(pair)}",
            lambda pair=pair: change_plots.heads(comparison, pair, measure),  # type: ignore[misc]
            table.rename(
                columns={
                    "value": "head with itself",
                    "position": "average offsets alone",
                    "best": "best match",
                    "best_head": "matching head",
                }
            ),
            f"Each head of {printable(pair.pretrained)} with itself after fine-tuning to "
            f"{printable(pair.fine_tuned)}. Changed most: {join_names(low)}.",
            f"Points of {len(table)} heads by layer; changed most: {join_names(low)}.",
        )


def measures(table: pd.DataFrame) -> list[str]:
    """List the measures with a curve, including those of neurons and heads with themselves."""
    known = table.dropna(subset="value")
    return list(dict.fromkeys(map(str, known.index.get_level_values("measure"))))


def changes_section(comparison: Comparison, pairs: Sequence[FineTuning]) -> Section | None:
    """Show what fine-tuning changed."""
    if not pairs:
        return None
    changed = {pair: change_tables.layers(comparison, pair) for pair in pairs}
    names = measures(changed[pairs[0]])
    names.sort(
        key=lambda name: FIRST_SHOWN.index(name) if name in FIRST_SHOWN else len(FIRST_SHOWN)
    )
    panels = []
    for name in names:
        pictures = [*change_curves(comparison, changed, name, f"m{names.index(name)}")]
        pictures += single_heads(comparison, pairs, name, f"m{names.index(name)}")
        base = name.removesuffix(change_tables.OWN)
        label = change_plots.title_of(comparison, name)
        panels.append(Panel(label, definition(comparison, base), tuple(pictures)))
    text, heading = TEXT, "What did fine-tuning change?"
    return Section("change", "Fine-tuning", heading, text, tuple(panels))
