"""The first lines a reader wants: which layers match, what is shared, and whether in neurons."""

import math
from itertools import combinations, groupby, permutations

import pandas as pd

from assonance.comparison.relations import Relations
from assonance.comparison.result import Comparison
from assonance.inference.localisation import LOCALISATION
from assonance.measures import MEASURES
from assonance.measures.roles import EXPLAINED, HELD_OUT, LEADING, MATCHED
from assonance.tables import floors_and_ceilings
from assonance.tables import matches as match_tables
from assonance.tables import trust as trust_tables


def sentences(comparison: Comparison) -> list[str]:
    """Say what a comparison found.

    Parameters
    ----------
    comparison
        Of two or more models; of one alone there is nothing to say here.

    Returns
    -------
    list of str
        Of two models: which layers match, how far their spaces are shared against random
        weights, how far their neurons are against random rotations. Of more: which are nearest,
        and of those trained apart the two that share least and the two that share most; the same
        of those of one origin. What was not measured is left out. Last, what made the intervals.
    """
    taken = [name for name in LEADING if name in comparison.scores]
    # Of little speech some measures have no score.
    known = [name for name in taken if comparison.scores[name].notnull().any()]
    leading = next(iter(known or taken), None)
    apart, kindred = _pairs(comparison)
    several = len(comparison.models) > 2
    lines = []
    if leading is not None and apart:
        ridge = match_tables.best_layers(comparison, leading)
        ways = _ways(ridge, apart)
        if several:
            lines.append(_nearest(leading, ways, ", of those trained apart," if kindred else ""))
        else:
            lines.append(_matching(leading, ways))
        lines.append(_shared(comparison, leading, _SPACE, ways))
        if kindred:
            lines.append(_shared(comparison, leading, _KINDRED, _ways(ridge, kindred)))
    if MATCHED in comparison.scores and apart:
        lines.append(
            _single(comparison, _ways(match_tables.best_layers(comparison, MATCHED), apart))
        )
    lines += _overfitted(comparison, apart)
    if lines and comparison.method:
        lines.append(f"Brackets hold 95 % intervals of {comparison.method}.")
    return lines


_SPACE = "Shared space"


_KINDRED = "Shared by models of one origin (another seed, or fine-tuned)"


_Pairs = list[tuple[str, str]]


_Ways = list[tuple[str, str, pd.DataFrame]]


def _pairs(comparison: Comparison) -> tuple[_Pairs, _Pairs]:
    """Find the pairs of models, either way round, that were trained apart, and of one origin.

    Where there are no more than two models, or none were trained apart, all are told alike.
    """
    every = list(permutations(comparison.models, 2))
    kin = Relations(comparison.provenance.models)
    apart, kindred = (
        [pair for pair in every if related(*(kin.models[name] for name in pair))]
        for related in (kin.unrelated, kin.same_origin)
    )
    return (apart, kindred) if len(comparison.models) > 2 and apart else (every, [])


def _ways(table: pd.DataFrame, pairs: _Pairs) -> _Ways:
    """Take the rows of each pair of models out of a table."""
    return [
        (*pair, pd.DataFrame(table.xs(pair, level=("model_row", "model_col"), drop_level=False)))
        for pair in pairs
    ]


def _ends(ways: _Ways) -> tuple[str, _Ways]:
    """Leave of many the least and the most, with words for that."""
    if len(ways) <= 2:
        return "", ways
    known = [each for each in ways if each[2]["value"].notna().any()]
    ordered = sorted(known, key=lambda each: float(each[2]["estimate"].mean()))
    return ", least and most", [ordered[0], ordered[-1]] if len(ordered) > 1 else ordered


def _nearest(measure: str, ways: _Ways, which: str) -> str:
    nearest: dict[str, tuple[float, str]] = {}
    for row, col, table in ways:
        if table["value"].notna().any():
            nearest[row] = max(nearest.get(row, (-math.inf, "")), (table["value"].mean(), col))
    parts = [f"{row} → {col}" for row, (_, col) in nearest.items()]
    return f"Nearest models{which} by {MEASURES[measure].title}: {', '.join(parts) or 'none'}."


def _matching(measure: str, ways: _Ways) -> str:
    parts = []
    for row, col, ridge in ways:
        runs = []
        known = ridge.dropna(subset="value").droplevel(["model_row", "model_col"])
        for target, group in groupby(known["layer_col"].items(), key=lambda item: item[1]):
            layers = [str(layer) for layer, _ in group]
            last = f"–{layers[-1].rpartition('.')[2]}" if len(layers) > 1 else ""
            runs.append(f"{layers[0]}{last} → {target}")
        parts.append(f"{row} → {col}: {', '.join(runs) or 'none'}")
    return f"Best-matching layers by {MEASURES[measure].title}: {'; '.join(parts)}."


def _shared(comparison: Comparison, measure: str, what_is: str, ways: _Ways) -> str:
    which, ways = _ends(ways)
    verb = "predicts" if measure in EXPLAINED else "reaches"
    what = " of the variance" if measure in EXPLAINED else ""
    parts = [
        f"{col} {verb} {_sure(comparison, measure, ridge)}{what} of {row}" + _beside(ridge, measure)
        for row, col, ridge in ways
    ]
    told = "; ".join(parts) or "not known"
    return f"{what_is}{which}: {told} ({MEASURES[measure].title}, mean over layers)."


def _single(comparison: Comparison, ways: _Ways) -> str:
    which, ways = _ends(ways)
    parts = [
        f"the best single neuron of {col} reaches "
        f"{_sure(comparison, MATCHED, ridge)} for one of {row}" + _beside(ridge, MATCHED)
        for row, col, ridge in ways
    ]
    told = f"Shared neurons{which}: {'; '.join(parts) or 'not known'} (MaxCorr, mean over layers)."
    return told + _localised(comparison, [(row, col) for row, col, _ in ways])


def _localised(comparison: Comparison, pairs: _Pairs) -> str:
    if LOCALISATION not in comparison.scores:
        return ""
    told = (
        _sure(comparison, LOCALISATION, table)
        for _, _, table in _ways(match_tables.localisation(comparison), pairs)
    )
    known = [each for each in told if each != "nan"]
    if not known:
        return ""
    return (
        f" Localisation index {' and '.join(known)}, where 0 is a shared space in unrelated bases "
        "and 1 the same neurons."
    )


def _beside(ridge: pd.DataFrame, measure: str) -> str:
    """Format the means of the references that the sentence mentions."""
    known = [
        f"{each.phrase(measure)}: {_mean(ridge, each.column)}"
        for each in floors_and_ceilings.known(ridge, measure)
        if each.phrase(measure) and ridge[each.column].notna().any()
    ]
    return f" ({', '.join(known)})" if known else ""


def _overfitted(comparison: Comparison, pairs: _Pairs) -> list[str]:
    """Tell how much of an in-sample number is overfitting here, of many models at most."""
    in_sample, held_out = next(iter(HELD_OUT.items()))
    if not pairs or not {in_sample, held_out} <= set(comparison.scores.data_vars):
        return []
    table = trust_tables.overfitting(comparison, in_sample, held_out)
    found = {
        (a, b): pd.concat([part for _, _, part in _ways(table, [(a, b), (b, a)])]).mean(
            numeric_only=True
        )
        for a, b in combinations(comparison.models, 2)
        if (a, b) in pairs
    }
    found = {names: rows for names, rows in found.items() if rows.notna().all()}
    if not found:
        return []
    (a, b), rows = max(found.items(), key=lambda each: float(each[1]["overfitting"]))
    return [
        f"Overfitting{', at most' if len(found) > 1 else ''}: LinReg reads "
        f"{rows['in_sample']:.2f} in sample and {rows['held_out']:.2f} on held-out speech, so that "
        f"{rows['overfitting']:.2f} of it is none of the models' ({a} and {b}, mean over layers)."
    ]


def _sure(comparison: Comparison, measure: str, ridge: pd.DataFrame) -> str:
    """Write a mean over layers with its interval, where there is one."""
    estimate, low, high = match_tables.mean_over_layers(comparison, measure, ridge)
    if low != low:
        return f"{estimate:.2f}"
    digits = 3 if high - low < 0.02 else 2  # as many as the interval earns
    return f"{estimate:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _mean(table: pd.DataFrame, column: str) -> str:
    return f"{table[column].mean():.2f}"
