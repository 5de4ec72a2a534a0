"""The scatter of neurons draws what its table holds."""

import numpy as np
import pytest
from comparisons import comparison
from drawn import lines

from assonance.errors import AssonanceError
from assonance.plots import neurons as neuron_plots
from assonance.tables import matches as match_tables
from assonance.tables import neurons as neuron_tables


def test_neurons_show_their_table(found):
    pair = match_tables.best_pair(found)
    table, drawn = neuron_tables.neurons(found, *pair), lines(neuron_plots.neurons(found, *pair))
    np.testing.assert_array_equal(drawn[0, "a neuron and its best match"], table["maxcorr"])
    np.testing.assert_array_equal(
        drawn[0, "floor: randomly rotated neurons"], table["maxcorr_rotated"]
    )


def test_neurons_without_scores_are_refused():
    found = comparison(measures=("cka",))
    with pytest.raises(AssonanceError, match="maxcorr"):
        neuron_plots.neurons(found, "hubert-a", "encoder.0", "wav2vec2-b", "encoder.0")
