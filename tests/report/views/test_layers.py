"""The page opens on two layers that have something to show."""

import numpy as np
import pytest
from comparisons import comparison

from assonance.report.matches import Matches
from assonance.report.views.layers import places, start
from assonance.tables.matches import best_pair


def opened(found):
    """Model and layer of the row and of the column that the page opens on."""
    every = places(found)
    return tuple(every[k] for k in start(Matches(found)))


def test_it_opens_on_the_best_predicted_pair():
    found = comparison(measures=("linreg_heldout", "cka"))
    row, column = opened(found)
    assert (*row, *column) == best_pair(found)


@pytest.mark.parametrize("measure", ["cka", "attn_js"])
def test_without_a_prediction_it_opens_on_the_highest_score_of_two_models(measure):
    found = comparison(measures=(measure,))
    scores = found.scores[measure]
    # Feature encoders have no heads.
    first = scores["layer_row"].values[0]
    found.scores[measure] = scores.where(
        (scores["layer_row"] != first) & (scores["layer_col"] != first)
    )
    (model, layer), (other, match) = opened(found)
    assert model != other
    cell = {"model_row": model, "layer_row": layer, "model_col": other, "layer_col": match}
    same = found.scores["model_row"] == found.scores["model_col"]
    assert float(found.scores[measure].sel(cell)) == float(found.scores[measure].where(~same).max())


def test_a_single_model_opens_on_a_layer_that_has_scores():
    found = comparison(("hubert-a",), (3,), ("attn_js",), twins=False)
    scores = found.scores["attn_js"]
    first = scores["layer_row"].values[0]
    found.scores["attn_js"] = scores.where(scores["layer_row"] != first)
    (model, layer), (other, match) = opened(found)
    cell = {"model_row": model, "layer_row": layer, "model_col": other, "layer_col": match}
    assert np.isfinite(float(found.scores["attn_js"].sel(cell)))


def test_without_scores_it_opens_on_the_first_layer():
    assert start(Matches(comparison(measures=()))) == [0, 0]
