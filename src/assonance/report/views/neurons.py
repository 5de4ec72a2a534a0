"""Scores of single neurons, for as many pairs of layers as the page can carry."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assonance.comparison.result import CELL, Comparison
from assonance.measures.roles import MATCHED, PREDICTED_R, ROTATED
from assonance.report.packing import Packer
from assonance.report.views.layers import places
from assonance.tables import matches as match_tables
from assonance.tables.cells import predicting_measure
from assonance.tables.neuron_matches import best_matches

# At most so many neurons, counted once a pair of layers, travel with the page: about 5 MB.
MOST_NEURONS = 300_000
_Pair = tuple[str, str, str, str]
# Columns of a pair: name on the page, score, end of its interval or None.
_COLUMNS = {
    "whole": (PREDICTED_R, None),
    "whole_low": (PREDICTED_R, "low"),
    "whole_high": (PREDICTED_R, "high"),
    "match": (MATCHED, None),
    "match_low": (MATCHED, "low"),
    "match_high": (MATCHED, "high"),
    "rotated": (ROTATED, None),
}


def neurons(comparison: Comparison, packer: Packer) -> dict[str, Any] | None:
    """Collect the neurons of the pairs of `pairs`, and each neuron's best match in every model.

    Returns
    -------
    dict or None
        None if no neurons were matched, or no two models were compared.
    """
    if not has_neurons(comparison):
        return None
    columns = _arrays(comparison)
    others = comparison.neurons[f"{MATCHED}_match"].transpose(*CELL, "neuron").to_numpy()
    chosen, all_of_them = pairs(comparison)
    place = {each: k for k, each in enumerate(places(comparison))}
    return {
        "complete": all_of_them,
        "pairs": [
            {
                "row": place[pair[:2]],
                "col": place[pair[2:]],
                **{name: packer.scores(values[at]) for name, values in columns.items()},
                "other": packer.integers(others[at]),
            }
            for pair in chosen
            for at in [_at(comparison, pair)]
        ],
        "best": _best_matches(comparison, packer),
    }


def has_neurons(comparison: Comparison) -> bool:
    """Return whether single neurons of different models were matched."""
    matched = {MATCHED, f"{MATCHED}_match"} <= set(comparison.neurons.data_vars)
    return matched and len(comparison.models) > 1


def pairs(comparison: Comparison) -> tuple[list[_Pair], bool]:
    """Choose the pairs of layers whose neurons the page has, and tell whether these are all.

    All pairs of layers of different models if they hold at most `MOST_NEURONS`. If not, each layer
    with its best match in each other model; if these are too many too, the best such pair of each
    two models.
    """
    every = [
        (*row, *col) for row in places(comparison) for col in places(comparison) if row[0] != col[0]
    ]
    width = comparison.neurons.sizes["neuron"]
    if len(every) * width <= MOST_NEURONS:
        return every, True
    predicting = predicting_measure(comparison) or MATCHED
    best = match_tables.best_matches(comparison, predicting).dropna(subset="layer_col")
    if len(best) * width > MOST_NEURONS:
        best = best.loc[best.groupby(level=["model_row", "model_col"])["value"].idxmax()]
    matched = zip(best.index, best["layer_col"], strict=True)
    return [(row, layer, col, str(other)) for (row, col, layer), other in matched], False


def _arrays(comparison: Comparison) -> dict[str, NDArray[np.floating]]:
    """Return the columns that were computed, each with the dimensions of `CELL` and neurons."""
    found = {}
    for name, (measure, end) in _COLUMNS.items():
        source = comparison.neurons if end is None else comparison.neuron_intervals
        if measure in source:
            array = source[measure] if end is None else source[measure].sel(statistic=end)
            found[name] = array.transpose(*CELL, "neuron").to_numpy()
    return found


def _at(comparison: Comparison, pair: _Pair) -> tuple[Any, ...]:
    """Return the place of a pair in the arrays of neurons."""
    indexes = comparison.neurons.indexes
    return tuple(indexes[dim].get_loc(label) for dim, label in zip(CELL, pair, strict=True))


def _best_matches(comparison: Comparison, packer: Packer) -> list[dict[str, Any]]:
    """Find each neuron's best match among all neurons of each other model.

    Returns
    -------
    list of dict
        One a row layer; ``score``, ``layer`` and ``neuron`` have the shape (models, neurons). NaN
        for the model itself and for constant neurons.
    """
    models = list(comparison.models)
    found = []
    for row, layer in places(comparison):
        score, where, neuron = (
            np.full((len(models), comparison.neurons.sizes["neuron"]), np.nan) for _ in range(3)
        )
        for k, col in enumerate(models):
            if col != row:
                best = best_matches(comparison, row, layer, col)
                score[k], where[k], neuron[k] = best.score, best.layer, best.neuron
        found.append(
            {
                "score": packer.scores(score),
                "layer": packer.integers(where),
                "neuron": packer.integers(neuron),
            }
        )
    return found
