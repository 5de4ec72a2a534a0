"""Summarise in sentences what fine-tuning changed."""

import pandas as pd

from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.measures.roles import CHANGE, EXPLAINED, MATCHED
from assonance.report.words import percent
from assonance.tables.changes import OWN, curve, layers, leading_measures, onset


def sentences(comparison: Comparison, pair: FineTuning) -> list[str]:
    """Write the summary of a fine-tuning.

    Parameters
    ----------
    comparison, pair
        Scores, and the models before and after.

    Returns
    -------
    list of str
        For subspaces, neurons and heads, by the leading measure of each: which layers changed
        most, what is left of the first and the last layer, and where change begins. Last, how
        intervals were made.

    Raises
    ------
    AssonanceError
        As `assonance.tables.changes.layers`.
    """
    table = layers(comparison, pair)
    lines = []
    for name in leading_measures(table):
        kind = next(kind for kind, names in CHANGE.items() if name in names)
        title = comparison.scores[name].attrs.get("long_name", name)
        part = curve(table, name)
        lines.append(
            f"{kind} ({title}): fine-tuning changed {changed_most(part)} most. "
            f"{remaining(part, name)}{begins(part, name)}."
        )
        if name == MATCHED:
            lines[-1] += _own_matches(table)
    if lines and comparison.method:
        lines.append(f"Brackets: 95 % intervals from {comparison.method}.")
    return lines


def changed_most(part: pd.DataFrame) -> str:
    """Name the third of the layers that has the least similar one."""
    lowest = int(part["value"].to_numpy().argmin())
    if lowest >= 2 * len(part) / 3:
        return "late layers"
    return "early layers" if lowest < len(part) / 3 else "middle layers"


def remaining(part: pd.DataFrame, measure: str) -> str:
    """State what is left of the first and the last layer, and of the one that changed most."""
    first, last, lowest = part.index[0], part.index[-1], str(part["value"].idxmin())
    values = {layer: _value(part, measure, layer) for layer in (first, last, lowest)}
    if measure in EXPLAINED:
        text = (
            f"{values[first]} of the variance of {first} can still be predicted, "
            f"{values[last]} of that of {last}"
        )
    elif measure == MATCHED:
        text = (
            f"A neuron's best match after fine-tuning correlates at {values[first]} in {first} "
            f"and at {values[last]} in {last}"
        )
    else:
        text = (
            f"A layer before and after scores {values[first]} at {first}, {values[last]} at {last}"
        )
    return text if lowest in (first, last) else f"{text}, and least, {values[lowest]}, at {lowest}"


def begins(part: pd.DataFrame, measure: str) -> str:
    """State from which layer on all changed: beyond the ceiling, or by half of the loss."""
    changed_from, last = onset(part), part.index[-1]
    if part["ceiling"].notna().any():
        ceiling = _format(measure, float(part["ceiling"].iloc[-1]))
        if changed_from:
            return (
                f"; from {changed_from} on, layers changed by more than another seed changes them "
                f"({ceiling} at {last})"
            )
        return f"; {last} changed by no more than another seed changes it ({ceiling})"
    return f"; half of the loss is reached by {changed_from}" if changed_from else ""


def _own_matches(table: pd.DataFrame) -> str:
    """State how many neurons are still their own best match, in the first and the last layer."""
    own = f"{MATCHED}{OWN}"
    if own not in table.index.get_level_values("measure"):
        return ""
    value = curve(table, own)["value"]
    return (
        f" {percent(value.iloc[0])} of the neurons of {value.index[0]} and "
        f"{percent(value.iloc[-1])} of those of {value.index[-1]} are still their own best match."
    )


def _value(part: pd.DataFrame, measure: str, layer: str) -> str:
    """Format the score of a layer, with its interval if it has one."""
    value, low, high = (float(part[name][layer]) for name in ("value", "low", "high"))
    if low != low:
        return _format(measure, value)
    ends = (_format(measure, each).removesuffix(" %") for each in (low, high))
    return f"{_format(measure, value)} [{', '.join(ends)}]"


def _format(measure: str, value: float) -> str:
    """Format a score: explained variance in per cent."""
    return percent(value) if measure in EXPLAINED else f"{value:.2f}"
