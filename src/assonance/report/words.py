"""Words and number formats that the sections of the report share."""

import pandas as pd

from assonance.measures.names import LEVELS
from assonance.measures.roles import MATCHED, PREDICTED_R, ROTATED
from assonance.tables import floors_and_ceilings

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
