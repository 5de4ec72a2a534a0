"""Replicates, shifts and halves of the pass over frames are what their definitions say."""

import numpy as np
import pytest
import xarray as xr
from material import make_layers

from assonance import AssonanceError, similarity_matrix
from assonance.inference import counting_p, intervals, jackknife
from assonance.measures import MEASURES, Settings
from assonance.statistics import assign_folds, assign_parts

SETTINGS = Settings("few", sample_frames=400, folds=3, groups=6, shifts=2, rotations=2)
SIZES = [17, 30, 22, 25, 40, 22, 16, 28, 35, 25]
GROUPS = np.repeat(range(len(SIZES)), SIZES)
LAYERS = make_layers({"a": 5, "b": 4, "c": 6}, sum(SIZES))
PARTS, FOLD_OF_PART = assign_parts(SIZES, range(len(SIZES)), folds=3, parts=6, seed=0)
# Held-out measures have folds of their own where an utterance is missing.
REPLICATED = [
    name
    for name, each in MEASURES.items()
    if each.level != "head" and each.interval and each.needs not in ("folds", "blocks")
]
SHIFTED = ["maxcorr", "maxcorr_rotated", "linreg", "svcca", "cka", "cka_rbf", "mutual_knn", "rsa"]


@pytest.fixture(scope="module")
def found():
    held_out = ["linreg_heldout", "linreg_heldout_r"]
    names = [*dict.fromkeys([*REPLICATED, *SHIFTED, *held_out, "cka_utterance"])]
    return similarity_matrix(
        LAYERS, names, groups=GROUPS, settings=SETTINGS, intervals=True, shifts=True
    )


@pytest.mark.parametrize("measure", REPLICATED)
def test_a_replicate_is_the_score_of_the_other_groups(found, measure):
    assert found.sizes["group"] == 6
    for part in (0, 4):
        rest = PARTS[GROUPS] != part
        layers = {name: values[rest] for name, values in LAYERS.items()}
        expected = similarity_matrix(layers, [measure], groups=GROUPS[rest], settings=SETTINGS)
        without = found[f"{measure}_replicates"].sel(group=part)
        np.testing.assert_allclose(without, expected[measure], rtol=0, atol=1e-9)


def test_replicates_of_distinct_utterances_are_near_those_about_their_own_mean(found):
    for part in range(6):
        rest = PARTS[GROUPS] != part
        layers = {name: values[rest] for name, values in LAYERS.items()}
        expected = similarity_matrix(
            layers, ["cka_utterance"], groups=GROUPS[rest], settings=SETTINGS
        )["cka_utterance"]
        without = found["cka_utterance_replicates"].sel(group=part)
        moved = np.abs(without - found["cka_utterance"]).max()
        assert np.abs(without - expected).max() < 0.1 * moved


def test_replicates_of_held_out_scores_keep_the_folds(found):
    folds = assign_folds(SIZES, 3, 0)[GROUPS]
    part = 3
    rest = PARTS[GROUPS] != part
    x, y, folds = LAYERS["a"][rest], LAYERS["b"][rest], folds[rest]
    errors = variance = 0
    for fold in range(3):
        train, test = folds != fold, folds == fold
        mean = x[train].mean(0), y[train].mean(0)
        slopes = np.linalg.lstsq(y[train] - mean[1], x[train] - mean[0], rcond=None)[0]
        errors = errors + ((x[test] - mean[0] - (y[test] - mean[1]) @ slopes) ** 2).sum(0)
        variance = variance + ((x[test] - mean[0]) ** 2).sum(0)
    without = found["linreg_heldout_replicates"].sel(layer_row="a", layer_col="b", group=part)
    assert float(without) == pytest.approx((1 - errors / variance).mean(), abs=1e-9)


def test_measures_without_an_honest_interval_have_none(found):
    names = {str(name) for name in found.data_vars}
    assert {"svcca", "cka_rbf"} <= names
    assert not {"svcca_interval", "cka_rbf_interval", "svcca_replicates"} & names
    assert "maxcorr_interval" in names


def turned(shift):
    """The frames in the order of those they are paired with."""
    folds = assign_folds(SIZES, 3, 0)
    order = np.empty(len(GROUPS), dtype=int)
    for fold in range(3):
        own = np.flatnonzero(folds == fold)
        first = min(max(1, round((shift + 1) / 3 * len(own))), len(own) - 1)
        here, there = (
            np.concatenate([np.flatnonzero(u == GROUPS) for u in each])
            for each in (own, np.roll(own, -first))
        )
        order[here] = there
    return order


@pytest.mark.parametrize("measure", ["maxcorr", "linreg", "cka", "svcca"])
@pytest.mark.parametrize("shift", [0, 1])
def test_shifted_speech_is_that_of_other_utterances_of_the_fold(found, measure, shift):
    order = turned(shift)
    assert (GROUPS[order] != GROUPS).mean() > 0.6
    expected = similarity_matrix(
        {"a": LAYERS["a"], "b": LAYERS["b"][order]}, [measure], groups=GROUPS, settings=SETTINGS
    )[measure]
    cell = {"layer_row": "a", "layer_col": "b"}
    shifted = found[f"{measure}_shifted"].sel(shift=shift)
    # Products of a null are made in float32.
    assert float(shifted.sel(cell)) == pytest.approx(float(expected.sel(cell)), abs=1e-5)
    assert np.isnan(shifted.sel(layer_row="a", layer_col="a"))


@pytest.mark.parametrize("measure", ["cka_rbf", "mutual_knn", "rsa"])
def test_sampled_frames_are_turned_round(found, measure):
    count = len(GROUPS)
    expected = similarity_matrix(
        {"a": LAYERS["a"], "b": np.roll(LAYERS["b"], -round(count / 3), 0)},
        [measure],
        settings=SETTINGS,
    )[measure]
    cell = {"layer_row": "a", "layer_col": "b"}
    shifted = found[f"{measure}_shifted"].sel(shift=0)
    assert float(shifted.sel(cell)) == pytest.approx(float(expected.sel(cell)), abs=1e-9)


def test_uncertainty_asks_for_groups():
    with pytest.raises(AssonanceError, match="give groups="):
        similarity_matrix(LAYERS, ["cka"], intervals=True)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(3, 2, 25)
    left = (values.sum() - values) / 24
    found = jackknife(values.mean(), left)
    assert found.estimate == pytest.approx(values.mean(), abs=1e-12)
    assert found.error == pytest.approx(values.std(ddof=1) / 5, abs=1e-12)
    # Student's t of 24 degrees of freedom, from a table.
    assert found.high - found.estimate == pytest.approx(2.0639 * found.error, rel=1e-4)
    assert found.estimate - found.low == pytest.approx(found.high - found.estimate)


def test_the_jackknife_takes_the_bias_of_a_variance_away():
    values = np.random.default_rng(1).normal(size=12)
    left = np.array([np.delete(values, k).var() for k in range(12)])
    assert jackknife(values.var(), left).estimate == pytest.approx(values.var(ddof=1), abs=1e-12)


def test_fewer_than_two_groups_say_nothing():
    found = jackknife(np.array([0.5]), np.array([[0.4]]))
    assert np.isnan([found.estimate, found.low, found.high, found.error]).all()


def test_intervals_leave_other_repetitions_alone(found):
    scores = found[["maxcorr"]]
    replicates = found[["maxcorr_replicates"]].rename(maxcorr_replicates="maxcorr")
    draws = found["maxcorr_shifted"].rename(shift="rotation")
    made = intervals(scores, replicates.assign(maxcorr_draws=draws))
    assert set(made.data_vars) == {"maxcorr"}
    np.testing.assert_array_equal(made["maxcorr"], found["maxcorr_interval"])


def test_the_score_is_counted_among_the_null_values():
    nulls = np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.1, np.nan, 0.3]])
    p = counting_p(np.array([0.4, 0.2, 0.4]), nulls)
    np.testing.assert_array_equal(p, [0.25, 0.75, np.nan])


def test_no_interval_goes_beyond_the_range_of_its_measure():
    attributes = {"range": [0.0, 1.0]}
    scores = xr.Dataset({"high": ("layer_row", [0.99], attributes), "free": ("layer_row", [0.99])})
    left = xr.Dataset(
        {name: (("layer_row", "group"), [[0.9, 1.0, 0.97, 1.0]]) for name in ("high", "free")}
    )
    made = intervals(scores, left)
    assert made["free"].sel(statistic="high") > 1
    assert made["high"].sel(statistic="high") == 1
    np.testing.assert_array_equal(
        made["high"].sel(statistic="low"), made["free"].sel(statistic="low")
    )


@pytest.mark.parametrize(("utterances", "expected"), [(10, 2), (12, 3), (40, 7), (3, 7)])
def test_shifts_are_no_more_than_there_are_places(utterances, expected):
    groups = np.repeat(range(utterances), 20)
    layers = make_layers({"a": 4, "b": 4}, len(groups))
    settings = Settings("many shifts", folds=3, shifts=7)
    # A held-out measure has speech parted into folds of utterances that are all of one length.
    found = similarity_matrix(
        layers, ["cka", "linreg_heldout"], groups=groups, settings=settings, shifts=True
    )
    nulls = found["cka_shifted"].sel(layer_row="a", layer_col="b").values
    assert len(set(nulls.tolist())) == len(nulls) == expected
