"""Scores of many layer pairs, filled in as they come and labelled at the end."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from assonance.describe import DESCRIPTORS
from assonance.inference import localisation_index
from assonance.measures import LayerScore, Measure, NeuronScores, Settings
from assonance.statistics import Pair

CELL = ("layer_row", "layer_col")
# Measures of single neurons between whose values the localisation index lies, best first.
_LOCALISED = ("maxcorr", "maxcorr_rotated")
_WHOLE = ("linreg_heldout_r", "linreg")


class Scores:
    """Neuron and layer measures of every layer against every other.

    Parameters
    ----------
    widths
        Layer name to its number of neurons; its order is that of the result.
    measures
        Neuron and layer measures.
    others
        Which layers count as others for measures taken over all of them (`mincorr`); bool,
        shape (L, L). All but the layer itself where None.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        measures: Sequence[Measure],
        others: NDArray[np.bool_] | None = None,
    ) -> None:
        self.measures = measures
        self.index = {name: number for number, name in enumerate(widths)}
        count, most = len(widths), max(widths.values())
        self.others = ~np.eye(count, dtype=bool) if others is None else others
        self.values = {each.name: np.full((count, count), np.nan) for each in measures}
        self.neurons = {
            each.name: np.full((count, count, most), np.nan, dtype=np.float64)
            for each in measures
            if each.level == "neuron"
        }
        self.matches: dict[str, NDArray[np.int32]] = {}
        self.ranks: dict[str, NDArray[np.int32]] = {}
        self.layers: dict[str, NDArray[np.float64]] = {}

    def describe(self, name: str, found: Mapping[str, float]) -> None:
        """Note what describes a layer by itself, by the names of `DESCRIPTORS`."""
        for descriptor, value in found.items():
            values = self.layers.setdefault(descriptor, np.full(len(self.index), np.nan))
            values[self.index[name]] = value

    def add(self, a: str, b: str, pair: Pair, settings: Settings) -> None:
        """Score layer a (rows) against layer b (columns), and the other way round."""
        self._add(a, b, pair, settings, self.measures)
        if a == b:
            return
        # Each layer's neurons have scores of their own, even where their mean is the same.
        directed = [each for each in self.measures if not each.symmetric or each.level == "neuron"]
        self._add(b, a, pair.swapped(), settings, directed)
        for each in self.measures:
            if each.symmetric:
                i, j = self.index[a], self.index[b]
                for table in (self.values[each.name], self.ranks.get(each.name)):
                    if table is not None:
                        table[j, i] = table[i, j]

    def _add(
        self, a: str, b: str, pair: Pair, settings: Settings, measures: Sequence[Measure]
    ) -> None:
        cell = self.index[a], self.index[b]
        for each in measures:
            value = each.function(pair, settings)
            if isinstance(value, LayerScore):
                self._table(self.ranks, each.name, self.others.shape)[cell] = value.rank
                self.values[each.name][cell] = value.value
            elif isinstance(value, NeuronScores):
                scores = value.values.cpu().numpy()
                self.values[each.name][cell] = value.mean()
                self.neurons[each.name][*cell, : len(scores)] = scores
                if value.match is not None:
                    match = self._table(self.matches, each.name, self.neurons[each.name].shape)
                    match[*cell, : len(scores)] = value.match.cpu().numpy()
            else:
                self.values[each.name][cell] = value

    def _table(
        self, tables: dict[str, NDArray[np.int32]], name: str, shape: tuple[int, ...]
    ) -> NDArray[np.int32]:
        """Get a measure's table of numbers, made of −1 when first asked for."""
        if name not in tables:
            # Of two threads that come here at once, both must end with one array.
            tables.setdefault(name, np.full(shape, -1, dtype=np.int32))
        return tables[name]

    def dataset(self, *, per_neuron: bool) -> xr.Dataset:
        """Label the scores; with `per_neuron` those of single neurons too."""
        names = list(self.index)
        result = xr.Dataset(coords={"layer_row": names, "layer_col": names})
        for each in self.measures:
            dims: tuple[str, ...] = CELL
            values: NDArray[np.floating] = self.values[each.name]
            neurons: NDArray[np.floating] | None = self.neurons.get(each.name)
            if each.across == "min":
                dims, neurons = CELL[:1], worst(self.neurons[each.name], self.others)
                values = nan_mean(neurons)
            result[each.name] = (dims, values, attributes(each))
            if each.name in self.ranks:
                about = {"long_name": f"{each.title}, canonical correlations used"}
                result[f"{each.name}_rank"] = (CELL, self.ranks[each.name], about)
            if per_neuron and neurons is not None:
                name = f"{each.name}_by_neuron"
                result[name] = ((*dims, "neuron"), neurons, attributes(each))
                if each.name in self.matches and each.across is None:
                    matches = self.matches[each.name]
                    result[f"{each.name}_match"] = ((*dims, "neuron"), matches)
        for name, found in self.layers.items():
            told = DESCRIPTORS[name]
            about = {"long_name": told.title, "description": told.meaning}
            result[name] = (CELL[:1], found, about)
        return result


def attributes(measure: Measure) -> dict[str, Any]:
    """Describe the measure that made a result."""
    lowest, highest = measure.range
    return {
        "long_name": measure.title,
        "description": measure.summary,
        "range": [-np.inf if lowest is None else lowest, np.inf if highest is None else highest],
        "source": measure.source,
    }


def worst(scores: NDArray[np.floating], others: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Lowest score of each row layer's neurons over the layers that count as others.

    Parameters
    ----------
    scores
        Shape (L, L, D), NaN where undefined.
    others
        Shape (L, L).

    Returns
    -------
    numpy.ndarray
        Shape (L, D); NaN where a neuron has no score with any other layer.
    """
    lowest = np.where(others[..., None] & ~np.isnan(scores), scores, np.inf).min(1)
    return np.where(np.isinf(lowest), np.nan, lowest)


def nan_mean(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Mean over the last axis of what is not NaN; NaN, without a warning, where nothing is."""
    count = np.isfinite(values).sum(-1)
    return np.where(count, np.nansum(values, -1) / np.maximum(count, 1), np.nan)


def localisation(flat: xr.Dataset) -> dict[str, xr.DataArray]:
    """Compute the localisation index of every pair, where its parts were measured.

    Of a dataset by neuron, as `Scores.dataset` makes it.
    """
    whole = [name for name in _WHOLE if name in flat]
    if not whole or not all(name in flat for name in _LOCALISED):
        return {}
    parts = [flat[f"{name}_by_neuron"].values for name in (*_LOCALISED, whole[0])]
    count = flat.sizes["layer_row"]
    values = np.array(
        [
            [localisation_index(*(part[i, j] for part in parts)) for j in range(count)]
            for i in range(count)
        ]
    )
    # A layer's neurons are their own best matches: the index would say so and nothing else.
    np.fill_diagonal(values, np.nan)
    attributes = {
        "long_name": "Localisation index",
        "description": "Share of what the whole other layer knows of a neuron, beyond a random "
        "basis of it, that one neuron knows: 0 for a space shared in unrelated bases, 1 where one "
        "neuron says all",
        "range": [-np.inf, np.inf],
        "source": f"assonance: Σ(maxcorr − maxcorr_rotated)/Σ({whole[0]} − maxcorr_rotated)",
    }
    return {"localisation": xr.DataArray(values, dims=("layer_row", "layer_col"), attrs=attributes)}
