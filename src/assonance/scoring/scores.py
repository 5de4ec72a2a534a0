"""Tables of scores of layer pairs: filled in pair by pair, labelled at the end."""

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
from assonance.scoring.cells import Cells
from assonance.settings import Settings
from assonance.statistics import FoldedMoments, Pair, halves

CELL = ("layer_row", "layer_col")
Value = NeuronScores | LayerScore | float
LayerTable = NDArray[np.float64]
# Attributes of `Scores` that hold a table for each measure: of pairs, and of single layers.
_BY_PAIR = ("values", "neurons", "matches", "ranks", "draws", "deviations")
_BY_LAYER = ("layers", "halves")


class Scores:
    """Tables of neuron and layer measures of every layer against every other.

    Parameters
    ----------
    widths
        Layer name to its number of neurons; its order is that of the result.
    measures
        Neuron and layer measures.
    others
        Which layers count as others for consensus measures (`mincorr`); bool, shape (L, L). All
        but the layer itself if None.
    most
        Number of neurons that tables of single neurons have room for; that of the widest layer if
        None.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        measures: Sequence[Measure],
        others: NDArray[np.bool_] | None = None,
        most: int | None = None,
    ) -> None:
        self.measures = measures
        self.index = {name: number for number, name in enumerate(widths)}
        count, most = len(widths), most or max(widths.values())
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

    def add(self, a: str, b: str, pair: Pair, settings: Settings) -> None:
        """Score layer a (rows) against layer b (columns), and the reverse."""
        for row, col, view, measures in both_ways(a, b, pair, self.measures):
            cell = self.index[row], self.index[col]
            values = {each.name: each.function(view, settings) for each in measures}
            for name, value in values.items():
                self._put(name, cell, value)
            # A layer's neurons are their own best matches: its index with itself is always 1.
            if row != col:
                self.localised[cell] = _localised(values)
        for each in self.measures:
            if each.symmetric:
                i, j = self.index[a], self.index[b]
                for table in (self.values[each.name], self.ranks.get(each.name)):
                    if table is not None:
                        table[j, i] = table[i, j]

    def describe(self, name: str, values: Mapping[str, float]) -> None:
        """Store the descriptors of one layer, by their names in `DESCRIPTORS`."""
        self._store(self.layers, name, values)

    def halve(self, name: str, values: Mapping[str, float]) -> None:
        """Store the scores of one half of a layer's neurons against the other, by measure."""
        self._store(self.halves, name, values)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all tables, under the names that `merge` takes."""
        nested = {
            f"{kind}/{name}": table
            for kind in (*_BY_PAIR, *_BY_LAYER)
            for name, table in getattr(self, kind).items()
        }
        return {"localised": self.localised, **nested}

    def merge(self, arrays: Mapping[str, NDArray[Any]], cells: Cells) -> None:
        """Take over the tables of some pairs, and of the layers that they describe first."""
        cells.copy(arrays["localised"], self.localised)
        for name, part in arrays.items():
            kind, _, measure = name.partition("/")
            if kind in _BY_PAIR:
                shape = (*self.others.shape, *part.shape[2:])
                fill = np.nan if part.dtype.kind == "f" else -1
                tables = getattr(self, kind)
                cells.copy(part, _table(tables, measure, shape, fill, part.dtype))
            elif kind in _BY_LAYER:
                table = _table(getattr(self, kind), measure, self.others.shape[:1], np.nan, float)
                cells.copy_first(part, table)

    def dataset(self) -> xr.Dataset:
        """Label the scores of layers, the localisation index and the descriptors of layers."""
        result = self._empty()
        for each in self.measures:
            if each.across == "min":
                lowest = worst(self.neurons[each.name], self.others)
                result[each.name] = (CELL[:1], nan_mean(lowest), attributes(each))
            else:
                result[each.name] = (CELL, self.values[each.name], attributes(each))
            if each.name in self.ranks:
                about = {"long_name": f"{each.title}, canonical correlations used"}
                result[f"{each.name}_rank"] = (CELL, self.ranks[each.name], about)
        if is_localised(self.values):
            result[LOCALISATION] = (CELL, self.localised, localisation_attributes(self.values))
        for name, values in self.layers.items():
            descriptor = DESCRIPTORS[name]
            about = {"long_name": descriptor.title, "description": descriptor.meaning}
            result[name] = (CELL[:1], values, about)
        return result

    def neuron_dataset(self) -> xr.Dataset:
        """Label the scores of single neurons; a last dimension ``neuron``, NaN as padding."""
        result = self._empty()
        for each in self.measures:
            if each.name in self.neurons:
                dims: tuple[str, ...] = CELL
                scores: NDArray[np.floating] = self.neurons[each.name]
                if each.across == "min":
                    dims, scores = CELL[:1], worst(scores, self.others)
                result[each.name] = ((*dims, "neuron"), scores, attributes(each))
        return result

    def match_dataset(self) -> xr.Dataset:
        """Label the index of each neuron's match in the column layer; −1 for none."""
        return self._empty().assign(
            {
                each.name: ((*CELL, "neuron"), self.matches[each.name])
                for each in self.measures
                if each.name in self.matches and each.across is None
            }
        )

    def draws_dataset(self) -> xr.Dataset:
        """Label the scores in each random basis, of the measures that draw bases."""
        return self._empty().assign(
            {name: ((*CELL, "rotation"), values) for name, values in self.draws.items()}
        )

    def halves_dataset(self) -> xr.Dataset:
        """Label the scores of halves of layers."""
        result = xr.Dataset(coords={CELL[0]: list(self.index)})
        return result.assign({name: (CELL[:1], values) for name, values in self.halves.items()})

    def _empty(self) -> xr.Dataset:
        names = list(self.index)
        return xr.Dataset(coords={"layer_row": names, "layer_col": names})

    def _store(
        self, tables: dict[str, LayerTable], layer: str, values: Mapping[str, float]
    ) -> None:
        for name, value in values.items():
            table = tables.setdefault(name, np.full(len(self.index), np.nan))
            table[self.index[layer]] = value

    def _put(self, name: str, cell: tuple[int, int], value: Value) -> None:
        self.values[name][cell] = mean_score(value)
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


def half_scores(
    moments: FoldedMoments,
    layer: str,
    measures: Sequence[Measure],
    settings: Settings,
) -> dict[str, float]:
    """Score one random half of a layer's neurons against the other, averaged over both directions.

    A ceiling for two layers: neurons of one layer share all that the layer represents.
    """
    if not measures or len(moments.layer(layer).norms) < 2:
        return {}
    pair = halves(moments, layer, settings.seed).pair("first", "second")
    return {
        each.name: sum(mean_score(each.function(one, settings)) for one in (pair, pair.swapped()))
        / 2
        for each in measures
        if each.across is None
    }


def both_ways(
    a: str, b: str, pair: Pair, measures: Sequence[Measure]
) -> Iterator[tuple[str, str, Pair, Sequence[Measure]]]:
    """Yield row, column, pair and measures to compute: of the pair, then of its reverse."""
    yield a, b, pair, measures
    if a != b:
        # A symmetric measure has one mean, but each layer's neurons have their own scores.
        directed = [each for each in measures if not each.symmetric or each.level == "neuron"]
        if directed:
            yield b, a, pair.swapped(), directed


def mean_score(value: Value) -> float:
    """Return a score as one number: averaged over neurons if it has any."""
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
    """Return a measure's table, filled with `fill` at its first use."""
    if name not in tables:
        # Two threads may arrive at once: both must get the same array.
        tables.setdefault(name, np.full(shape, fill, dtype=dtype))
    return tables[name]


def attributes(measure: Measure) -> dict[str, Any]:
    """Return a measure's attributes: title, summary, range, source and scale."""
    lowest, highest = measure.range
    return {
        "long_name": measure.title,
        "description": measure.summary,
        "range": [-np.inf if lowest is None else lowest, np.inf if highest is None else highest],
        "source": measure.source,
        "scale": measure.scale,
    }


def worst(scores: NDArray[np.floating], others: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Return the lowest score of each row layer's neurons over the layers that count as others.

    Parameters
    ----------
    scores
        Shape (L, L, D), NaN where undefined.
    others
        Shape (L, L).

    Returns
    -------
    numpy.ndarray
        Shape (L, D); NaN if a neuron has no score with any other layer.
    """
    lowest = np.where(others[..., None] & ~np.isnan(scores), scores, np.inf).min(1)
    return np.where(np.isinf(lowest), np.nan, lowest)


def nan_mean(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Average the finite values over the last axis; NaN without a warning if there are none."""
    count = np.isfinite(values).sum(-1)
    return np.where(count, np.nansum(values, -1) / np.maximum(count, 1), np.nan)


def _localised(values: Mapping[str, Value]) -> float:
    """Compute the localisation index of a pair, or NaN if its terms were not measured."""
    if not is_localised(values):
        return float("nan")
    terms = localisation_terms(values)
    neurons = [each.values.cpu().numpy() for each in terms if isinstance(each, NeuronScores)]
    return localisation_index(*neurons)
