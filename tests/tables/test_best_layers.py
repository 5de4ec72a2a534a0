"""A best layer is a set wherever others are not significantly behind it."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from comparisons import comparison

from assonance.comparison.result import CELL, Comparison
from assonance.errors import AssonanceError
from assonance.inference.intervals import jackknife
from assonance.tables.best_layers import LEVEL, behind_best, best_sets

GROUPS = 8


def measured(means, spread=0.05, seed=0, layers=4) -> Comparison:
    """Scores of b's layers that are means over groups, so that the jackknife is exact."""
    rng = np.random.default_rng(seed)
    found = comparison(("a", "b"), (layers, layers), ("cka",), twins=False)
    groups = rng.normal(0, spread, (GROUPS, layers, layers)) + np.asarray(means)
    replicates = found.replicates["cka"].isel(group=slice(GROUPS)).copy()
    cell = {"model_row": "a", "model_col": "b"}
    found.scores["cka"].loc[cell] = groups.mean(0)
    left = (groups.sum(0) - groups) / (GROUPS - 1)
    replicates.loc[cell] = np.moveaxis(left, 0, -1)
    return replace(found, replicates=xr.Dataset({"cka": replicates}))


def test_the_difference_from_the_best_is_tested_as_a_paired_t_test():
    found = measured([0.5, 0.5, 0.45, 0.3])
    table = behind_best(found, "cka").loc["a", "b", "encoder.1"]
    scores = found.matrix("cka", "a", "b").sel(layer_row="encoder.1").to_numpy()
    best = scores.argmax()
    replicates = (
        found.replicates["cka"].sel(model_row="a", model_col="b", layer_row="encoder.1").to_numpy()
    )
    for k, (_, row) in enumerate(table.iterrows()):
        expected = jackknife(scores[best] - scores[k], replicates[best] - replicates[k])
        assert row["behind"] == pytest.approx(float(expected.estimate), abs=1e-12)
        if k != best:
            assert row["p"] == pytest.approx(min(3 * float(expected.p), 1))
            assert row["among_best"] == (row["p"] > LEVEL)
        else:
            assert row["best"]
            assert row["among_best"]


def test_layers_that_differ_clearly_leave_one_best():
    sets = best_sets(measured([0.3, 0.5, 0.7, 0.4], spread=0.001), "cka").loc["a", "b"]
    assert sets["layers"].tolist() == [("encoder.2",)] * 4
    assert sets["best"].tolist() == ["encoder.2"] * 4
    assert sets["tested"].all()


def test_the_truly_best_layer_is_among_the_set_as_often_as_stated():
    """The second and third layer are best and equal: each must be in the set 95 times in 100."""
    kept = [
        "encoder.1" in layers
        for seed in range(60)
        for layers in best_sets(measured([0.45, 0.5, 0.5, 0.5], seed=seed), "cka").loc["a", "b"][
            "layers"
        ]
    ]
    # 240 sets: three standard errors of a share of .95 are .042.
    assert np.mean(kept) >= 0.95 - 0.042


def test_a_common_shift_of_all_layers_does_not_blur_the_best():
    """Speech that is easy for all layers moves all scores, not their differences."""
    found = comparison(("a", "b"), (3, 3), ("cka",), twins=False)
    assert (best_sets(found, "cka")["layers"].map(len) == 1).all()


def test_without_intervals_the_best_alone_is_named_and_said_to_be_untested():
    found = comparison(("a", "b"), (3, 3), ("cka",), twins=False, uncertainty=False)
    sets = best_sets(found, "cka")
    assert not sets["tested"].any()
    assert (sets["layers"].map(len) == 1).all()
    assert behind_best(found, "cka")["among_best"].isna().all()


def test_layers_without_a_score_are_left_out():
    found = comparison(("a", "b"), (3, 2), ("attn_js",), twins=False)
    table = behind_best(found, "attn_js")
    assert "encoder.0" not in table.index.get_level_values("layer_row")
    assert best_sets(found, "attn_js").loc[("a", "b", "encoder.1"), "best"] == "encoder.1"
    empty = comparison(("a", "b"), (2, 2), ("cka",), twins=False)
    empty.scores["cka"] = (CELL, np.full(empty.scores["cka"].shape, np.nan))
    assert best_sets(empty, "cka").empty


def test_one_model_or_an_unknown_measure_is_an_error_of_ours():
    with pytest.raises(AssonanceError, match="need two models"):
        best_sets(comparison(("a",), (3,), ("cka",)), "cka")
    with pytest.raises(AssonanceError, match="svcca: was not computed"):
        best_sets(comparison(("a", "b"), (2, 2), ("cka",)), "svcca")
