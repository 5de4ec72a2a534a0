"""Scores of attention heads, filled in pair by pair of layers and labelled at the end."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from assonance.measures import Measure, Settings
from assonance.measures.attention import best_match
from assonance.scores import CELL, attributes
from assonance.statistics import HeadPair


class HeadScores:
    """Head measures of every layer against every other.

    Parameters
    ----------
    heads
        Layer name to its number of heads; its order is that of the result.
    measures
        Head measures.
    """

    def __init__(self, heads: Mapping[str, int], measures: Sequence[Measure]) -> None:
        self.measures = measures
        self.index = {name: number for number, name in enumerate(heads)}
        count, most = len(heads), max(heads.values())
        self.values = {each.name: np.full((count, count), np.nan) for each in measures}
        self.tables = {each.name: np.full((count, count, most, most), np.nan) for each in measures}

    def add(self, a: str, b: str, pair: HeadPair, settings: Settings) -> None:
        """Score layer a (rows) against layer b (columns), and the other way round."""
        for row, col, heads in ((a, b, pair), (b, a, pair.swapped())):
            cell = self.index[row], self.index[col]
            for each in self.measures:
                table = each.function(heads, settings)
                hx, hy = table.shape
                self.tables[each.name][*cell, :hx, :hy] = table.cpu().numpy()
                self.values[each.name][cell] = float(best_match(table)[0].nanmean())

    def dataset(self, *, per_head: bool) -> xr.Dataset:
        """Label the scores; with `per_head` the tables of single heads too."""
        names = list(self.index)
        result = xr.Dataset(coords={"layer_row": names, "layer_col": names})
        for each in self.measures:
            result[each.name] = (CELL, self.values[each.name], attributes(each))
            if per_head:
                dims = (*CELL, "head_row", "head_col")
                result[f"{each.name}_by_head"] = (dims, self.tables[each.name], attributes(each))
        return result
