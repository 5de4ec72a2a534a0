"""The section on fine-tuning: what it changed, layer by layer and head by head."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import pandas as pd

from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.errors import join_names, printable
from assonance.measures.roles import FIRST_SHOWN
from assonance.plots import changes as change_plots
from assonance.report.pictures import Picture, picture
from assonance.report.sections.section import Panel, Section, what
from assonance.tables import changes as change_tables
from assonance.tables.floors_and_ceilings import SECOND_SEED
from assonance.tables.heads import head_measures

TEXT = (
    "The same layer before and after fine-tuning. The dotted ceiling is what two trainings of one "
    "recipe from different seeds share: below it a layer has changed by more than a fresh "
    "training would have made it differ. A ring marks the layer from which on every layer lies "
    "below the ceiling or, where there is none, below the middle of the curve."
)


_COLUMNS = {
    "beyond": "changed beyond the ceiling",
    "ceiling": SECOND_SEED.label,
    "value": "before and after",
}


def change_curves(
    comparison: Comparison, tables: Mapping[FineTuning, pd.DataFrame], measure: str, slug: str
) -> Iterator[Picture]:
    """Draw one measure of all layers with themselves, pairs of the same layers together.

    `tables` are those of `assonance.tables.changes.layers`, made once for all measures.
    """
    for number, group in enumerate(_of_the_same_layers(comparison, list(tables))):
        found = {
            pair: change_tables.curve(tables[pair], measure)
            for pair in group
            if measure in tables[pair].index.get_level_values("measure")
        }
        known = {pair: table for pair, table in found.items() if not table.empty}
        if not known:
            continue
        name = change_plots.title_of(comparison, measure)
        begins = {pair: change_tables.onset(table) for pair, table in known.items()}
        changed = [
            f"from {layer} on" + (f" in {printable(pair.fine_tuned)}" if len(known) > 1 else "")
            for pair, layer in begins.items()
            if layer
        ]
        both = [
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
            f"{name}: each layer of {join_names(both)}."
            + (f" All layers have changed {join_names(changed)}." if changed else ""),
            f"{name} by depth, first layer to last: {join_names(ends)}.",
        )


def _of_the_same_layers(
    comparison: Comparison, pairs: Sequence[FineTuning]
) -> list[list[FineTuning]]:
    """Put pairs together whose models have the same layers: their curves can be laid over."""
    groups: dict[tuple[str, ...], list[FineTuning]] = {}
    for pair in pairs:
        groups.setdefault(comparison.layers(pair.pretrained), []).append(pair)
    return list(groups.values())


def _shown(known: Mapping[FineTuning, pd.DataFrame]) -> pd.DataFrame:
    """Table the curves of one picture, each under its fine-tuned model where there are several."""
    by_name = {pair.fine_tuned: table for pair, table in known.items()}
    table = pd.concat(by_name, names=["after"]) if len(known) > 1 else next(iter(by_name.values()))
    shown = table.drop(columns=["level", "depth"]).dropna(axis="columns", how="all")
    return shown.rename(columns=_COLUMNS)


def single_heads(
    comparison: Comparison, pairs: Sequence[FineTuning], measure: str, slug: str
) -> Iterator[Picture]:
    """Draw every head with itself."""
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
                    "value": "with itself",
                    "position": "positions alone",
                    "best": "with its best match",
                    "best_head": "which is head",
                }
            ),
            f"Each head of {printable(pair.pretrained)} with itself after fine-tuning to "
            f"{printable(pair.fine_tuned)}; changed most: {join_names(low)}.",
            f"Points of {len(table)} heads by layer; least like themselves are {join_names(low)}.",
        )


def measures(table: pd.DataFrame) -> list[str]:
    """Name the measures that a pair has curves of, neurons' and heads' own included."""
    known = table.dropna(subset="value")
    return list(dict.fromkeys(map(str, known.index.get_level_values("measure"))))


def fine_tuning(comparison: Comparison, pairs: Sequence[FineTuning]) -> Section | None:
    """Show what changed between models and the same models fine-tuned."""
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
        panels.append(Panel(label, what(comparison, base), tuple(pictures)))
    text, heading = TEXT, "What did fine-tuning change?"
    return Section("change", "Fine-tuning", heading, text, tuple(panels))
