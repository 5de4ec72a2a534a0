"""Each neuron is shown with its most similar neuron of each other model."""

import numpy as np
import pytest
from comparisons import comparison

from assonance.errors import AssonanceError
from assonance.tables.neuron_matches import by_similarity, neuron_matches


@pytest.fixture(scope="module")
def made():
    return comparison(("a", "b", "c"), (3, 4, 2), ("maxcorr", "linreg_heldout_r"))


def test_the_layer_and_neuron_are_those_of_the_highest_score(made):
    table = neuron_matches(made, "a", 1).table
    scores = made.neurons["maxcorr"].sel(model_row="a", layer_row="encoder.1")
    for (neuron, other), row in table.iterrows():
        own = scores.sel(model_col=other, layer_col=list(made.layers(other)))[:, neuron]
        best = int(np.argmax(own.to_numpy()))
        assert row["layer_col"] == made.layers(other)[best]
        assert row["maxcorr"] == own[best]
        match = made.neurons["maxcorr_match"].sel(model_row="a", layer_row="encoder.1")
        assert row["match"] == match.sel(model_col=other, layer_col=row["layer_col"])[neuron]


def test_the_first_neurons_have_the_highest_scores(made):
    found = neuron_matches(made, "a", 1)
    best = found.table["maxcorr"].groupby(level="neuron").max().sort_values(ascending=False)
    assert found.top(3).index.unique("neuron").tolist() == best.index[:3].tolist()
    assert len(found) == len(best)
    assert repr(found) == f"<{len(best)} neurons of a encoder.1>"
    assert "<table" in found._repr_html_()


@pytest.mark.parametrize("count", [0, -1, 2.5, True])
def test_a_count_is_a_whole_number(made, count):
    with pytest.raises(AssonanceError, match="count must be a whole number"):
        neuron_matches(made, "a", 1).top(count)


def test_one_model_alone_has_no_matches():
    with pytest.raises(AssonanceError, match="need two models"):
        neuron_matches(comparison(("a",), (3,), ("maxcorr",)), "a", 1)


def test_all_neurons_are_listed_layer_by_layer_those_with_similar_matches_first(made):
    found = by_similarity(made)
    layers = [(each, layer) for each in made.models for layer in made.layers(each)]
    assert [neuron[:2] for neuron, _ in found[: len(layers)]] == layers
    assert len({neuron for neuron, _ in found}) == len(found)
    table = neuron_matches(made, "a", 1).table
    of_layer = [each for each in found if each[0][:2] == ("a", "encoder.1")]
    best = table["maxcorr"].groupby(level="neuron").max().sort_values(ascending=False)
    assert [neuron for (*_, neuron), _ in of_layer] == best.index.tolist()
    for (_, _, neuron), matches in of_layer:
        for other, row in table.loc[neuron].iterrows():
            assert matches[other] == (other, row["layer_col"], row["match"])
