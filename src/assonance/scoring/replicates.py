"""Scores of the same layer pairs again and again: what intervals and nulls are made of."""

from collections.abc import Mapping, Sequence
from threading import Lock

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

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
    jackknife_of_sums,
)
from assonance.measures import MEASURES, Measure, NeuronScores
from assonance.scoring.scores import CELL, Scores, attributes, both_ways, nan_mean, of_layer, worst
from assonance.settings import Settings
from assonance.statistics import Pair, StackedPair


class ReplicateScores:
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
        if is_localised({each.name for each in measures}):
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
        for row, col, seen, measures in both_ways(a, b, pair, self.of_pairs):
            cell = self.index[row], self.index[col], repeat
            for each in measures:
                value = each.function(seen, settings)
                self.tables[each.name][cell] = of_layer(value)
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
            terms = localisation_terms(found)
            for number, row in enumerate(i):
                if row != j:
                    index = localisation_index(*(scores[number] for scores in terms))
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
        if LOCALISATION in self._single.names and is_localised(found):
            best, rotated, knows = localisation_terms(found)
            known = localisation_of_neurons(*localisation_terms(whole))
            moved = (best - rotated) / (knows - rotated) - known
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
        best, rotated, knows = localisation_terms(whole.neurons)
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


def _within_range(name: str, values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Cut at the ends of a measure's range."""
    lowest, highest = attributes(MEASURES[name])["range"]
    clipped: NDArray[np.floating] = np.clip(values, lowest, highest)
    return clipped
