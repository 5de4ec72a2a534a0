"""Words that figures and tables of the report share."""

import pandas as pd

from assonance.measures import MEASURES
from assonance.measures.roles import MATCHED, PREDICTED_R, ROTATED
from assonance.tables import floors_and_ceilings

COLUMNS = {
    "model_row": "model",
    "model_col": "other model",
    "layer_row": "layer",
    "layer_col": "best layer of the other",
    "depth_row": "depth (0 to 1)",
    "depth_col": "depth of the best layer",
    PREDICTED_R: "held-out r of the whole layer",
    MATCHED: "best single neuron",
    ROTATED: floors_and_ceilings.ROTATED_NEURONS.label,
    "match": "best neuron's index",
    "localisation": "localisation index",
    "estimate": "estimate",
    "low": "95 % from",
    "high": "to",
    "share": "share of floor to ceiling",
    "share_low": "share, 95 % from",
    "share_high": "share, to",
    "baseline_fraction": "baseline: its fraction of the variance that the other model explains",
}


def level(name: str) -> str:
    """Tell what a measure compares: neuron, layer or head."""
    if name == "localisation":
        return "neuron"
    return MEASURES[name].level if name in MEASURES else "layer"


def named(table: pd.DataFrame, **names: str) -> pd.DataFrame:
    """Give a table headings that read as words."""
    words = COLUMNS | floors_and_ceilings.headings() | names
    indexed = table.rename_axis([words.get(str(name), str(name)) for name in table.index.names])
    return indexed.rename(columns=words)


def span(values: "pd.Series[float]", digits: int = 2) -> str:
    """Say from where to where values go."""
    known = values.dropna()
    if known.empty:
        return "not measured"
    return f"from {known.min():.{digits}f} to {known.max():.{digits}f}"
