"""Find the best match of each neuron of a layer in each other model."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assonance.comparison.lookup import find_layer, find_model
from assonance.comparison.moments import Neuron
from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError, printable
from assonance.measures.roles import MATCHED
from assonance.tables import neurons as neuron_tables


@dataclass(frozen=True)
class NeuronMatches:
    """The neurons of a layer, each with its best match in each other model.

    Attributes
    ----------
    model, layer
        The layer.
    table
        Indexed by neuron and model_col. With layer_col and match (the layer and the index of the
        most similar single neuron of the other model), and for that layer the columns of
        `assonance.tables.neurons.neurons`.
    """

    model: str
    layer: str
    table: pd.DataFrame

    def top(self, count: int = 10) -> pd.DataFrame:
        """Return the rows of the neurons with the most similar match in any other model.

        Raises
        ------
        AssonanceError
            `count` is not a positive whole number.
        """
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise AssonanceError(f"count must be a whole number from 1 on; got {count!r}")
        best = self.table[MATCHED].groupby(level="neuron").max()
        first = best.sort_values(ascending=False, kind="stable").index[:count]
        return self.table.loc[list(first)]

    def __len__(self) -> int:
        return len(self.table.index.unique("neuron"))

    def __repr__(self) -> str:
        return f"<{len(self)} neurons of {printable(self.model)} {printable(self.layer)}>"

    def _repr_html_(self) -> str:
        return str(self.top().to_html())


def neuron_matches(comparison: Comparison, model: str, layer: str | int) -> NeuronMatches:
    """Find the best match of each neuron of a layer in each other model.

    Parameters
    ----------
    comparison
        The comparison.
    model, layer
        The layer; a number stands for the layer whose label ends in it.

    Returns
    -------
    NeuronMatches
        Neurons that are constant are left out.

    Raises
    ------
    AssonanceError
        There is no such model or layer, neurons were not scored, or there is no other model.
    """
    model = find_model(comparison, model)
    layer = find_layer(comparison, model, layer)
    others = [name for name in comparison.models if name != model]
    if not others:
        raise AssonanceError("matches of neurons need two models; only one model was compared")
    parts = [_in_model(comparison, model, layer, other) for other in others]
    table = pd.concat(parts).set_index("model_col", append=True)
    return NeuronMatches(model, layer, table.sort_index(level="neuron", sort_remaining=False))


@dataclass(frozen=True)
class BestMatches:
    """The best match of each neuron of a layer among all neurons of another model.

    Attributes
    ----------
    score
        Absolute correlation; NaN for neurons without one.
    layer
        Place of the match's layer among the layers of the other model; NaN as for `score`.
    neuron
        Index of the match in its layer; NaN as for `score`.
    """

    score: NDArray[np.float64]
    layer: NDArray[np.float64]
    neuron: NDArray[np.float64]


def best_matches(comparison: Comparison, model: str, layer: str, other: str) -> BestMatches:
    """Find each neuron's best match among all neurons of another model."""
    where = {
        "model_row": model,
        "layer_row": layer,
        "model_col": other,
        "layer_col": list(comparison.layers(other)),
    }
    values = comparison.neurons[MATCHED].sel(where).to_numpy()
    others = comparison.neurons[f"{MATCHED}_match"].sel(where).to_numpy()
    best = np.where(np.isnan(values), -np.inf, values).argmax(0)[None]
    score = np.take_along_axis(values, best, 0)[0]
    matched = ~np.isnan(score)
    neuron = np.take_along_axis(others, best, 0)[0]
    return BestMatches(score, np.where(matched, best[0], np.nan), np.where(matched, neuron, np.nan))


def by_similarity(comparison: Comparison) -> list[tuple[Neuron, dict[str, Neuron]]]:
    """List all neurons with their best match in each other model.

    Returns
    -------
    list of tuple
        Neurons as (model, layer, index), with their matches by model. Of each layer in turn the
        neuron with the most similar match, then the second of each, and so on.
    """
    ranked: list[tuple[int, int, Neuron, dict[str, Neuron]]] = []
    places = [(each, layer) for each in comparison.models for layer in comparison.layers(each)]
    for place, (model, layer) in enumerate(places):
        found = {
            other: best_matches(comparison, model, layer, other)
            for other in comparison.models
            if other != model
        }
        best = np.fmax.reduce([each.score for each in found.values()])
        order = np.argsort(-best, kind="stable")  # NaN last
        for rank, neuron in enumerate(order[: np.count_nonzero(~np.isnan(best))].tolist()):
            matches = {
                other: (other, comparison.layers(other)[int(each.layer[neuron])], match)
                for other, each in found.items()
                if not np.isnan(each.score[neuron])
                for match in [int(each.neuron[neuron])]
            }
            ranked.append((rank, place, (model, layer, neuron), matches))
    ranked.sort(key=lambda each: each[:2])
    return [(neuron, matches) for _, _, neuron, matches in ranked]


def _in_model(comparison: Comparison, model: str, layer: str, other: str) -> pd.DataFrame:
    """Keep, of each neuron, the row of the layer of another model with its best match."""
    layers = comparison.layers(other)
    tables = [neuron_tables.neurons(comparison, model, layer, other, each) for each in layers]
    scores = pd.DataFrame({each: t[MATCHED] for each, t in zip(layers, tables, strict=True)})
    best = scores.fillna(-np.inf).to_numpy().argmax(1)
    rows = [tables[place].loc[[neuron]] for place, neuron in zip(best, scores.index, strict=True)]
    if not rows:
        return tables[0].assign(layer_col="", model_col=other)
    found = pd.concat(rows)
    found.insert(0, "layer_col", [layers[place] for place in best])
    return pd.DataFrame(found.assign(model_col=other))
