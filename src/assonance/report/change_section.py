"""The section on fine-tuning: what it changed, layer by layer and head by head."""

from collections.abc import Iterator, Sequence

from assonance import change_plot, changes
from assonance.head_tables import head_measures
from assonance.outside import listing, one_line
from assonance.report.figures import Picture, picture
from assonance.results import Comparison
from assonance.tuned_pairs import Pair

TEXT = (
    "The same layer before and after fine-tuning. The dotted ceiling is what two trainings of one "
    "recipe from different seeds share: below it a layer has changed by more than a fresh "
    "training would have made it differ. A ring marks the layer from which on every layer lies "
    "below the ceiling or, where there is none, below the middle of the curve."
)
_COLUMNS = {
    "beyond": "changed beyond the ceiling",
    "ceiling": "ceiling: second seed",
    "value": "before and after",
}


def curves(
    comparison: Comparison, pairs: Sequence[Pair], measure: str, slug: str
) -> Iterator[Picture]:
    """Draw one measure of all layers with themselves."""
    found = [
        (pair, changes.curve(table, measure))
        for pair in pairs
        if measure in (table := changes.layers(comparison, pair)).index.get_level_values("measure")
    ]
    for pair, known in found:
        if known.empty:
            return
        name = change_plot.title_of(comparison, measure)
        begins = changes.onset(known)
        words = f"from {known['value'].iloc[0]:.2f} to {known['value'].iloc[-1]:.2f}"
        shown = known.drop(columns=["level", "depth"]).dropna(axis="columns", how="all")
        yield picture(
            f"change-{slug}-{pairs.index(pair)}",
            lambda pair=pair: change_plot.layers(comparison, [pair], measure),  # type: ignore[misc]
            shown.rename(columns=_COLUMNS),
            f"{name}: each layer of {one_line(pair.pretrained)} with the same layer of "
            f"{one_line(pair.fine_tuned)}"
            + (f". All layers from {begins} on have changed." if begins else "."),
            f"Line of {name} by depth, {words}, first layer to last.",
        )


def single_heads(
    comparison: Comparison, pairs: Sequence[Pair], measure: str, slug: str
) -> Iterator[Picture]:
    """Draw every head with itself."""
    if measure not in head_measures(comparison):
        return
    for pair in pairs:
        table = changes.heads(comparison, pair, measure)
        if table.empty:
            continue
        low = [f"head {head} of {layer}" for layer, head in table["value"].nsmallest(3).index]
        yield picture(
            f"change-heads-{slug}-{pairs.index(pair)}",
            lambda pair=pair: change_plot.heads(comparison, pair, measure),  # type: ignore[misc]
            table.rename(
                columns={
                    "value": "with itself",
                    "position": "positions alone",
                    "best": "with its best match",
                    "best_head": "which is head",
                }
            ),
            f"Each head of {one_line(pair.pretrained)} with itself after fine-tuning to "
            f"{one_line(pair.fine_tuned)}; changed most: {listing(low)}.",
            f"Points of {len(table)} heads by layer; least like themselves are {listing(low)}.",
        )


def measures(comparison: Comparison, pairs: Sequence[Pair]) -> list[str]:
    """Name the measures that there are curves of, neurons' and heads' own included."""
    table = changes.layers(comparison, pairs[0]).dropna(subset="value")
    return list(dict.fromkeys(map(str, table.index.get_level_values("measure"))))
