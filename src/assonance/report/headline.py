"""Answer the question of the page: a verdict in one sentence, and four numbers a pair of models."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pandas as pd

from assonance.comparison.relations import FineTuning, Relations
from assonance.comparison.result import Comparison
from assonance.errors import join_names, printable
from assonance.inference.localisation import LOCALISATION
from assonance.measures import MEASURES
from assonance.measures.roles import EXPLAINED, MATCHED
from assonance.report.change_summary import begins, changed_most, remaining
from assonance.report.matches import Matches, Pair
from assonance.report.words import percent
from assonance.tables import cells, floors_and_ceilings
from assonance.tables import changes as change_tables
from assonance.tables import matches as match_tables

# Localisation indices below the first are worded as few shared neurons, above the second as mostly
# the same neurons.
FEW, MOST = 0.25, 0.75


@dataclass(frozen=True)
class Number:
    """A number of the headline, as text.

    Attributes
    ----------
    title, value, interval
        What it is, its value, and its interval without the value; empty if it has none.
    text
        What it means.
    references
        Floors and ceilings, each a label and a value.
    """

    title: str
    value: str
    interval: str
    text: str
    references: tuple[tuple[str, str], ...] = ()


def unrelated_pairs(comparison: Comparison) -> list[Pair]:
    """List the ordered pairs of models trained apart; all pairs if no two were."""
    every = list(permutations(comparison.models, 2))
    relations = Relations(comparison.provenance.models)
    apart = [
        pair for pair in every if relations.unrelated(*(relations.models[name] for name in pair))
    ]
    return apart or every


def verdict(matches: Matches, pairs: Sequence[FineTuning]) -> str:
    """Word the answer in one sentence.

    Parameters
    ----------
    matches
        Scores to read.
    pairs
        Fine-tunings. If no two models were trained apart, the verdict is on the first of these.
    """
    comparison = matches.comparison
    if len(comparison.models) < 2:
        return (
            "One model was compared with itself: the matrix shows how similar its layers are, and "
            "against random weights."
        )
    relations = Relations(comparison.provenance.models)
    models = [relations.models[name] for name in comparison.models]
    apart = any(relations.unrelated(row, col) for row, col in permutations(models, 2))
    if pairs and not apart:
        return _of_change(matches, pairs[0])
    directions = unrelated_pairs(comparison)
    names = list(dict.fromkeys(printable(name) for pair in directions for name in pair))
    if len(directions) < len(models) * (len(models) - 1) or len(names) > 3:
        subject = "Independently trained models" if apart else "The models"
    else:
        subject = join_names(names)
    parts = [_space(matches, directions), _neurons(matches, directions)]
    if not any(parts):
        parts = [_attention(matches, directions)]
    said = [part for part in parts if part]
    if not said:
        return "Nothing that was computed compares the models; see the tables."
    return _unbroken(f"{subject} {' '.join(said)}.")


def _space(matches: Matches, pairs: Sequence[Pair]) -> str:
    """Word how much of a space is shared, against random weights."""
    comparison = matches.comparison
    measure = matches.space
    if measure is None:
        return ""
    means, above, floors = [], [], []
    for pair in pairs:
        best = matches.of(measure, pair)
        mean, low, _ = match_tables.mean_over_layers(comparison, measure, best)
        if mean != mean:
            continue
        means.append(mean)
        floor = floors_and_ceilings.floor(best, measure)
        if floor is not None:
            floors.append(float(best[floor.column].mean()))
            above.append((mean if low != low else low) > floors[-1])
    if not means:
        return ""
    stated = _range(means, measure)
    if measure in EXPLAINED:
        stated += " of the variance predicted by a linear map"
    else:
        stated = f"{MEASURES[measure].title} {stated}"
    if not floors:
        return f"reach {stated} in their best-matching layers"
    verb = (
        "share a space"
        if all(above)
        else "share no more of a space than untrained copies"
        if not any(above)
        else "share a space in some directions only"
    )
    return f"{verb} ({stated}; untrained copies {_range(floors, measure)})"


def _neurons(matches: Matches, pairs: Sequence[Pair]) -> str:
    """Word how far single neurons correspond, by the localisation index."""
    comparison = matches.comparison
    if LOCALISATION not in comparison.scores or cells.predicting_measure(comparison) is None:
        return ""
    found = [
        match_tables.mean_over_layers(comparison, LOCALISATION, matches.of(LOCALISATION, pair))
        for pair in pairs
    ]
    found = [each for each in found if each[0] == each[0]]
    if not found:
        return ""
    values = [mean for mean, _, _ in found]
    lows = [mean if low != low else low for mean, low, _ in found]
    highs = [mean if high != high else high for mean, _, high in found]
    words = (
        "but few neurons"
        if max(highs) < FEW
        else "and mostly the same neurons"
        if min(lows) > MOST
        else "and some of their neurons"
    )
    if matches.space is None:
        words = f"share {words.split(maxsplit=1)[1]}"
    return f"{words} (localisation index {_range(values)}; 0: none in common, 1: one to one)"


def _attention(matches: Matches, pairs: Sequence[Pair]) -> str:
    """Word how similar attention heads are."""
    comparison = matches.comparison
    measure = matches.heads
    if measure is None:
        return ""
    means, floors = [], []
    for pair in pairs:
        best = matches.of(measure, pair)
        mean = match_tables.mean_over_layers(comparison, measure, best)[0]
        floor = floors_and_ceilings.floor(best, measure)
        means += [mean] if mean == mean else []
        floors += [float(best[floor.column].mean())] if floor and mean == mean else []
    if not means:
        return ""
    against = f"; untrained copies {_range(floors)}" if floors else ""
    return (
        "have attention heads whose best matches in the best-matching layers reach "
        f"{_range(means)} ({MEASURES[measure].title}{against})"
    )


def _of_change(matches: Matches, pair: FineTuning) -> str:
    """Word what fine-tuning changed: the first layer, the last layer, and where change begins."""
    comparison = matches.comparison
    table = change_tables.layers(comparison, pair)
    measure = next(iter(change_tables.leading_measures(table)), None)
    if matches.lead in table.index.get_level_values("measure"):
        measure = matches.lead
    if measure is None:
        return "Nothing that was computed compares the layers before and after fine-tuning."
    curve = change_tables.curve(table, measure)
    said = f"{remaining(curve, measure)}{begins(curve, measure)}"
    said = said[:1].lower() + said[1:]
    name = printable(pair.fine_tuned)
    return _unbroken(f"Fine-tuning to {name} changed {changed_most(curve)} most: {said}.")


def numbers(matches: Matches, row: str, col: str) -> list[Number]:
    """Compute the numbers of two models: shared space, shared neurons, attention, depth.

    Parameters
    ----------
    matches
        Scores to read.
    row, col
        The model whose layers are matched, and the model that they are matched in.
    """
    found = [
        _shared_space(matches, row, col),
        _shared_neurons(matches, row, col),
        _shared_attention(matches, row, col),
        _depth(matches, row, col),
    ]
    return [each for each in found if each is not None]


def _shared_space(matches: Matches, row: str, col: str) -> Number | None:
    measure = matches.space
    if measure is None:
        return None
    names = printable(row), printable(col)
    text = (
        f"of {names[0]}'s variance, predicted by a linear map from {names[1]}"
        if measure in EXPLAINED
        else f"{MEASURES[measure].title} of {names[0]}'s layers with their best matches in "
        f"{names[1]}"
    )
    return _mean(matches, measure, (row, col), "Shared space", text)


def _shared_neurons(matches: Matches, row: str, col: str) -> Number | None:
    comparison = matches.comparison
    if LOCALISATION in comparison.scores and cells.predicting_measure(comparison) is not None:
        best = matches.of(LOCALISATION, (row, col))
        value, interval = _stated(comparison, LOCALISATION, best)
        if value:
            text = f"localisation index of {printable(row)}'s neurons in {printable(col)}"
            ends = (("same space, no common neurons", "0"), ("one to one", "1"))
            return Number("Shared neurons", value, interval, text, ends)
    if MATCHED not in comparison.scores:
        return None
    text = f"correlation of {printable(row)}'s neurons with their best matches in {printable(col)}"
    return _mean(matches, MATCHED, (row, col), "Shared neurons", text)


def _shared_attention(matches: Matches, row: str, col: str) -> Number | None:
    measure = matches.heads
    if measure is None:
        return None
    text = (
        f"{MEASURES[measure].title} of {printable(row)}'s heads with their best matches in "
        f"{printable(col)}"
    )
    return _mean(matches, measure, (row, col), "Attention", text)


def _depth(matches: Matches, row: str, col: str) -> Number | None:
    """Average how much deeper the best matches lie; its bounds are those of the sets of layers."""
    comparison = matches.comparison
    measure = matches.space or matches.heads
    if measure is None:
        return None
    sets = matches.sets(measure)
    pairs = zip(
        *(sets.index.get_level_values(f"model_{side}") for side in ("row", "col")), strict=True
    )
    sets = sets[[pair == (row, col) for pair in pairs]].droplevel(["model_row", "model_col"])
    if sets.empty:
        return None
    rows, cols = comparison.layers(row), comparison.layers(col)
    own = np.array([cells.depth(rows.index(layer), len(rows)) for layer in sets.index])

    def deeper(layers: Iterable[str]) -> float:
        depths = [cells.depth(cols.index(layer), len(cols)) for layer in layers]
        return float(np.mean(np.array(depths) - own))

    ends = [deeper(layers[k] for layers in sets["layers"]) for k in (0, -1)]
    interval = "{:+.2f}, {:+.2f}".format(*ends) if sets["tested"].any() else ""
    text = (
        f"depth of the best match in {printable(col)} minus depth in {printable(row)}, each from "
        "0 (first layer) to 1 (last)"
    )
    value = f"{deeper(sets['best']):+.2f}".replace("-", "−")
    same = (("same depth", "0"),)
    return Number("Depth of the match", value, interval.replace("-", "−"), text, same)


def _mean(matches: Matches, measure: str, pair: Pair, title: str, text: str) -> Number | None:
    """Average a measure over best matches, with its references."""
    best = matches.of(measure, pair)
    value, interval = _stated(matches.comparison, measure, best)
    if not value:
        return None
    best = best.dropna(axis="columns", how="all")
    known = [
        (each.words if each.kind != "floor" else _FLOORS.get(each.words, each.words), each)
        for each in floors_and_ceilings.known(best, measure)
        if each.kind in ("floor", "baseline", "ceiling")
    ]
    ceiling = floors_and_ceilings.ceiling(best, measure)
    references = tuple(
        (words, _format(measure, float(best[each.column].mean())))
        for words, each in known
        if each.kind != "ceiling" or each is ceiling
    )
    return Number(title, value, interval, text, references)


_FLOORS = {"random weights": "untrained copy"}


def _stated(comparison: Comparison, measure: str, best: pd.DataFrame) -> tuple[str, str]:
    """Format a mean over layers and its interval; empty texts for what is undefined."""
    mean, low, high = match_tables.mean_over_layers(comparison, measure, best)
    if mean != mean:
        return "", ""
    ends = "" if low != low else f"{_format(measure, low)}, {_format(measure, high)}"
    return _format(measure, mean), ends.replace(" %", "")


def _format(measure: str, value: float) -> str:
    """Format a score: explained variance in per cent."""
    if value != value:
        return "undefined"
    text = percent(value) if measure in EXPLAINED else f"{value:.2f}"
    return text.replace("-", "−")


def _unbroken(text: str) -> str:
    """Keep numbers and their unit on one line."""
    return text.replace(" %", "\u00a0%")


def _range(values: Sequence[float], measure: str = "") -> str:
    """Format the lowest and the highest of some values, once if they read the same."""
    ends = [_format(measure, each) for each in (min(values), max(values))]
    if ends[0] == ends[1]:
        return ends[0]
    return f"{ends[0].removesuffix(' %')}–{ends[1]}"
