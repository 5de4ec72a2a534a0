"""Words and number formats that the sections of the report share."""

import math

import pandas as pd

from assonance.comparison.result import Comparison
from assonance.measures.names import LEVELS
from assonance.measures.roles import MATCHED, PREDICTED_R, ROTATED
from assonance.tables import floors_and_ceilings
from assonance.tables.changes import OWN

COLUMNS = {
    "model_row": "model",
    "model_col": "other model",
    "layer_row": "layer",
    "layer_col": "best-matching layer",
    "depth_row": "depth (0 to 1)",
    "depth_col": "depth of the best match",
    PREDICTED_R: "held-out r, whole layer",
    MATCHED: "best single match",
    ROTATED: floors_and_ceilings.ROTATED_NEURONS.label,
    "match": "matching neuron",
    "localisation": "localisation index",
    "estimate": "bias-corrected estimate",
    "low": "95 % low",
    "high": "95 % high",
    "share": "scaled score (0: floor, 1: ceiling)",
    "share_low": "scaled score, 95 % low",
    "share_high": "scaled score, 95 % high",
    "baseline_fraction": "log-mel, fraction of what the other model explains",
}


def level(name: str) -> str:
    """Return the level of a measure: neuron, layer or head."""
    if name == "localisation":
        return "neuron"
    return LEVELS.get(name, "layer")


def named(table: pd.DataFrame, **names: str) -> pd.DataFrame:
    """Rename columns and index levels to headings that readers understand."""
    words = COLUMNS | floors_and_ceilings.headings() | names
    indexed = table.rename_axis([words.get(str(name), str(name)) for name in table.index.names])
    return indexed.rename(columns=words)


def interval_headings(table: pd.DataFrame) -> dict[str, str]:
    """Return headings for the ends of intervals, each named after its score."""
    ends = {f"{name}_{end}": (str(name), end) for name in table for end in ("low", "high")}
    return {
        column: f"{COLUMNS.get(name, name)}, 95 % {end}"
        for column, (name, end) in ends.items()
        if column in table and column not in COLUMNS
    }


def span(values: "pd.Series[float]", digits: int = 2) -> str:
    """Format the range of values."""
    defined = values.dropna()
    if defined.empty:
        return "not computed"
    return f"from {defined.min():.{digits}f} to {defined.max():.{digits}f}"


def percent(value: float, precise: bool = False) -> str:
    """Format a fraction in per cent, to whole numbers or to one decimal."""
    return f"{100 * value:.{int(precise)}f} %"


def title(comparison: Comparison, measure: str) -> str:
    """Return the title of a measure, also of one with ``_own`` after its name."""
    if measure == f"{MATCHED}{OWN}":
        return "Share of neurons that are their own best match"
    if measure.endswith(OWN):
        return f"{title(comparison, measure.removesuffix(OWN))}, each head with itself"
    return str(comparison.scores[measure].attrs.get("long_name", measure))


def definition(comparison: Comparison, measure: str) -> str:
    """Word the definition, the range and the source of a measure."""
    attributes = comparison.scores[measure].attrs
    parts = [
        f"{attributes['description']}." if attributes.get("description") else "",
        f"Range: {bounds(*attributes.get('range', (-math.inf, math.inf)))}.",
        f"Source: {attributes['source']}." if attributes.get("source") else "",
    ]
    return " ".join(filter(None, parts))


def bounds(low: float, high: float) -> str:
    """Format the range of a measure."""
    if math.isinf(low):
        return "unbounded" if math.isinf(high) else f"at most {high:.3g}"
    return f"at least {low:.3g}" if math.isinf(high) else f"{low:.3g} to {high:.3g}"
