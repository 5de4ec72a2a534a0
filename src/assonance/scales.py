"""The scales that values are drawn on: a measure's own, so that pictures can be compared."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assonance import tables
from assonance.results import Comparison


@dataclass(frozen=True)
class Scale:
    """The values from the darkest to the brightest colour, or from an axis's foot to its head."""

    low: float
    high: float
    clipped: bool = False

    def __str__(self) -> str:
        """Say it in words."""
        words = f"{number(self.low)} to {number(self.high)}"
        return f"{words}, lower values drawn as {number(self.low)}" if self.clipped else words

    def clip(self, values: pd.Series) -> pd.Series:
        """Bring what lies below up to the foot."""
        return values.clip(lower=self.low)


def scale(comparison: Comparison, measure: str) -> Scale:
    """Choose the scale of a measure from its declared range, not from the values at hand.

    Negative similarities are drawn as 0, and said to be. Only a measure without lower bound of
    which more than half of the values are negative begins at its lowest value.
    """
    lowest, highest = comparison.scores[measure].attrs.get("range", (0.0, 1.0))
    high = float(highest) if math.isfinite(highest) else 1.0
    if lowest >= 0:
        return Scale(float(lowest), high)
    values = tables.matrix(comparison, measure).to_numpy()
    values = values[np.isfinite(values)]
    if not math.isfinite(lowest) and values.size and np.median(values) < 0:
        return Scale(math.floor(values.min() * 10) / 10, high)
    return Scale(0.0, high, clipped=True)


def title(comparison: Comparison, measure: str) -> str:
    """Name a measure as its axis does."""
    return str(comparison.scores[measure].attrs.get("long_name", measure))


def number(value: float) -> str:
    """Write a number as short as it is."""
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("-", "−")
