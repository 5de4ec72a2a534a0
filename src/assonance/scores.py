"""Scores of many layer pairs, filled in as they come and labelled at the end."""

from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from assonance.describe import DESCRIPTORS
from assonance.inference import (
    LOCALISATION,
    ROTATED,
    WHOLE,
    localisation_index,
    whole_of,
)
from assonance.measures import MEASURES, LayerScore, Measure, NeuronScores, Settings
from assonance.neuron_intervals import (
    NeuronReplicates,
    bases_of_neurons,
    jackknife_of_sums,
    localisation_of_neurons,
)
from assonance.statistics import FoldedMoments, Pair, StackedPair, halves

CELL = ("layer_row", "layer_col")
# Measures of single neurons between whose values the localisation index lies, best first.
_LOCALISED = ("maxcorr", ROTATED)

Score = TypeVar("Score")
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
        for row, col, seen, measures in _both_ways(a, b, pair, self.measures):
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
        self.values[name][cell] = _of_layer(value)
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
        if is_localised(self.measures):
            result[LOCALISATION] = (CELL, self.localised, localisation_attributes(self.measures))
        for name, found in self.layers.items():
            told = DESCRIPTORS[name]
            about = {"long_name": told.title, "description": told.meaning}
            result[name] = (CELL[:1], found, about)
        return result


class LayerScores:
    """Scores of layers against layers alone, once and again: what intervals and nulls are made of.

    Parameters
    ----------
    widths, measures, others
        As for `Scores`.
    repeats
        How many times every pair is scored.
    whole
        Scores of all frames, where neurons are to have intervals; each pair's when it is repeated.

    Attributes
    ----------
    tables : dict
        Measure to scores, shape (L, L, repeats); with `LOCALISATION` where its parts are measured.
        Of measures taken over all other layers, shape (L, repeats), see `dataset`.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        measures: Sequence[Measure],
        others: NDArray[np.bool_],
        repeats: int,
        whole: Scores | None = None,
    ) -> None:
        self.of_rows = [each for each in measures if each.rowwise]
        self.of_pairs = [each for each in measures if not each.rowwise]
        self.widths = dict(widths)
        self.repeats = repeats
        self.index = {name: number for number, name in enumerate(widths)}
        self.others = others
        count, most = len(widths), max(widths.values())
        names = [each.name for each in measures if each.across is None]
        if is_localised(measures):
            names.append(LOCALISATION)
        self.tables = {name: np.full((count, count, repeats), np.nan) for name in names}
        self._lowest = {
            each.name: np.full((count, repeats, most), np.inf)
            for each in measures
            if each.across == "min"
        }
        self._whole = whole
        single = [each.name for each in measures if each.level == "neuron" and not each.across]
        if LOCALISATION in names:
            single.append(LOCALISATION)
        self._single = NeuronReplicates(single, count, most, repeats if whole else 0)
        self._lock = Lock()

    def add(self, a: str, b: str, repeat: int, pair: Pair, settings: Settings) -> None:
        """Score layer a (rows) against layer b (columns), and the other way round.

        Only by what takes two layers; see `add_rows`.
        """
        i, j = self.index[a], self.index[b]
        for row, col, seen, measures in _both_ways(a, b, pair, self.of_pairs):
            cell = self.index[row], self.index[col], repeat
            for each in measures:
                value = each.function(seen, settings)
                self.tables[each.name][cell] = _of_layer(value)
                if isinstance(value, NeuronScores):
                    self._add_neurons({each.name: self._by_layer([row], value.values)}, [row], col)
        for each in self.of_pairs:
            if each.symmetric:
                self.tables[each.name][j, i, repeat] = self.tables[each.name][i, j, repeat]

    def add_rows(
        self, rows: Sequence[str], column: str, repeat: int, stack: StackedPair, settings: Settings
    ) -> None:
        """Score the neurons of row layers, put together, against the column layer."""
        found = {
            each.name: self._by_layer(rows, each.function(stack, settings).values)
            for each in self.of_rows
        }
        i, j = [self.index[row] for row in rows], self.index[column]
        for each in self.of_rows:
            if each.across is None:
                self.tables[each.name][i, j, repeat] = nan_mean(found[each.name])
                continue
            others = self.others[i, j]
            lowest = self._lowest[each.name]
            with self._lock:
                for row, scores in zip(
                    i, np.where(others[:, None], found[each.name], np.nan), strict=True
                ):
                    np.fmin(lowest[row, repeat], scores, out=lowest[row, repeat])
        self._add_neurons(found, rows, column)
        if LOCALISATION in self.tables:
            ends = _ends(found)
            for number, row in enumerate(i):
                if row != j:
                    index = localisation_index(*(scores[number] for scores in ends))
                    self.tables[LOCALISATION][row, j, repeat] = index

    def _add_neurons(
        self, found: Mapping[str, NDArray[np.float64]], rows: Sequence[str], column: str
    ) -> None:
        """Add what single neurons, (rows, most), have moved by."""
        if self._whole is None:
            return
        i, j = [self.index[row] for row in rows], self.index[column]
        whole = {name: self._whole.neurons[name][i, j] for name in found}
        for name in found.keys() & set(self._single.names):
            self._single.add(name, i, j, found[name] - whole[name])
        if LOCALISATION in self._single.names and found.keys() >= set(_LOCALISED):
            best, rotated, knows = _ends(found)
            moved = (best - rotated) / (knows - rotated) - localisation_of_neurons(*_ends(whole))
            moved[np.array(i) == j] = np.nan
            self._single.add(LOCALISATION, i, j, moved)

    def neuron_dataset(self) -> xr.Dataset:
        """Label the intervals of neurons' scores; nothing where there are none.

        One variable a measure, with last dimensions ``neuron`` and ``statistic``, and
        ``localisation`` of each neuron, whose interval allows for the random bases too.
        """
        names = list(self.index)
        result = xr.Dataset(coords={"layer_row": names, "layer_col": names})
        if self._whole is None or self.repeats < 2:
            return result
        for name in self._single.names:
            result[name] = ((*CELL, "neuron", "statistic"), self._interval(name, self._whole))
        for name, lowest in self._lowest.items():
            scores = worst(self._whole.neurons[name], self.others)
            moved = np.where(np.isinf(lowest), np.nan, lowest) - scores[:, None]
            found = jackknife_of_sums(scores, moved.sum(1), (moved**2).sum(1), self.repeats)
            result[name] = ((CELL[0], "neuron", "statistic"), _within_range(name, found))
        return result

    def _interval(self, name: str, whole: Scores) -> NDArray[np.floating]:
        """Estimate, low and high of the neurons' scores; (L, L, most, 3)."""
        if name != LOCALISATION:
            return _within_range(name, self._single.jackknife(name, whole.neurons[name]))
        best, rotated, knows = _ends(whole.neurons)
        count = whole.draws[ROTATED].shape[-1]
        bases = bases_of_neurons(whole.deviations[ROTATED], count, knows - rotated)
        return self._single.jackknife(name, localisation_of_neurons(best, rotated, knows), bases)

    def _by_layer(self, rows: Sequence[str], scores: Tensor) -> NDArray[np.float64]:
        """Part the scores of neurons by their layers; (rows, most), NaN where there is none."""
        widths = [self.widths[row] for row in rows]
        result = np.full((len(rows), max(self.widths.values())), np.nan)
        result[np.arange(result.shape[1]) < np.array(widths)[:, None]] = scores.cpu().numpy()
        return result

    def dataset(self, dim: str) -> xr.Dataset:
        """Label the scores; `dim` names what the repeats are. Nothing where there are none."""
        names = list(self.index)
        result = xr.Dataset(coords={"layer_row": names, "layer_col": names})
        if not self.repeats:
            return result
        for name, values in self.tables.items():
            result[name] = ((*CELL, dim), values)
        for name, lowest in self._lowest.items():
            known = np.where(np.isinf(lowest), np.nan, lowest)
            result[name] = ((CELL[0], dim), nan_mean(known))
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
        each.name: sum(_of_layer(each.function(one, settings)) for one in (pair, pair.swapped()))
        / 2
        for each in measures
        if each.across is None
    }


def _both_ways(
    a: str, b: str, pair: Pair, measures: Sequence[Measure]
) -> Iterator[tuple[str, str, Pair, Sequence[Measure]]]:
    """Give what is to be measured of a pair, and of the same seen the other way round."""
    yield a, b, pair, measures
    if a != b:
        # Each layer's neurons have scores of their own, even where their mean is the same.
        directed = [each for each in measures if not each.symmetric or each.level == "neuron"]
        if directed:
            yield b, a, pair.swapped(), directed


def _of_layer(value: Value) -> float:
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


def _within_range(name: str, values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Cut at the ends of a measure's range."""
    lowest, highest = attributes(MEASURES[name])["range"]
    clipped: NDArray[np.floating] = np.clip(values, lowest, highest)
    return clipped


def nan_mean(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Mean over the last axis of what is not NaN; NaN, without a warning, where nothing is."""
    count = np.isfinite(values).sum(-1)
    return np.where(count, np.nansum(values, -1) / np.maximum(count, 1), np.nan)


def is_localised(measures: Sequence[Measure]) -> bool:
    """Whether all that the localisation index lies between is measured."""
    names = {each.name for each in measures}
    return names.issuperset(_LOCALISED) and not names.isdisjoint(WHOLE)


def _localised(found: Mapping[str, Value]) -> float:
    """Compute the localisation index of a pair, NaN where its parts were not measured.

    A layer's neurons are their own best matches: of a layer with itself the index would say so
    and nothing else.
    """
    if not (found.keys() >= set(_LOCALISED) and found.keys() & set(WHOLE)):
        return float("nan")
    neurons = [each.values.cpu().numpy() for each in _ends(found) if isinstance(each, NeuronScores)]
    return localisation_index(*neurons)


def _ends(found: Mapping[str, Score]) -> tuple[Score, Score, Score]:
    """Pick what the localisation index is made of: best match, random bases, whole layer."""
    best, rotated = _LOCALISED
    return found[best], found[rotated], found[whole_of(found)]


def localisation_attributes(measures: Sequence[Measure]) -> dict[str, Any]:
    """Describe the localisation index."""
    names = {each.name for each in measures}
    whole = whole_of(names)
    return {
        "long_name": "Localisation index",
        "description": "Share of what the whole other layer knows of a neuron, beyond a random "
        "basis of it, that one neuron knows: 0 for a space shared in unrelated bases, 1 where one "
        "neuron says all",
        "range": [-np.inf, np.inf],
        "source": f"assonance: Σ(maxcorr − maxcorr_rotated)/Σ({whole} − maxcorr_rotated)",
    }
