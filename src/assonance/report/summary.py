"""Summarise a comparison in a few sentences: matching layers, shared space, shared neurons."""

import math
from itertools import combinations, groupby, permutations

import pandas as pd

from assonance.comparison.relations import Relations
from assonance.comparison.result import Comparison
from assonance.inference.localisation import LOCALISATION
from assonance.measures.roles import EXPLAINED, HELD_OUT, MATCHED
from assonance.report.matches import Matches
from assonance.report.words import percent, title
from assonance.tables import floors_and_ceilings
from assonance.tables import matches as match_tables
from assonance.tables import trust as trust_tables
from assonance.tables.best_layers import best_sets


def sentences(comparison: Comparison, lead: str | None = None) -> list[str]:
    """Write the summary.

    Parameters
    ----------
    comparison
        Two or more models; the summary of a single one is empty.
    lead
        The measure that leads; see `assonance.report.matches.Matches`.

    Returns
    -------
    list of str
        For two models: the best-matching layers, the shared space with its floor of random weights
        and the log-mel baseline, the shared neurons with their floor of rotated neurons, and the
        overfitting; of attention alone, how similar heads are to their best matches. For more: the
        most similar model of each, and the pairs of unrelated models with the lowest and the
        highest score; the same for related models. Last, how intervals were made. What was not
        computed is left out.
    """
    matches = Matches(comparison, lead)
    leading, heads = matches.space, matches.heads
    unrelated, related = _pairs(comparison)
    several = len(comparison.models) > 2
    lines = []
    if leading is not None and unrelated:
        best = match_tables.best_layers(comparison, leading)
        directions = _directions(best, unrelated)
        if several:
            which = "independently trained model" if related else "model"
            lines.append(_most_similar(comparison, leading, directions, which))
        else:
            lines.append(_matching(comparison, leading, directions))
        lines.append(_shared_space(comparison, leading, "Shared space", directions))
        if related:
            heading = "Shared space with another seed or a fine-tuned model"
            lines.append(_shared_space(comparison, leading, heading, _directions(best, related)))
    if MATCHED in comparison.scores and unrelated:
        best = match_tables.best_layers(comparison, MATCHED)
        lines.append(_shared_neurons(comparison, _directions(best, unrelated)))
    lines += _overfitting(comparison, unrelated)
    if not lines and heads is not None and unrelated:
        best = match_tables.best_layers(comparison, heads)
        lines.append(_shared_attention(comparison, heads, _directions(best, unrelated)))
    if lines and comparison.method:
        lines.append(f"Brackets: 95 % intervals from {comparison.method}.")
    return lines


# Names of two models: whose layers are matched, and where their matches are.
_Pairs = list[tuple[str, str]]
# The same, with the best matches of each layer.
_Directions = list[tuple[str, str, pd.DataFrame]]


def _pairs(comparison: Comparison) -> tuple[_Pairs, _Pairs]:
    """List the ordered pairs of unrelated models, and those of related ones.

    All pairs count as unrelated if there are only two models, or if all are related.
    """
    every = list(permutations(comparison.models, 2))
    relations = Relations(comparison.provenance.models)
    unrelated, related = (
        [pair for pair in every if holds(*(relations.models[name] for name in pair))]
        for holds in (relations.unrelated, relations.same_origin)
    )
    return (unrelated, related) if len(comparison.models) > 2 and unrelated else (every, [])


def _directions(table: pd.DataFrame, pairs: _Pairs) -> _Directions:
    """Select the rows of each pair of models."""
    return [
        (*pair, pd.DataFrame(table.xs(pair, level=("model_row", "model_col"), drop_level=False)))
        for pair in pairs
    ]


def _extremes(directions: _Directions) -> tuple[str, _Directions]:
    """Select the lowest and the highest of more than two, with the words for that."""
    if len(directions) <= 2:
        return "", directions
    defined = [each for each in directions if each[2]["value"].notna().any()]
    ordered = sorted(defined, key=lambda each: float(each[2]["estimate"].mean()))
    ends = [ordered[0], ordered[-1]] if len(ordered) > 1 else ordered
    return ", lowest and highest", ends


def _most_similar(comparison: Comparison, measure: str, directions: _Directions, which: str) -> str:
    """Name the most similar other model of each."""
    by = (
        "share of variance predicted in unseen sentences"
        if measure in EXPLAINED
        else title(comparison, measure)
    )
    best: dict[str, tuple[float, str]] = {}
    for row, col, table in directions:
        if table["value"].notna().any():
            best[row] = max(best.get(row, (-math.inf, "")), (table["value"].mean(), col))
    parts = [f"{row} → {col}" for row, (_, col) in best.items()]
    return f"Most similar {which} ({by}): {', '.join(parts) or 'none'}."


def _matching(comparison: Comparison, measure: str, directions: _Directions) -> str:
    """Name the best matches of each layer; successive layers with the same ones are one item."""
    parts = []
    sets = best_sets(comparison, measure).reset_index().to_dict("records")
    for row, col, _ in directions:
        runs = []
        here = [
            (each["layer_row"], each["layers"])
            for each in sets
            if (each["model_row"], each["model_col"]) == (row, col)
        ]
        for found, group in groupby(here, key=lambda item: item[1]):
            layers = [str(layer) for layer, _ in group]
            last = f"–{layers[-1].rpartition('.')[2]}" if len(layers) > 1 else ""
            runs.append(f"{layers[0]}{last} → {_either(found)}")
        parts.append(f"of {row} in {col}: {', '.join(runs) or 'none'}")
    return f"Best-matching layers ({title(comparison, measure)}) {'; '.join(parts)}."


def _either(layers: tuple[str, ...]) -> str:
    """Name the layers of a set; of many, the first and the last."""
    if len(layers) > 3:
        return f"one of {len(layers)} from {layers[0]} to {layers[-1]}"
    return " or ".join(layers)


def _shared_space(
    comparison: Comparison, measure: str, heading: str, directions: _Directions
) -> str:
    """State how well the best-matching layers predict, or resemble, each other."""
    which, directions = _extremes(directions)
    parts = []
    for row, col, best in directions:
        score = _with_interval(comparison, measure, best)
        stated = (
            f"A linear map from {col} predicts {score} of {row}'s variance."
            if measure in EXPLAINED
            else f"Layers of {row} reach {score} in {col}."
        )
        verb = "predicts" if measure in EXPLAINED else "reaches"
        parts.append(stated + _references(measure, best, verb))
    return (
        f"{heading}{which} ({title(comparison, measure)}, mean over best-matching layers): "
        f"{' '.join(parts) or 'no scores.'}"
    )


def _shared_neurons(comparison: Comparison, directions: _Directions) -> str:
    """State how well single neurons match, against rotated neurons, and how localised that is."""
    which, directions = _extremes(directions)
    parts = [
        f"A neuron of {row} correlates at {_with_interval(comparison, MATCHED, best)} with its "
        f"best single match in {col}." + _references(MATCHED, best, "reaches")
        for row, col, best in directions
    ]
    return (
        f"Shared neurons{which} ({title(comparison, MATCHED)}, mean over best-matching layers): "
        f"{' '.join(parts) or 'no scores.'}"
        + _localisation(comparison, [(row, col) for row, col, _ in directions])
    )


def _shared_attention(comparison: Comparison, measure: str, directions: _Directions) -> str:
    """State how similar attention heads are to their best matches."""
    which, directions = _extremes(directions)
    parts = [
        f"Heads of {row} reach {_with_interval(comparison, measure, best)} with their best matches "
        f"in {col}." + _references(measure, best, "reaches")
        for row, col, best in directions
    ]
    return (
        f"Shared attention{which} ({title(comparison, measure)}, mean over best-matching layers): "
        f"{' '.join(parts) or 'no scores.'}"
    )


def _localisation(comparison: Comparison, pairs: _Pairs) -> str:
    if LOCALISATION not in comparison.scores:
        return ""
    indices = (
        _with_interval(comparison, LOCALISATION, best)
        for _, _, best in _directions(match_tables.localisation(comparison), pairs)
    )
    defined = [each for each in indices if each != "nan"]
    if not defined:
        return ""
    return (
        f" Localisation index {' and '.join(defined)} (0: same information, no common neurons; "
        "1: neurons match one to one)."
    )


def _references(measure: str, best: pd.DataFrame, verb: str) -> str:
    """State the means of the references, such as ``An untrained copy predicts 17 %``."""
    known = [
        (each.phrase(measure) or "", _format(measure, float(best[each.column].mean())))
        for each in floors_and_ceilings.known(best, measure)
        if each.phrase(measure) and best[each.column].notna().any()
    ]
    if not known:
        return ""
    (first, value), *others = known
    more = "".join(f", {words} {number}" for words, number in others)
    return f" {first[:1].upper()}{first[1:]} {verb} {value}{more}."


def _overfitting(comparison: Comparison, pairs: _Pairs) -> list[str]:
    """State the overfitting of the in-sample score; of many pairs, the largest."""
    in_sample, held_out = next(iter(HELD_OUT.items()))
    if not pairs or not {in_sample, held_out} <= set(comparison.scores.data_vars):
        return []
    table = trust_tables.overfitting(comparison, in_sample, held_out)
    means = {
        (a, b): pd.concat([part for _, _, part in _directions(table, [(a, b), (b, a)])]).mean(
            numeric_only=True
        )
        for a, b in combinations(comparison.models, 2)
        if (a, b) in pairs
    }
    means = {names: rows for names, rows in means.items() if rows.notna().all()}
    if not means:
        return []
    (a, b), rows = max(means.items(), key=lambda each: float(each[1]["overfitting"]))
    return [
        f"{'At most ' if len(means) > 1 else ''}{rows['overfitting']:.2f} of the in-sample score "
        f"is overfitting ({title(comparison, in_sample)} {rows['in_sample']:.2f} in sample, "
        f"{rows['held_out']:.2f} on held-out speech; {a} and {b}, mean over layers)."
    ]


def _with_interval(comparison: Comparison, measure: str, best: pd.DataFrame) -> str:
    """Format a mean over layers, with its interval if it has one."""
    estimate, low, high = match_tables.mean_over_layers(comparison, measure, best)
    if low != low:
        return _format(measure, estimate)
    narrow = high - low < 0.02
    if measure in EXPLAINED:
        ends = (percent(each, narrow).removesuffix(" %") for each in (low, high))
        return f"{percent(estimate, narrow)} [{', '.join(ends)}]"
    digits = 3 if narrow else 2
    return f"{estimate:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _format(measure: str, value: float) -> str:
    """Format a score without an interval: explained variance in per cent."""
    if value != value:
        return "nan"
    return percent(value) if measure in EXPLAINED else f"{value:.2f}"
