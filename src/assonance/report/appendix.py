"""Make the tables of the page: every number that its views draw, readable without a script."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.errors import printable
from assonance.inference.localisation import LOCALISATION
from assonance.measures.layer_descriptors import DESCRIPTORS
from assonance.measures.roles import CONSENSUS, HELD_OUT, MATCHED, PREDICTED_R
from assonance.report.grids import Grid, cell, grid
from assonance.report.matches import Matches
from assonance.report.words import interval_headings, named, title
from assonance.tables import cells, floors_and_ceilings
from assonance.tables import changes as change_tables
from assonance.tables import heads as head_tables
from assonance.tables import layers as layer_tables
from assonance.tables import matches as match_tables
from assonance.tables import neurons as neuron_tables
from assonance.tables import trust as trust_tables
from assonance.tables.floors_and_ceilings import RANDOM_WEIGHTS, SHIFTED


@dataclass(frozen=True)
class Table:
    """A table of the appendix.

    Attributes
    ----------
    id
        Unique on the page. Views refer to the tables of a measure by its place among those shown,
        such as ``table-matrix-0``.
    caption
        What the numbers are.
    grid
        The numbers.
    """

    id: str
    caption: str
    grid: Grid


def tables(matches: Matches, pairs: Sequence[FineTuning]) -> list[Table]:
    """Make all tables whose numbers were computed."""
    comparison = matches.comparison
    return [
        *_matrices(matches),
        *_best_layers(matches),
        *_changes(comparison, pairs),
        *_neurons(comparison),
        *_heads(matches),
        *_trust(comparison),
    ]


def _matrices(matches: Matches) -> Iterator[Table]:
    """Yield each measure's scores of all layers with all layers, with their intervals."""
    comparison = matches.comparison
    for place, name in enumerate(matches.shown):
        table = (
            layer_tables.matrix(comparison, name) if name != LOCALISATION else _index(comparison)
        )
        caption = f"{title(comparison, name)} of each row layer with each column layer"
        if name in comparison.intervals and name != LOCALISATION:
            ends = [layer_tables.matrix(comparison, name, statistic=end) for end in cells.BOUNDS]
            table = _with_intervals(table, *ends)
            caption += (
                "; brackets: 95 % intervals, about the bias-corrected estimate, so the score "
                "itself can lie outside"
            )
        yield Table(f"table-matrix-{place}", caption, grid(table))


def _index(comparison: Comparison) -> pd.DataFrame:
    """Read the localisation index of all layers with all layers."""
    labels = pd.MultiIndex.from_tuples(
        [(model, layer) for model in comparison.models for layer in comparison.layers(model)],
        names=("model", "layer"),
    )
    return cells.table(comparison.scores[LOCALISATION], labels, labels)


def _with_intervals(table: pd.DataFrame, low: pd.DataFrame, high: pd.DataFrame) -> pd.DataFrame:
    """Format each score with its interval."""
    texts = [
        [
            cell(value) if start != start else f"{cell(value)} [{cell(start)}, {cell(end)}]"
            for value, start, end in zip(*rows, strict=True)
        ]
        for rows in zip(table.to_numpy(), low.to_numpy(), high.to_numpy(), strict=True)
    ]
    return pd.DataFrame(texts, index=table.index, columns=table.columns)


def _best_layers(matches: Matches) -> Iterator[Table]:
    """Yield each measure's best-matching layers with the layers that are as good."""
    comparison = matches.comparison
    if len(comparison.models) < 2:
        return
    for place, name in enumerate(matches.shown):
        if name == LOCALISATION:
            continue
        table = matches.best(name).copy()
        sets = matches.sets(name)
        as_good = sets["layers"].where(sets["tested"], None)
        table.insert(1, "as good", as_good.map(_joined, na_action="ignore"))
        floor = floors_and_ceilings.floor(table, name)
        headings = {
            "value": title(comparison, name),
            "as good": "layers not significantly behind the best",
            **({floor.column: floor.label} if floor else {}),
        }
        yield Table(
            f"table-depth-{place}",
            f"Best-matching layers by {title(comparison, name)}",
            grid(named(table, **headings)),
        )
    if CONSENSUS in comparison.scores:
        consensus = layer_tables.consensus(comparison)
        if "value" in consensus:
            caption = (
                f"{title(comparison, CONSENSUS)}: correlation of each neuron with its best match "
                "in the layer of the other models that matches it worst, averaged over the layer"
            )
            headings = {"value": title(comparison, CONSENSUS), "floor": RANDOM_WEIGHTS.label}
            yield Table("table-consensus", caption, grid(named(consensus, **headings)))
    if LOCALISATION in comparison.scores and cells.predicting_measure(comparison):
        index = matches.best(LOCALISATION)
        if index["value"].notna().any():
            headings = {"value": "localisation index", "predicted": "score of the prediction"}
            caption = (
                "Localisation index at the layer that predicts best. 0: same information, no "
                "common neurons; 1: neurons match one to one"
            )
            yield Table("table-localisation", caption, grid(named(index, **headings)))


def _joined(layers: tuple[str, ...]) -> str:
    return ", ".join(map(printable, layers))


def _changes(comparison: Comparison, pairs: Sequence[FineTuning]) -> Iterator[Table]:
    """Yield what fine-tuning changed, by layer and by head."""
    for number, pair in enumerate(pairs):
        names = printable(pair.pretrained), printable(pair.fine_tuned)
        table = change_tables.layers(comparison, pair).dropna(subset="value")
        shown_table = table.dropna(axis="columns", how="all").rename(
            columns={"beyond": "below the ceiling", "value": "before with after"}
        )
        yield Table(
            f"table-change-{number}",
            f"Similarity of each layer of {names[0]} with the same layer of {names[1]}",
            grid(shown_table),
        )
        for place, measure in enumerate(head_tables.head_measures(comparison)):
            heads = change_tables.heads(comparison, pair, measure).dropna(axis="columns", how="all")
            if heads.empty:
                continue
            heads = heads.rename(
                columns={
                    "value": "head with itself",
                    "position": "average offsets alone",
                    "best": "best match",
                    "best_head": "matching head",
                }
            )
            caption = (
                f"{title(comparison, measure)} of each head of {names[0]} with itself in {names[1]}"
            )
            yield Table(f"table-change-heads-{number}-{place}", caption, grid(heads))


def _neurons(comparison: Comparison) -> Iterator[Table]:
    """Yield the neurons of the pair of layers of which one predicts the other best."""
    pair = match_tables.best_pair(comparison)
    if pair is None or not {PREDICTED_R, MATCHED} <= set(comparison.neurons.data_vars):
        return
    table = neuron_tables.neurons(comparison, *pair)
    if not table.empty:
        row, layer_row, col, layer_col = map(printable, pair)
        caption = f"Neurons of {row} {layer_row} with {col} {layer_col}, the best-predicted pair"
        yield Table("table-neurons", caption, grid(named(table, **interval_headings(table))))


def _heads(matches: Matches) -> Iterator[Table]:
    """Yield the kinds of heads, and the best match of each by measure."""
    comparison = matches.comparison
    if "entropy" not in comparison.heads:
        return
    table = head_tables.heads(comparison)
    if table.empty:
        return
    titles = {
        name: str(comparison.heads[name].attrs.get("long_name", name))
        for name in head_tables.DESCRIPTORS
    }
    kinds = table.rename_axis(["model", "layer", "head"]).rename(columns=titles)
    yield Table("table-heads", "Kinds of attention heads", grid(kinds))
    if len(head_tables.with_heads(comparison)) < 2:
        return
    for place, measure in enumerate(head_tables.head_measures(comparison)):
        found = matches.of_heads(measure)
        if found.empty:
            continue
        name = title(comparison, measure)
        found = found.dropna(axis="columns", how="all")
        found = found.rename_axis(["model", "other model", "layer", "head"]).rename(
            columns={
                "layer_col": "layer of the best match",
                "head_col": "matching head",
                "value": name,
                "position": "average offsets alone",
                "mutual": "mutual best match",
            }
        )
        yield Table(
            f"table-head-matches-{place}", f"Best match of each head by {name}", grid(found)
        )


def _trust(comparison: Comparison) -> Iterator[Table]:
    """Yield the references of each measure, its overfitting, and what describes each layer."""
    chance = trust_tables.chance_by_measure(comparison)
    if not chance.empty:
        headings = {"value": "between models", "least p": "smallest possible p"}
        headings |= {"above": "fraction of pairs with q ≤ 0.05"}
        headings |= {each.name: each.label for each in (SHIFTED, *trust_tables.averaged())}
        if chance["above"].isna().all():
            chance = chance.drop(columns=["least p", "above"])
        chance = chance.dropna(axis="columns", how="all")
        titles = [title(comparison, str(name)) for name in chance.index]
        chance = chance.set_axis(titles, axis="index").rename_axis("measure")
        yield Table(
            "table-chance", "Means over pairs of layers", grid(chance.rename(columns=headings))
        )
    for number, (name, held_out) in enumerate(HELD_OUT.items()):
        if len(comparison.models) < 2 or not {name, held_out} <= set(comparison.scores.data_vars):
            continue
        lost = trust_tables.overfitting(comparison, name, held_out)
        if lost.isna().all(axis=None):
            continue
        words = {"in_sample": "in sample", "held_out": "held out", "layer_col": "best match"}
        lost = lost.rename(columns=words).rename_axis(["model", "other model", "layer"])
        yield Table(
            f"table-overfitting-{number}",
            f"Overfitting of {title(comparison, name)}: in sample minus held out",
            grid(lost),
        )
    layers = trust_tables.descriptors(comparison).drop(columns="depth_row")
    if len(layers.columns):
        words = {name: DESCRIPTORS[name].title.lower() for name in map(str, layers.columns)}
        layers = layers.rename(columns=words).rename_axis(["model", "layer"])
        yield Table("table-layers", "What describes each layer", grid(layers))
