"""Find the best match of each neuron of a layer in each other model."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from assonance.comparison.lookup import find_layer, find_model
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
