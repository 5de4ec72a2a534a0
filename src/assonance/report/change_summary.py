"""Summarise in sentences what fine-tuning changed."""

import pandas as pd

from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.measures.roles import CHANGE, MATCHED
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
        For subspaces, neurons and heads, by the leading measure of each: the similarity of the
        first and the last layer before and after, the layer that changed most, and the layer from
        which all layers changed. Last, how intervals were made.

    Raises
    ------
    AssonanceError
        As `assonance.tables.changes.layers`.
    """
    table = layers(comparison, pair)
    lines = []
    for name in leading_measures(table):
        kind = next(kind for kind, names in CHANGE.items() if name in names)
        lines.append(f"{kind} {_change(comparison, name, curve(table, name))}")
        if name == MATCHED:
            lines[-1] += _own_matches(table)
    if lines and comparison.method:
        lines.append(f"Brackets: 95 % intervals from {comparison.method}.")
    return lines


def _change(comparison: Comparison, measure: str, part: pd.DataFrame) -> str:
    """State the similarity of layers before and after, and from which layer all changed."""
    title = comparison.scores[measure].attrs.get("long_name", measure)
    first, last, lowest = part.index[0], part.index[-1], str(part["value"].idxmin())
    text = (
        f"({title}, each layer before and after fine-tuning): "
        f"{_value(part, first)} at {first}, {_value(part, last)} at {last}"
    )
    if lowest != last:
        text += f", lowest at {lowest} with {_value(part, lowest)}"
    return f"{text}.{_onset(part)}"


def _onset(part: pd.DataFrame) -> str:
    """State from which layer all layers changed: beyond the ceiling, or half of the range."""
    changed_from, last = onset(part), part.index[-1]
    if part["ceiling"].notna().any():
        ceiling = f"the second-seed ceiling ({part['ceiling'].iloc[-1]:.2f} at {last})"
        if changed_from:
            return f" From {changed_from} on, all layers lie below {ceiling}."
        return f" The last layer does not lie below {ceiling}."
    if changed_from:
        return (
            f" From {changed_from} on, all layers lie below the middle between the most and the "
            "least similar layer."
        )
    return ""


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


def _value(part: pd.DataFrame, layer: str) -> str:
    """Format the score of a layer, with its interval if it has one."""
    value, low, high = (float(part[name][layer]) for name in ("value", "low", "high"))
    return f"{value:.2f}" if low != low else f"{value:.2f} [{low:.2f}, {high:.2f}]"
