"""The best layer of each other model is read off the right cells, with its floor."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from comparisons import comparison

from assonance.comparison.result import CELL
from assonance.tables import cells
from assonance.tables import matches as match_tables


@pytest.fixture(scope="module")
def found():
    return comparison()


def test_the_best_layer_is_the_highest_of_the_other_model(found):
    table = match_tables.best_layers(found, "cka")
    for (row, col, layer), best in table.iterrows():
        scores = found.matrix("cka", row, col).sel(layer_row=layer)
        assert best["value"] == scores.max()
        assert best["layer_col"] == scores["layer_col"][int(scores.argmax("layer_col"))]
        floor = cells.estimates(found, "cka").sel(
            model_row=row, model_col=found.twin(col), layer_row=layer
        )
        assert best["floor"] == floor.max()
    assert table.loc[("hubert-a", "wav2vec2-b"), "depth_row"].tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_the_floor_of_maxcorr_is_the_rotated_score_of_the_same_layers(found):
    table = match_tables.best_layers(found, "maxcorr")
    for (row, col, layer), best in table.iterrows():
        rotated = cells.estimates(found, "maxcorr_rotated").sel(model_row=row, model_col=col)
        assert best["floor"] == rotated.sel(layer_row=layer, layer_col=best["layer_col"])


def test_a_layer_without_scores_has_no_best_layer(found):
    first = match_tables.best_layers(found, "attn_js").loc[("hubert-a", "wav2vec2-b", "encoder.0")]
    assert pd.isna(first["layer_col"])
    assert np.isnan(first["value"])


def test_the_best_pair_is_of_two_models(found):
    row, layer_row, col, layer_col = match_tables.best_pair(found)
    assert {row, col} == set(found.models)
    best = match_tables.best_layers(found, "linreg_heldout")["value"].max()
    score = found.matrix("linreg_heldout", row, col).sel(layer_row=layer_row, layer_col=layer_col)
    assert score == best


def test_the_best_pair_is_of_models_trained_apart_where_there_are_any():
    made = comparison(("a", "a 2", "b"), (3, 3, 3))
    records = [
        replace(each, seed_of="a" if each.name == "a 2" else None)
        for each in made.provenance.models
    ]
    scores = made.scores["linreg_heldout"]
    scores.loc[{"model_row": ["a", "a 2"], "model_col": ["a", "a 2"]}] = 0.99
    made = replace(made, provenance=replace(made.provenance, models=tuple(records)))
    row, layer_row, col, layer_col = match_tables.best_pair(made)
    assert "b" in (row, col)
    pairs = [("a", "b"), ("b", "a"), ("a 2", "b"), ("b", "a 2")]
    apart = [made.matrix("linreg_heldout", *pair) for pair in pairs]
    score = made.matrix("linreg_heldout", row, col).sel(layer_row=layer_row, layer_col=layer_col)
    assert score == max(each.max() for each in apart)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_mean_over_layers_and_its_interval_are_within_the_range_of_its_measure(found, sign):
    names = [name for name, each in found.replicates.items() if each.dims[:-1] == CELL]
    assert {"linreg_heldout", "maxcorr", "attn_js", "cka"} <= set(names)
    # Wild replicates, as of little speech: estimates are far above, or far below, the scores.
    wild = found.replicates + sign * xr.DataArray(np.linspace(0, 1, 10), dims="group")
    made = replace(found, replicates=wild)
    for name in names:
        best = match_tables.best_matches(made, name)
        estimate, low, high = match_tables.mean_over_layers(made, name, best)
        lowest, highest = made.scores[name].attrs.get("range", (-np.inf, np.inf))
        assert lowest <= low <= estimate <= high <= highest, name
        assert estimate == (highest if sign < 0 else lowest) or np.inf in (highest, -lowest), name
