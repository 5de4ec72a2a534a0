"""Replicates of single neurons' measures that fit nothing again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.inference.held import (
    HeldEstimate,
    held_r,
    held_r2,
    matched,
    mean_of_defined,
    minus,
    ratio,
    refitted,
)
from assonance.inference.localisation import (
    LEAST_HEADROOM,
    LOCALISATION,
    MATCH,
    ROTATED,
    is_localised,
    localisation_of_neurons,
    predicted_r_of,
)
from assonance.measures import Measure
from assonance.measures.neurons import rotations
from assonance.scoring.held_alignments import AlignedTerms, HeldAlignments
from assonance.scoring.replicates import ReplicateScores
from assonance.scoring.scores import Scores
from assonance.settings import Settings
from assonance.statistics import Pair, sample_indices
from assonance.statistics.held_regression import held_errors
from assonance.statistics.hsic_left_out import HsicLeftOut
from assonance.statistics.layer_groups import LayerGroups
from assonance.statistics.left_out import (
    correlations_without,
    rotated_norms,
    squares_without,
    strongest_rotated,
)
from assonance.utils.memory import Scratch

# Random bases of the replicates. Neurons of a layer take turns, so that one product serves all.
_BASES = 2
# MaxCorr with the match that other speech chose.
_HELD_MATCH = "maxcorr_heldout"

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Way:
    """One direction of a pair: neurons of a row layer against a column layer."""

    rows: LayerGroups
    column: LayerGroups
    neurons: Tensor  # indices of the sampled neurons, (S,)
    cross: Tensor  # of the sampled neurons, if regressions need them; (G + 1, S, D)
    best: Tensor  # MaxCorr of all neurons with each group left out, (G, Dx)
    tables: Tensor  # their correlations without each group and of all, if rotated; (G + 1, S, D)


@dataclass(frozen=True)
class HeldLayers:
    """What replicates need of single layers, the same in all tiles.

    Attributes
    ----------
    norms
        Norms of each layer in the random bases.
    aligned
        Terms of each layer with itself; see `HeldAlignments`.
    """

    norms: dict[str, list[Tensor]] = field(default_factory=dict)
    aligned: dict[str, AlignedTerms] = field(default_factory=dict)


class HeldScores:
    """Replicates of measures of single neurons, by a jackknife that fits nothing again.

    Regressions keep their coefficients; see `assonance.inference.held`. Best matches are found
    again with each group left out. Products with whole layers are computed for a sample of the
    row layer's neurons, whose mean deviation stands for that of all.

    Parameters
    ----------
    measures
        Measures of single neurons that need no layer whole (`rowwise`), and of linear alignment
        (`assonance.scoring.held_alignments.ALIGNED`).
    scores
        Scores of all frames; a pair must be in them before it is added here.
    replicates
        Receives the replicates.
    settings
        Settings of the measures.
    layers
        What is known of single layers, to which that of further layers is added.
    """

    def __init__(
        self,
        measures: Sequence[Measure],
        scores: Scores,
        replicates: ReplicateScores,
        settings: Settings,
        layers: HeldLayers,
    ) -> None:
        self._names = [each.name for each in measures]
        self._regressions = {each.name: each.regression for each in measures if each.regression}
        self._scores = scores
        self._replicates = replicates
        self._settings = settings
        self._norms = layers.norms
        self._scratch = Scratch()
        self._alignments = HeldAlignments(self._names, replicates, layers.aligned)

    def prepare(self, layer: LayerGroups, sums: HsicLeftOut | None) -> None:
        """Compute what all pairs of a layer need.

        Parameters
        ----------
        layer, sums
            The layer, and sums over utterances with each group left out; None if no measure needs
            them.
        """
        rotated = ROTATED in self._names and layer.name not in self._norms
        if rotated or self._alignments.lacks(layer):
            cross = layer.own_cross(self._scratch)
            self._alignments.prepare(layer, cross, sums)
            if rotated:
                self._norms[layer.name] = rotated_norms(layer, cross, self._bases(layer))
        if self._regressions:
            _ = layer.fits, layer.half_scatters

    def add(
        self,
        x: LayerGroups,
        y: LayerGroups,
        products: Sequence[Tensor],
        sums: HsicLeftOut | None,
        pair: Callable[[], Pair],
    ) -> None:
        """Add all replicates of a pair of layers, in both directions.

        Parameters
        ----------
        x, y
            The row and the column layer.
        products
            Their products in each group; see `LayerGroups.cross`.
        sums
            As for `prepare`.
        pair
            Returns the pair in all frames.
        """
        cross = x.cross(y, products, self._scratch)
        ways, squares = self._ways(x, y, cross)
        self._alignments.add(x, y, cross, squares, sums)
        for way in ways:
            match = self._match(way, x, pair) if MATCH in self._names else None
            held: dict[str, HeldEstimate] = {}
            if ROTATED in self._names:
                held[ROTATED] = self._rotated(way)
            if self._regressions:
                errors = held_errors(way.rows, way.neurons, way.column, way.cross)
                r2 = held_r2(*map(_numpy, (errors.variance, errors.errors, errors.fitted)))
                kinds = {"r2": r2, "r": held_r(r2)}
                held |= {name: kinds[kind] for name, kind in self._regressions.items()}
            layers = {name: self._put(way, name, each) for name, each in held.items()}
            if match and is_localised(self._names) and way.rows is not way.column:
                layers[MATCH], neurons = match
                held[MATCH] = neurons.of(way.neurons.cpu().numpy())
                self._localise(way, held, layers)

    def _ways(self, x: LayerGroups, y: LayerGroups, cross: Tensor) -> tuple[list[_Way], Tensor]:
        """Compute the correlations of a pair with each group left out, for both directions.

        Also return the sums of squares of cross-products and correlations, (2, G).
        """
        ways = [self._empty(x, y, cross)]
        if x is not y:
            ways.append(self._empty(y, x, cross.transpose(1, 2)))
        squares = cross.new_zeros(2, len(cross) - 1, dtype=torch.float64)
        for places, tables in correlations_without(x, y, cross):
            if ROTATED in self._names:
                for way, view in zip(ways, (tables, tables.transpose(1, 2)), strict=False):
                    way.tables[places] = view[:, way.neurons]
            if self._alignments.names:
                squares[:, places] = squares_without(x, y, places, tables)
            if MATCH in self._names:
                without = tables[: len(ways[0].best[places])].abs_()
                for dim, way in enumerate(ways):
                    way.best[places] = without.amax(2 - dim).clamp_(max=1)
        for way in ways:
            way.best[way.rows.norms_without == 0] = torch.nan
        return ways, squares

    def _empty(self, rows: LayerGroups, column: LayerGroups, cross: Tensor) -> _Way:
        """Sample the neurons of one direction, and leave its tables to be filled in."""
        width = len(rows.inverse_norms)
        chosen = sample_indices(width, self._settings.interval_neurons, self._settings.seed)
        neurons = torch.from_numpy(chosen).to(cross.device)
        sampled = len(neurons) if ROTATED in self._names else 0
        return _Way(
            rows,
            column,
            neurons,
            cross[:, neurons if self._regressions else []],
            cross.new_empty(len(cross) - 1, width),
            cross.new_empty(len(cross), sampled, cross.shape[2]),
        )

    def _match(
        self, way: _Way, x: LayerGroups, pair: Callable[[], Pair]
    ) -> tuple[HeldEstimate, HeldEstimate]:
        """Store the replicates of MaxCorr, and return its estimates: of the layer, of all neurons.

        Neurons are doubtful in the same direction, so the doubt of a layer does not average out.
        """
        rows, column = way.rows, way.column
        best = _numpy(way.best)
        score = self._score(way, MATCH)
        if _HELD_MATCH in self._scores.neurons:
            held_out = self._of_neurons(way, _HELD_MATCH)
        else:
            full = pair() if rows is x else pair().swapped()
            held_out = _numpy(full.matched_held_out)
        scores = self._of_neurons(way, MATCH)
        neurons = matched(scores, best, held_out)
        layer = matched(score, mean_of_defined(best), mean_of_defined(held_out))
        self._replicates.add_replicates(
            rows.name, column.name, MATCH, neurons.replicates(scores), layer.replicates(score)
        )
        return layer, neurons

    def _rotated(self, way: _Way) -> HeldEstimate:
        """Find best matches in random bases, neurons taking turns."""
        varies = way.column.inverse_norms > 0
        tables = way.tables if varies.all() else way.tables[..., varies]
        best = tables.new_empty(tables.shape[:2])
        bases, norms = self._bases(way.column), self._norms[way.column.name]
        for turn, (basis, scale) in enumerate(zip(bases, norms, strict=True)):
            taking = slice(turn, None, len(bases))
            best[:, taking] = strongest_rotated(tables[:, taking], basis, scale)
        best[:, way.rows.inverse_norms[way.neurons] == 0] = torch.nan
        *without, whole = _numpy(best.clamp_(max=1))
        full = self._neurons(way, ROTATED)
        return refitted(full, full + np.stack(without) - whole)

    def _put(self, way: _Way, name: str, held: HeldEstimate) -> HeldEstimate:
        """Store a measure's replicates of the sampled neurons and of the layer; return the layer's.

        NaN for the neurons that were not sampled.
        """
        row, column = way.rows.name, way.column.name
        scores = self._neurons(way, name)
        layer = held.of_layer(self._score(way, name), scores)
        self._replicates.add_replicates(
            row,
            column,
            name,
            _padded(way, held.replicates(scores)),
            layer.replicates(self._score(way, name)),
        )
        return layer

    def _localise(
        self, way: _Way, held: Mapping[str, HeldEstimate], layers: Mapping[str, HeldEstimate]
    ) -> None:
        """Store replicates of the localisation index of the layer, and of its sampled neurons."""
        terms = MATCH, ROTATED, predicted_r_of(self._names)
        layer, neurons = (_index(*(each[name] for name in terms)) for each in (layers, held))
        scores = np.asarray(localisation_of_neurons(*(self._neurons(way, name) for name in terms)))
        self._replicates.add_replicates(
            way.rows.name,
            way.column.name,
            LOCALISATION,
            _padded(way, neurons.replicates(scores)),
            layer.replicates(float(self._scores.localised[self._cell(way)])),
        )

    def _bases(self, layer: LayerGroups) -> Sequence[Tensor]:
        """Return the first of the random bases of `maxcorr_rotated`."""
        count = int((layer.inverse_norms > 0).sum())
        return rotations(count, self._settings.rotations, self._settings.seed)[:_BASES]

    def _cell(self, way: _Way) -> tuple[int, int]:
        index = self._scores.index
        return index[way.rows.name], index[way.column.name]

    def _score(self, way: _Way, name: str) -> float:
        return float(self._scores.values[name][self._cell(way)])

    def _of_neurons(self, way: _Way, name: str) -> Array:
        """Return a measure's scores of all neurons; (Dx,)."""
        width = len(way.rows.inverse_norms)
        scores: Array = self._scores.neurons[name][*self._cell(way), :width]
        return scores

    def _neurons(self, way: _Way, name: str) -> Array:
        """Return a measure's scores of the sampled neurons; (S,)."""
        scores: Array = self._scores.neurons[name][*self._cell(way), way.neurons.cpu().numpy()]
        return scores


def _index(best: HeldEstimate, rotated: HeldEstimate, predicted: HeldEstimate) -> HeldEstimate:
    """Compute the localisation index of corrected estimates."""
    return ratio(minus(best, rotated), minus(predicted, rotated), LEAST_HEADROOM)


def _padded(way: _Way, values: Array) -> Array:
    """Place values of the sampled neurons, (G, S), among all neurons, (G, Dx), with NaN between."""
    padded = np.full((len(values), len(way.rows.inverse_norms)), np.nan)
    padded[:, way.neurons.cpu().numpy()] = values
    return padded


def _numpy(values: Tensor) -> Array:
    return values.to(torch.float64).cpu().numpy()
