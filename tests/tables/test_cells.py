"""Cells are read by their labels; what is undefined or not asked for is NaN."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from comparisons import comparison

from assonance.errors import AssonanceError
from assonance.inference.intervals import STATISTICS, bootstrap, jackknife
from assonance.tables import cells
from assonance.tables import matches as match_tables


@pytest.fixture(scope="module")
def found():
    return comparison()


def test_estimates_are_scores_where_there_is_no_interval(found):
    assert cells.estimates(found, "svcca").equals(found.scores["svcca"])
    cka = found.intervals["cka"].sel(statistic="estimate")
    np.testing.assert_array_equal(cells.estimates(found, "cka"), cka)
    assert list(cka["statistic"].values.ravel()) == [STATISTICS[0]]


def test_cells_are_read_by_label_and_further_dimensions_follow():
    array = xr.DataArray(
        np.arange(12.0).reshape(2, 3, 2),
        dims=("model_row", "group", "layer_row"),
        coords={"model_row": ["a", "b"], "layer_row": ["x", "y"]},
    )
    at = {"model_row": ["b", None, "a"], "layer_row": ["x", "x", "y"]}
    np.testing.assert_array_equal(cells.read(array, at), [[6, 8, 10], [np.nan] * 3, [1, 3, 5]])
    nothing = cells.read(array, {"model_row": [None], "layer_row": ["x"]})
    assert np.isnan(nothing).all()
    assert nothing.shape == (1, 3)


def test_a_table_has_all_combinations_of_its_labels(found):
    index, columns = (
        pd.MultiIndex.from_tuples(labels, names=("model", "layer"))
        for labels in (
            [("hubert-a", "encoder.4"), ("hubert-a", "encoder.0")],
            [("wav2vec2-b", "encoder.1"), ("hubert-a", "encoder.2")],
        )
    )
    table = cells.table(found.scores["cka"], index, columns)
    for (row, layer_row), (col, layer_col) in [(a, b) for a in index for b in columns]:
        score = found.matrix("cka", row, col).sel(layer_row=layer_row, layer_col=layer_col)
        assert table.loc[(row, layer_row), (col, layer_col)] == score


def test_scores_at_best_matches_are_those_of_the_matched_layers(found):
    best = match_tables.best_matches(found, "attn_js")
    read = cells.at_best_matches(found.replicates["attn_js"], best)
    assert read.shape == (len(best), found.replicates.sizes["group"])
    assert np.isnan(read[best["layer_col"].isna()]).all()
    for place, ((row, col, layer), each) in enumerate(best.iterrows()):
        if pd.notna(each["layer_col"]):
            at = {"model_row": row, "model_col": col, "layer_row": layer}
            expected = found.replicates["attn_js"].sel(at | {"layer_col": each["layer_col"]})
            np.testing.assert_array_equal(read[place], expected)


def test_bounds_are_the_ends_of_the_intervals(found):
    assert cells.bounds(found, "svcca") == {}
    assert list(cells.bounds(found, "cka")) == ["low", "high"]
    for bound, ends in cells.bounds(found, "cka").items():
        np.testing.assert_array_equal(ends, found.intervals["cka"].sel(statistic=bound))


def test_the_method_follows_from_the_dimension_of_the_replicates(found):
    replicates = found.replicates["cka"]
    assert cells.method_of(replicates) is jackknife
    assert cells.method_of(replicates.rename(group="draw")) is bootstrap


def test_the_highest_score_of_a_row_is_of_those_that_are_defined():
    scores = np.array([[0.1, np.nan, 0.3], [np.nan] * 3])
    np.testing.assert_array_equal(cells.highest(scores), [0.3, np.nan])
    assert np.isnan(cells.highest(np.empty((1, 0)))).all()


def test_best_scores_are_the_highest_in_the_other_model(found):
    layers = pd.Index([("hubert-a", "encoder.1"), ("wav2vec2-b", "encoder.2")])
    best = cells.best_scores(found.scores["cka"], layers, ["wav2vec2-b", None])
    expected = found.matrix("cka", "hubert-a", "wav2vec2-b").sel(layer_row="encoder.1").max()
    np.testing.assert_array_equal(best, [expected, np.nan])


def test_held_out_measures_pick_the_best_matching_layer_if_computed(found):
    assert cells.predicting_measure(found) == "linreg_heldout"
    assert cells.predicting_measure(comparison(measures=("cka", "linreg"))) == "linreg"
    assert cells.predicting_measure(comparison(measures=("svcca",))) is None


def test_depth_goes_from_0_to_1():
    assert [cells.depth(layer, 5) for layer in range(5)] == [0, 0.25, 0.5, 0.75, 1]
    assert cells.depth(0, 1) == 0


def test_measures_that_were_not_computed_are_refused(found):
    assert "localisation" not in cells.measures(found)
    assert "mincorr" not in cells.measures(found)
    with pytest.raises(AssonanceError, match="mincorr: was not computed for pairs of layers"):
        cells.of_layers(found, "mincorr")


def test_a_layer_that_was_not_compared_stands_for_the_nearest_that_was(found):
    model = found.models[0]
    labels = found.layers(model)
    some = found.scores["cka"].where(found.scores["layer_col"].isin([labels[0], labels[-1]]))
    near = cells.nearest_scored(found, some, "col", model)
    half = (len(labels) + 1) // 2
    assert near == {
        label: labels[0] if place < half else labels[-1] for place, label in enumerate(labels)
    }
    assert cells.nearest_scored(found, some.where(False), "col", model) == {}
