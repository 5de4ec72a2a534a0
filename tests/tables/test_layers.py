"""Matrices and consensus scores are read off the right cells."""

import numpy as np
import pytest
from comparisons import comparison

from assonance.errors import AssonanceError
from assonance.tables import layers as layer_tables


def test_a_matrix_can_hold_an_end_of_the_intervals():
    found = comparison(measures=("cka",))
    table = layer_tables.matrix(found, "cka", statistic="low")
    for row in found.models:
        low = found.intervals["cka"].sel(statistic="low", model_row=row, model_col=row)
        layers = list(found.layers(row))
        expected = low.sel(layer_row=layers, layer_col=layers)
        np.testing.assert_array_equal(table.loc[row, row], expected)


def test_a_layer_has_its_consensus_score_and_that_of_its_twin():
    found = comparison(measures=("mincorr",), uncertainty=False)
    table = layer_tables.consensus(found)
    assert list(table) == ["depth_row", "value", "estimate", "floor"]
    for (model, layer), each in table.iterrows():
        scores = found.scores["mincorr"].sel(layer_row=layer)
        assert each["value"] == each["estimate"] == scores.sel(model_row=model)
        assert each["floor"] == scores.sel(model_row=found.twin(model))


def test_a_consensus_that_was_not_computed_is_refused():
    with pytest.raises(AssonanceError, match="compare with mincorr"):
        layer_tables.consensus(comparison(measures=("cka",)))
