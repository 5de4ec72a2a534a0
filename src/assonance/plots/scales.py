"""Choose the scale of a figure from its measure, so that figures can be compared."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assonance.comparison.result import Comparison


@dataclass(frozen=True)
class Scale:
    """Range of an axis or of colours.

    Attributes
    ----------
    low, high
        Ends of the range.
    clipped, capped
        Whether lower values are drawn at the low end, and higher ones at the high end.
    """

    low: float
    high: float
    clipped: bool = False
    capped: bool = False

    def __str__(self) -> str:
        """Describe the range in words."""
        words = f"{number(self.low)} to {number(self.high)}"
        return f"{words}, lower values drawn as {number(self.low)}" if self.clipped else words

    def clip(self, values: pd.Series) -> pd.Series:
        """Move lower values to the low end and, if capped, higher values to the high end."""
        return values.clip(lower=self.low, upper=self.high if self.capped else None)


def scale(comparison: Comparison, measure: str) -> Scale:
    """Choose the scale of a measure by its declared range, not by the values of a comparison.

    Negative similarities are drawn as 0 (``clipped``). Only for a measure without bounds do the
    values decide: the scale ends at the highest value above 1, and starts at the lowest value if
    more than half are negative.
    """
    scores, models = comparison.scores[measure], list(comparison.models)
    lowest, highest = scores.attrs.get("range", (0.0, 1.0))
    sides = [dim for dim in ("model_row", "model_col") if dim in scores.dims]
    values = scores.sel(dict.fromkeys(sides, models)).to_numpy()
    values = values[np.isfinite(values)]
    if math.isinf(highest):
        highest = math.ceil(values.max(initial=1.0))
    if lowest >= 0:
        return Scale(float(lowest), float(highest))
    if math.isinf(lowest) and values.size and np.median(values) < 0:
        return Scale(math.floor(values.min() * 10) / 10, float(highest))
    return Scale(0.0, float(highest), clipped=True)


def title(comparison: Comparison, measure: str) -> str:
    """Return a measure's title, for an axis."""
    return str(comparison.scores[measure].attrs.get("long_name", measure))


def number(value: float) -> str:
    """Format a number with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("-", "−")
