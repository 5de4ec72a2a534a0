"""Scores of many layer pairs, filled in as they come and labelled at the end."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray

from assonance.inference.localisation import (
    LOCALISATION,
    is_localised,
    localisation_attributes,
    localisation_index,
    localisation_terms,
)
from assonance.measures import LayerScore, Measure, NeuronScores
from assonance.measures.layer_descriptors import DESCRIPTORS
from assonance.settings import Settings
from assonance.statistics import FoldedMoments, Pair, halves

CELL = ("layer_row", "layer_col")


Value = NeuronScores | LayerScore | float


LayerTable = NDArray[np.float64]


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
        self.localised: LayerTable = np.full((count, count), np.nan)
        self.matches: dict[str, NDArray[np.int32]] = {}
        self.ranks: dict[str, NDArray[np.int32]] = {}
        self.draws: dict[str, LayerTable] = {}
        self.deviations: dict[str, NDArray[np.float32]] = {}
        self.layers: dict[str, NDArray[np.float64]] = {}
        self.halves: dict[str, NDArray[np.float64]] = {}

    def describe(self, name: str, found: Mapping[str, float]) -> None:
        """Note what describes a layer by itself, by the names of `DESCRIPTORS`."""
        self._note(self.layers, name, found)

    def halve(self, name: str, found: Mapping[str, float]) -> None:
        """Note the scores of the halves of a layer, by measure."""
        self._note(self.halves, name, found)

    def halves_dataset(self) -> xr.Dataset:
        """Label the scores of the halves of layers."""
        result = xr.Dataset(coords={CELL[0]: list(self.index)})
        return result.assign({name: (CELL[:1], found) for name, found in self.halves.items()})

    def _note(self, tables: dict[str, LayerTable], name: str, found: Mapping[str, float]) -> None:
        for each, value in found.items():
            table = tables.setdefault(each, np.full(len(self.index), np.nan))
            table[self.index[name]] = value

    def add(self, a: str, b: str, pair: Pair, settings: Settings) -> None:
        """Score layer a (rows) against layer b (columns), and the other way round."""
        for row, col, seen, measures in both_ways(a, b, pair, self.measures):
            cell = self.index[row], self.index[col]
            found = {each.name: each.function(seen, settings) for each in measures}
            for name, value in found.items():
                self._put(name, cell, value)
            if row != col:
                self.localised[cell] = _localised(found)
        for each in self.measures:
            if each.symmetric:
                i, j = self.index[a], self.index[b]
                for table in (self.values[each.name], self.ranks.get(each.name)):
                    if table is not None:
                        table[j, i] = table[i, j]

    def draws_dataset(self) -> xr.Dataset:
        """Label the scores in each random draw, ``<measure>_draws``, of measures that draw."""
        names = list(self.index)
        result = xr.Dataset(coords={"layer_row": names, "layer_col": names})
        return result.assign(
            {f"{name}_draws": ((*CELL, "rotation"), found) for name, found in self.draws.items()}
        )

    def _put(self, name: str, cell: tuple[int, int], value: Value) -> None:
        self.values[name][cell] = of_layer(value)
        if isinstance(value, LayerScore):
            _table(self.ranks, name, self.others.shape, -1, np.int32)[cell] = value.rank
        elif isinstance(value, NeuronScores):
            scores = value.values.cpu().numpy()
            self.neurons[name][*cell, : len(scores)] = scores
            if value.match is not None:
                shape = self.neurons[name].shape
                match = _table(self.matches, name, shape, -1, np.int32)
                match[*cell, : len(scores)] = value.match.cpu().numpy()
            if value.draws is not None:
                shape = (*self.others.shape, len(value.draws))
                _table(self.draws, name, shape, np.nan, np.float64)[cell] = value.draws.cpu()
            if value.deviations is not None:
                shape = self.neurons[name].shape
                table = _table(self.deviations, name, shape, np.nan, np.float32)
                table[*cell, : len(scores)] = value.deviations.cpu()

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
        if is_localised(self.values):
            result[LOCALISATION] = (CELL, self.localised, localisation_attributes(self.values))
        for name, found in self.layers.items():
            told = DESCRIPTORS[name]
            about = {"long_name": told.title, "description": told.meaning}
            result[name] = (CELL[:1], found, about)
        return result


def half_scores(
    moments: FoldedMoments,
    layer: str,
    measures: Sequence[Measure],
    settings: Settings,
) -> dict[str, float]:
    """Score one random half of a layer's neurons against the other, the mean of both ways.

    What neurons of one and the same layer have in common: a ceiling for two layers.
    """
    if len(moments.layer(layer).norms) < 2:
        return {}
    pair = halves(moments, layer, settings.seed).pair("first", "second")
    return {
        each.name: sum(of_layer(each.function(one, settings)) for one in (pair, pair.swapped())) / 2
        for each in measures
        if each.across is None
    }


def both_ways(
    a: str, b: str, pair: Pair, measures: Sequence[Measure]
) -> Iterator[tuple[str, str, Pair, Sequence[Measure]]]:
    """Give what is to be measured of a pair, and of the same seen the other way round."""
    yield a, b, pair, measures
    if a != b:
        # Each layer's neurons have scores of their own, even where their mean is the same.
        directed = [each for each in measures if not each.symmetric or each.level == "neuron"]
        if directed:
            yield b, a, pair.swapped(), directed


def of_layer(value: Value) -> float:
    """Reduce a score to one number."""
    if isinstance(value, LayerScore):
        return value.value
    return value.mean() if isinstance(value, NeuronScores) else value


def _table(
    tables: dict[str, NDArray[Any]],
    name: str,
    shape: tuple[int, ...],
    fill: float,
    dtype: DTypeLike,
) -> NDArray[Any]:
    """Get a measure's table, made of `fill` when first asked for."""
    if name not in tables:
        # Of two threads that come here at once, both must end with one array.
        tables.setdefault(name, np.full(shape, fill, dtype=dtype))
    return tables[name]


def attributes(measure: Measure) -> dict[str, Any]:
    """Describe the measure that made a result."""
    lowest, highest = measure.range
    return {
        "long_name": measure.title,
        "description": measure.summary,
        "range": [-np.inf if lowest is None else lowest, np.inf if highest is None else highest],
        "source": measure.source,
        "scale": measure.scale,
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


def _localised(found: Mapping[str, Value]) -> float:
    """Compute the localisation index of a pair, NaN where its parts were not measured.

    A layer's neurons are their own best matches: of a layer with itself the index would say so
    and nothing else.
    """
    if not is_localised(found):
        return float("nan")
    terms = localisation_terms(found)
    neurons = [each.values.cpu().numpy() for each in terms if isinstance(each, NeuronScores)]
    return localisation_index(*neurons)
