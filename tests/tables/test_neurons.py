"""Each neuron has its own numbers and intervals; constant ones are left out."""

import numpy as np
import pytest
from comparisons import comparison

from assonance.errors import AssonanceError
from assonance.tables import matches as match_tables
from assonance.tables import neurons as neuron_tables


@pytest.fixture(scope="module")
def found():
    return comparison()


def test_neurons_have_the_ends_of_their_intervals(found):
    table = neuron_tables.neurons(found, *match_tables.best_pair(found))
    for name in ("maxcorr", "maxcorr_rotated", "linreg_heldout_r"):
        np.testing.assert_allclose(table[f"{name}_low"], table[name] - 0.1, atol=1e-6)
        np.testing.assert_allclose(table[f"{name}_high"], table[name] + 0.2, atol=1e-6)
    plain = comparison(uncertainty=False)
    assert not [
        name
        for name in neuron_tables.neurons(plain, *match_tables.best_pair(plain))
        if "low" in name
    ]


def test_constant_neurons_are_left_out():
    found = comparison()
    found.neurons["maxcorr_match"][..., 3] = -1
    for name in ("maxcorr", "linreg_heldout_r", "maxcorr_rotated"):
        found.neurons[name][..., 3] = np.nan
    table = neuron_tables.neurons(found, *match_tables.best_pair(found))
    assert 3 not in table.index
    assert len(table) == 23


def test_unknown_layers_are_refused(found):
    with pytest.raises(AssonanceError, match="no such model or layer"):
        neuron_tables.neurons(found, "hubert-a", "encoder.9", "wav2vec2-b", "encoder.0")
