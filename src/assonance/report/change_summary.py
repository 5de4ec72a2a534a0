"""What fine-tuning changed, in sentences."""

import pandas as pd

from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.measures.roles import CHANGE, MATCHED
from assonance.tables.changes import OWN, curve, layers, leading_measures, onset


def sentences(comparison: Comparison, pair: FineTuning) -> list[str]:
    """Say what fine-tuning changed.

    Parameters
    ----------
    comparison, pair
        Where to look.

    Returns
    -------
    list of str
        Of subspaces, neurons and heads, by the most telling measure of each: how similar the
        first and the last layer are to themselves, which has changed most, and from which layer
        on all have. Last, what made the intervals.

    Raises
    ------
    AssonanceError
        As `assonance.tables.changes.layers`.
    """
    table = layers(comparison, pair)
    lines = []
    for name in leading_measures(table):
        what = next(what for what, names in CHANGE.items() if name in names)
        lines.append(f"{what}: {_told(comparison, name, curve(table, name))}")
        if name == MATCHED:
            lines[-1] += _still_own(table)
    if lines and comparison.method:
        lines.append(f"Brackets hold 95 % intervals of {comparison.method}.")
    return lines


def _told(comparison: Comparison, measure: str, part: pd.DataFrame) -> str:
    title = comparison.scores[measure].attrs.get("long_name", measure)
    first, last, least = part.index[0], part.index[-1], str(part["value"].idxmin())
    text = (
        f"{title} of each layer with itself goes from {_value(part, first)} at {first} to "
        f"{_value(part, last)} at {last}"
    )
    if least != last:
        text += f" and is lowest at {least}, {_value(part, least)}"
    begins = onset(part)
    if part["ceiling"].notna().any():
        shared = f"what two trainings share, {part['ceiling'].iloc[-1]:.2f} at {last}"
        text += (
            f"; from {begins} on it lies below {shared}"
            if begins
            else f"; the last layer does not lie below {shared}"
        )
    elif begins:
        text += f"; from {begins} on it lies in the lower half of its way"
    return f"{text}."


def _still_own(table: pd.DataFrame) -> str:
    """Say how many neurons are still their own best match."""
    own = f"{MATCHED}{OWN}"
    if own not in table.index.get_level_values("measure"):
        return ""
    value = curve(table, own)["value"]
    return (
        f" {value.iloc[0]:.0%} of the neurons of {value.index[0]} and {value.iloc[-1]:.0%} of "
        f"{value.index[-1]} are still their own best match."
    )


def _value(part: pd.DataFrame, layer: str) -> str:
    """Write a layer's value with its interval, where there is one."""
    value, low, high = (float(part[name][layer]) for name in ("value", "low", "high"))
    return f"{value:.2f}" if low != low else f"{value:.2f} [{low:.2f}, {high:.2f}]"
