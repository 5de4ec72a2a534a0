"""Repeated scores of the same layer pairs, from which intervals and nulls are computed."""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from assonance.inference.intervals import within_range
from assonance.inference.localisation import (
    LOCALISATION,
    ROTATED,
    is_localised,
    localisation_index,
    localisation_of_neurons,
    localisation_terms,
)
from assonance.inference.neuron_intervals import (
    NeuronReplicates,
    bases_of_neurons,
)
from assonance.measures import MEASURES, Measure, NeuronScores
from assonance.scoring.cells import Cells
from assonance.scoring.scores import (
    CELL,
    Scores,
    attributes,
    both_ways,
    mean_score,
    nan_mean,
)
from assonance.settings import Settings
from assonance.statistics import Pair, StackedPair


class ReplicateScores:
    """Tables of repeated scores of layers: replicates for intervals, or shifts for a null.

    Parameters
    ----------
    widths, measures, others
        As for `Scores`.
    repeats
        Number of times that every pair is scored.
    full
        Scores of all frames, to compute intervals of single neurons; a pair must be in them before
        it is repeated. None for no such intervals.
    most
        As for `Scores`.

    Attributes
    ----------
    tables : dict
        Measure to scores, shape (L, L, repeats), and `LOCALISATION` if its terms are measured.
        Consensus measures are kept apart, see `dataset`.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        measures: Sequence[Measure],
        others: NDArray[np.bool_],
        repeats: int,
        full: Scores | None = None,
        most: int | None = None,
    ) -> None:
        self.rowwise = [each for each in measures if each.rowwise]
        self.pairwise = [each for each in measures if not each.rowwise]
        self.widths = dict(widths)
        self.repeats = repeats
        self.index = {name: number for number, name in enumerate(widths)}
        self.others = others
        self._most = most = most or max(widths.values())
        count = len(widths)
        names = [each.name for each in measures if each.across is None]
        if is_localised({each.name for each in measures}):
            names.append(LOCALISATION)
        self.tables = {name: np.full((count, count, repeats), np.nan) for name in names}
        self._lowest = {
            each.name: np.full((count, repeats, most), np.inf)
            for each in measures
            if each.across == "min"
        }
        self._full = full
        neurons = [each.name for each in measures if each.level == "neuron" and not each.across]
        if LOCALISATION in names:
            neurons.append(LOCALISATION)
        self._neurons = NeuronReplicates(neurons, count, most, repeats if full else 0)
        self._lock = Lock()

    def add(self, a: str, b: str, repeat: int, pair: Pair, settings: Settings) -> None:
        """Score layer a (rows) against layer b (columns), and the reverse.

        By the measures that need both layers whole; `add_rows` is for the others.
        """
        i, j = self.index[a], self.index[b]
        for row, col, view, measures in both_ways(a, b, pair, self.pairwise):
            cell = self.index[row], self.index[col], repeat
            for each in measures:
                value = each.function(view, settings)
                self.tables[each.name][cell] = mean_score(value)
                if isinstance(value, NeuronScores):
                    self._add_neurons({each.name: self._by_layer([row], value.values)}, [row], col)
        for each in self.pairwise:
            if each.symmetric:
                self.tables[each.name][j, i, repeat] = self.tables[each.name][i, j, repeat]

    def add_rows(
        self, rows: Sequence[str], column: str, repeat: int, stack: StackedPair, settings: Settings
    ) -> None:
        """Score the stacked neurons of several row layers against the column layer."""
        scores = {
            each.name: self._by_layer(rows, each.function(stack, settings).values)
            for each in self.rowwise
        }
        i, j = [self.index[row] for row in rows], self.index[column]
        for each in self.rowwise:
            if each.across is None:
                self.tables[each.name][i, j, repeat] = nan_mean(scores[each.name])
                continue
            others = self.others[i, j]
            lowest = self._lowest[each.name]
            with self._lock:
                counted = np.where(others[:, None], scores[each.name], np.nan)
                for row, of_row in zip(i, counted, strict=True):
                    np.fmin(lowest[row, repeat], of_row, out=lowest[row, repeat])
        self._add_neurons(scores, rows, column)
        if LOCALISATION in self.tables:
            terms = localisation_terms(scores)
            for number, row in enumerate(i):
                if row != j:
                    index = localisation_index(*(of_rows[number] for of_rows in terms))
                    self.tables[LOCALISATION][row, j, repeat] = index

    def add_replicates(
        self,
        row: str,
        column: str,
        name: str,
        values: NDArray[np.float64],
        means: NDArray[np.float64] | None = None,
    ) -> None:
        """Add all replicates of a rowwise measure at once.

        Parameters
        ----------
        row, column, name
            The layers and the measure.
        values
            Replicates of the row layer's neurons, (repeats, Dx); NaN for neurons without any.
        means
            Replicates of the layer, if not the means over the neurons; (repeats,).
        """
        cell = i, j = self.index[row], self.index[column]
        padded = np.full((self.repeats, self._most), np.nan)
        padded[:, : values.shape[1]] = values
        self.tables[name][cell] = nan_mean(values) if means is None else means
        if self._full is not None and name in self._neurons.names:
            full = {each: scores[cell] for each, scores in self._full.neurons.items()}
            if name == LOCALISATION:
                full[name] = localisation_of_neurons(*localisation_terms(full))
            for replicate in padded - full[name]:
                self._neurons.add(name, [i], j, replicate[None])

    def _add_neurons(
        self, scores: Mapping[str, NDArray[np.float64]], rows: Sequence[str], column: str
    ) -> None:
        """Add the deviations of single neurons, (rows, most), from their scores of all frames."""
        if self._full is None:
            return
        i, j = [self.index[row] for row in rows], self.index[column]
        full = {name: self._full.neurons[name][i, j] for name in scores}
        for name in scores.keys() & set(self._neurons.names):
            self._neurons.add(name, i, j, scores[name] - full[name])
        if LOCALISATION in self._neurons.names and is_localised(scores):
            best, rotated, predicted_r = localisation_terms(scores)
            index = localisation_of_neurons(*localisation_terms(full))
            moved = (best - rotated) / (predicted_r - rotated) - index
            moved[np.array(i) == j] = np.nan
            self._neurons.add(LOCALISATION, i, j, moved)

    def neuron_dataset(self) -> xr.Dataset:
        """Label the jackknife intervals of single neurons; empty if there are none.

        One variable a measure, with last dimensions ``neuron`` and ``statistic``, and the
        ``localisation`` of each neuron, whose interval includes the variance of the random bases.
        """
        names = list(self.index)
        result = xr.Dataset(coords={"layer_row": names, "layer_col": names})
        if self._full is None or self.repeats < 2:
            return result
        for name in self._neurons.names:
            interval = self._interval(name, self._full).astype(np.float32)
            result[name] = ((*CELL, "neuron", "statistic"), interval)
        return result

    def _interval(self, name: str, full: Scores) -> NDArray[np.floating]:
        """Compute estimate, low and high of the neurons' scores; (L, L, most, 3)."""
        if name != LOCALISATION:
            return _within_range(name, self._neurons.jackknife(name, full.neurons[name]))
        best, rotated, predicted_r = localisation_terms(full.neurons)
        count = full.draws[ROTATED].shape[-1]
        bases = bases_of_neurons(full.deviations[ROTATED], count, predicted_r - rotated)
        return self._neurons.jackknife(
            name, localisation_of_neurons(best, rotated, predicted_r), bases
        )

    def _by_layer(self, rows: Sequence[str], scores: Tensor) -> NDArray[np.float64]:
        """Split the scores of stacked neurons by layer; (rows, most), padded with NaN."""
        widths = [self.widths[row] for row in rows]
        result = np.full((len(rows), self._most), np.nan)
        result[np.arange(result.shape[1]) < np.array(widths)[:, None]] = scores.cpu().numpy()
        return result

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all tables, under the names that `merge` takes."""
        return {
            **{f"table/{name}": table for name, table in self.tables.items()},
            **{f"lowest/{name}": table for name, table in self._lowest.items()},
            **{f"neurons/{name}": table for name, table in self._neurons.arrays().items()},
        }

    def merge(self, arrays: Mapping[str, NDArray[Any]], cells: Cells) -> None:
        """Take over the tables of some pairs."""
        for name, table in self.tables.items():
            cells.copy(arrays[f"table/{name}"], table)
        for name, lowest in self._lowest.items():
            cells.lower(arrays[f"lowest/{name}"], lowest)
        for name, sums in self._neurons.arrays().items():
            cells.copy(arrays[f"neurons/{name}"], sums)

    def dataset(self, dim: str) -> xr.Dataset:
        """Label the repeated scores, with a last dimension of the name given; empty if none."""
        names = list(self.index)
        result = xr.Dataset(coords={"layer_row": names, "layer_col": names})
        if not self.repeats:
            return result
        for name, values in self.tables.items():
            result[name] = ((*CELL, dim), values)
        for name, lowest in self._lowest.items():
            defined = np.where(np.isinf(lowest), np.nan, lowest)
            result[name] = ((CELL[0], dim), nan_mean(defined))
        return result


def _within_range(name: str, values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Clip values to a measure's range."""
    return within_range(values, attributes(MEASURES[name]))
