"""The scales that values are drawn on: a measure's own, so that pictures can be compared."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assonance.comparison.result import Comparison


@dataclass(frozen=True)
class Scale:
    """The values from the darkest to the brightest colour, or from an axis's foot to its head."""

    low: float
    high: float
    clipped: bool = False
    capped: bool = False

    def __str__(self) -> str:
        """Say it in words."""
        words = f"{number(self.low)} to {number(self.high)}"
        return f"{words}, lower values drawn as {number(self.low)}" if self.clipped else words

    def clip(self, values: pd.Series) -> pd.Series:
        """Bring what lies below up to the foot and, where capped, what lies above to the head."""
        return values.clip(lower=self.low, upper=self.high if self.capped else None)


def scale(comparison: Comparison, measure: str) -> Scale:
    """Choose the scale of a measure from its declared range, not from the values at hand.

    Negative similarities are drawn as 0, and said to be. Only where there is no bound do the
    values decide: the scale ends at the highest above 1, and begins at the lowest where more than
    half of them are negative.
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
    """Name a measure as its axis does."""
    return str(comparison.scores[measure].attrs.get("long_name", measure))


def number(value: float) -> str:
    """Write a number as short as it is."""
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("-", "−")
