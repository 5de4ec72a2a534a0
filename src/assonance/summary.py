"""The first lines a reader wants: which layers match, what is shared, and whether in neurons."""

from collections.abc import Mapping
from itertools import combinations, groupby

import pandas as pd

from assonance import tables
from assonance.measures import MEASURES
from assonance.results import Comparison

# Measures that can lead, the most trustworthy first.
_LEADING = ("linreg_heldout", "linreg", "cka", "pwcca", "svcca", "cka_rbf")


def sentences(comparison: Comparison) -> list[str]:
    """Say what a comparison found.

    Parameters
    ----------
    comparison
        Of two or more models; of one alone there is nothing to say here.

    Returns
    -------
    list of str
        For each two models: which layers match, how far their spaces are shared against random
        weights, how far their neurons are against random rotations. What was not measured is
        left out. Last, what made the intervals.
    """
    if len(comparison.models) < 2:
        return []
    leading = next((name for name in _LEADING if name in comparison.scores), None)
    names = {leading, "maxcorr"} & set(comparison.scores.data_vars)
    ridges = {name: tables.best_layers(comparison, str(name)) for name in names}
    index = tables.localisation(comparison) if "localisation" in comparison.scores else None
    lines = []
    for a, b in combinations(comparison.models, 2):
        if leading is not None:
            ways = _ways(ridges[leading], a, b)
            lines += [_matching(leading, ways), _shared(comparison, leading, ways)]
        if "maxcorr" in ridges:
            localised = [] if index is None else _ways(index, a, b)
            single = _single(comparison, _ways(ridges["maxcorr"], a, b))
            lines.append(single + _localised(comparison, localised))
        lines += _overfitted(comparison, a, b)
    if lines and comparison.method:
        lines.append(f"Brackets hold 95 % intervals of {comparison.method}.")
    return lines


_Ways = list[tuple[str, str, pd.DataFrame]]


def _ways(table: pd.DataFrame, a: str, b: str) -> _Ways:
    """Take the rows of two models out of a table, either way round."""
    return [
        (
            row,
            col,
            pd.DataFrame(table.xs((row, col), level=("model_row", "model_col"), drop_level=False)),
        )
        for row, col in ((a, b), (b, a))
    ]


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


def _shared(comparison: Comparison, measure: str, ways: _Ways) -> str:
    verb = "predicts" if measure == "linreg_heldout" else "reaches"
    what = " of the variance" if measure == "linreg_heldout" else ""
    parts = [
        f"{col} {verb} {_sure(comparison, measure, ridge)}{what} of {row}"
        + _beside(ridge, {"floor": "with random weights", "acoustics": "log-mel frames alone"})
        for row, col, ridge in ways
    ]
    return f"Shared space: {'; '.join(parts)} ({MEASURES[measure].title}, mean over layers)."


def _single(comparison: Comparison, ways: _Ways) -> str:
    parts = [
        f"the best single neuron of {col} reaches "
        f"{_sure(comparison, 'maxcorr', ridge)} for one of {row}"
        + _beside(ridge, {"floor": "in randomly rotated axes"})
        for row, col, ridge in ways
    ]
    return f"Shared neurons: {'; '.join(parts)} (MaxCorr, mean over layers)."


def _localised(comparison: Comparison, ways: _Ways) -> str:
    known = [
        _sure(comparison, "localisation", table)
        for _, _, table in ways
        if table["value"].notna().any()
    ]
    if not known:
        return ""
    return (
        f" Localisation index {' and '.join(known)}, where 0 is a shared space in unrelated bases "
        "and 1 the same neurons."
    )


def _beside(ridge: pd.DataFrame, floors: Mapping[str, str]) -> str:
    """Name the floors that were measured, each a column with its words."""
    known = [
        f"{words}: {_mean(ridge, column)}"
        for column, words in floors.items()
        if column in ridge and ridge[column].notna().any()
    ]
    return f" ({', '.join(known)})" if known else ""


def _overfitted(comparison: Comparison, a: str, b: str) -> list[str]:
    """Tell how much of an in-sample number is overfitting here."""
    if not {"linreg", "linreg_heldout_r"} <= set(comparison.scores.data_vars):
        return []
    table = tables.overfitting(comparison, "linreg", "linreg_heldout_r")
    rows = pd.concat([part for _, _, part in _ways(table, a, b)]).mean(numeric_only=True)
    if rows.isna().any():
        return []
    return [
        f"Overfitting: LinReg reads {rows['in_sample']:.2f} in sample and {rows['held_out']:.2f} "
        f"on held-out speech, so that {rows['overfitting']:.2f} of it is none of the models' "
        f"({a} and {b}, mean over layers)."
    ]


def _sure(comparison: Comparison, measure: str, ridge: pd.DataFrame) -> str:
    """Write a mean over layers with its interval, where there is one."""
    estimate, low, high = tables.mean_over_layers(comparison, measure, ridge)
    if low != low:
        return f"{estimate:.2f}"
    digits = 3 if high - low < 0.02 else 2  # as many as the interval earns
    return f"{estimate:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _mean(table: pd.DataFrame, column: str) -> str:
    return f"{table[column].mean():.2f}"
