"""Replicates, shifts and halves of the pass over frames are what their definitions say."""

import itertools
from dataclasses import replace

import numpy as np
import oracles
import pytest
import xarray as xr
from material import make_layers
from scipy import stats

from assonance import AssonanceError, similarity_matrix
from assonance.inference.intervals import (
    BootstrapEstimate,
    bootstrap,
    intervals,
    jackknife,
    rank_p_value,
)
from assonance.inference.resampling import assign_groups, replicate_weights
from assonance.measures import MEASURES
from assonance.scoring.scores import attributes
from assonance.settings import Settings

SETTINGS = Settings("few", sample_frames=400, folds=3, groups=6, shifts=2, rotations=2, refit=True)
SIZES = [17, 30, 22, 25, 40, 22, 16, 28, 35, 25]
GROUPS = np.repeat(range(len(SIZES)), SIZES)
LAYERS = make_layers({"a": 5, "b": 4, "c": 6}, sum(SIZES))
PARTS, FOLD_OF_PART = assign_groups(SIZES, range(len(SIZES)), folds=3, groups=6, seed=0)
FOLDS = FOLD_OF_PART[PARTS]
WEIGHTS = replicate_weights(FOLD_OF_PART.tolist(), 40, 0)
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
    folds = FOLDS[GROUPS]
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


DRAWN = replace(SETTINGS, bootstrap=40)


@pytest.fixture(scope="module")
def drawn():
    names = [*REPLICATED, "linreg_heldout", "cka_utterance", "cka_debiased"]
    return similarity_matrix(LAYERS, names, groups=GROUPS, settings=DRAWN, intervals=True)


@pytest.mark.parametrize(
    "measure", [name for name in REPLICATED if MEASURES[name].needs != "norms"]
)
def test_a_draw_is_the_score_of_the_groups_as_often_as_they_were_drawn(drawn, measure):
    assert drawn.sizes["draw"] == 40
    for draw in (0, 7):
        rows = np.repeat(np.arange(len(GROUPS)), WEIGHTS[draw][PARTS[GROUPS]])
        layers = {name: values[rows] for name, values in LAYERS.items()}
        expected = similarity_matrix(layers, [measure], groups=GROUPS[rows], settings=SETTINGS)
        found = drawn[f"{measure}_replicates"].sel(draw=draw)
        np.testing.assert_allclose(found, expected[measure], rtol=0, atol=1e-9)


def test_no_utterance_is_in_two_folds_of_a_draw(drawn):
    folds = FOLDS[GROUPS]
    for draw in (0, 7):
        rows = np.repeat(np.arange(len(GROUPS)), WEIGHTS[draw][PARTS[GROUPS]])
        expected = oracles.linreg_heldout(LAYERS["a"][rows], LAYERS["b"][rows], folds[rows])
        found = drawn["linreg_heldout_replicates"].sel(layer_row="a", layer_col="b", draw=draw)
        assert float(found) == pytest.approx(np.mean(expected), abs=1e-9)


def test_frames_drawn_twice_are_no_different_frames(drawn):
    assert "cka_debiased_interval" not in drawn
    assert "cka_utterance_interval" in drawn


def test_measures_without_an_honest_interval_have_none(found):
    names = {str(name) for name in found.data_vars}
    assert {"svcca", "cka_rbf"} <= names
    assert not {"svcca_interval", "cka_rbf_interval", "svcca_replicates"} & names
    assert "maxcorr_interval" in names


def turned(shift):
    """The frames in the order of those they are paired with."""
    folds = FOLDS
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
    with pytest.raises(AssonanceError, match="intervals and shifts need groups=: "):
        similarity_matrix(LAYERS, ["cka"], intervals=True)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(3, 2, 25)
    left = (values.sum() - values) / 24
    found = jackknife(values.mean(), left)
    assert found.estimate == pytest.approx(values.mean(), abs=1e-12)
    assert found.error == pytest.approx(values.std(ddof=1) / 5, abs=1e-12)
    # Student's t, with fewer degrees of freedom the heavier the tails of the deviations are.
    deviations = values - values.mean()
    effective = 2 * np.sum(deviations**2) ** 2 / np.sum(deviations**4) - 1
    low, high = found.interval
    expected = stats.t.ppf(0.975, min(effective, 24)) * found.error
    assert high - found.estimate == pytest.approx(expected, rel=1e-9)
    assert found.estimate - low == pytest.approx(high - found.estimate)


def test_the_jackknife_takes_the_bias_of_a_variance_away():
    values = np.random.default_rng(1).normal(size=12)
    left = np.array([np.delete(values, k).var() for k in range(12)])
    assert jackknife(values.var(), left).estimate == pytest.approx(values.var(ddof=1), abs=1e-12)


def test_fewer_than_two_groups_say_nothing():
    found = jackknife(np.array([0.5]), np.array([[0.4]]))
    assert np.isnan([found.estimate, *found.interval, found.error, found.p]).all()


def every_draw(score, values):
    """Score all that can be drawn: one value fewer than there are, with replacement."""
    rows = itertools.product(range(len(values)), repeat=len(values) - 1)
    return np.array([score(values[list(row)]) for row in rows])


def test_the_bootstrap_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(3, 2, 5)
    found = bootstrap(values.mean(), every_draw(np.mean, values))
    assert found.estimate == pytest.approx(values.mean(), abs=1e-12)
    drawn = len(values) ** (len(values) - 1)
    expected = values.std(ddof=1) / np.sqrt(5) * np.sqrt(drawn / (drawn - 1))
    assert found.error == pytest.approx(expected, abs=1e-12)


def test_the_bootstrap_takes_the_bias_of_a_variance_away():
    values = np.random.default_rng(1).normal(size=5)
    found = bootstrap(values.var(), every_draw(np.var, values))
    assert found.estimate == pytest.approx(values.var(ddof=1), abs=1e-12)


def test_the_interval_of_a_bootstrap_turns_the_draws_round():
    draws = np.random.default_rng(2).exponential(size=199)
    found = bootstrap(np.array(0.8), draws)
    low, high = found.interval
    # 2.5 % of 200 are the fifth from either end.
    assert low == pytest.approx(1.6 - np.sort(draws)[-5])
    assert high == pytest.approx(1.6 - np.sort(draws)[4])


@pytest.mark.parametrize("whole", np.linspace(-1, 1, 9))
def test_p_of_a_bootstrap_is_below_a_fortieth_where_the_interval_is_above_nothing(whole):
    draws = whole + np.random.default_rng(3).normal(0.1, 0.4, 199)
    found = bootstrap(np.array(whole), draws)
    assert (found.p <= 0.025) == (found.interval[0] > 0)
    assert found.p == (1 + (draws >= 2 * whole).sum()) / 200


def test_draws_are_widened_by_what_else_is_uncertain():
    rng = np.random.default_rng(4)
    found = BootstrapEstimate(np.array(0.3), rng.normal(0, 0.3, 4000))
    wider = found.add_variance(np.array(0.16), 200)
    assert wider.error == pytest.approx(0.5, rel=0.05)
    low, high = wider.interval
    assert (low, high) == pytest.approx((0.3 - 0.98, 0.3 + 0.98), abs=0.06)


def test_intervals_leave_other_repetitions_alone(found):
    scores = found[["maxcorr"]]
    replicates = found[["maxcorr_replicates"]].rename(maxcorr_replicates="maxcorr")
    draws = found["maxcorr_shifted"].rename(shift="rotation")
    made = intervals(scores, replicates.assign(maxcorr_draws=draws))
    assert set(made.data_vars) == {"maxcorr"}
    np.testing.assert_array_equal(made["maxcorr"], found["maxcorr_interval"])


def test_the_score_is_counted_among_the_null_values():
    nulls = np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.1, np.nan, 0.3]])
    p = rank_p_value(np.array([0.4, 0.2, 0.4]), nulls)
    np.testing.assert_array_equal(p, [0.25, 0.75, np.nan])


def test_no_interval_goes_beyond_the_range_of_its_measure():
    about = {"range": [0.0, 1.0]}
    scores = xr.Dataset({"high": ("layer_row", [0.99], about), "free": ("layer_row", [0.99])})
    left = xr.Dataset(
        {name: (("layer_row", "group"), [[0.9, 1.0, 0.97, 1.0]]) for name in ("high", "free")}
    )
    made = intervals(scores, left)
    assert made["free"].sel(statistic="high") > 1
    assert made["high"].sel(statistic="high") == 1
    np.testing.assert_array_equal(
        made["high"].sel(statistic="low"), made["free"].sel(statistic="low")
    )


UNIT = {"range": [0.0, 1.0], "scale": "artanh"}
LEFT = np.array([[0.62, 0.7, 0.58, 0.66, 0.71], [0.97, 1.0, 0.99, 0.98, 0.99]])


@pytest.mark.parametrize(("dim", "method"), [("group", jackknife), ("draw", bootstrap)])
def test_intervals_are_made_on_the_scale_of_artanh_and_brought_back(dim, method):
    scores = xr.Dataset({"score": ("layer_row", [0.65, 0.99], UNIT)})
    made = intervals(scores, xr.Dataset({"score": (("layer_row", dim), LEFT)}))["score"]
    found = method(np.arctanh(0.65), np.arctanh(LEFT[0]))
    np.testing.assert_allclose(made[0], np.tanh([found.estimate, *found.interval]), atol=1e-12)
    # Where a replicate is at the end of the range there is no such scale.
    plain = method(np.array(0.99), LEFT[1])
    np.testing.assert_allclose(
        made[1], np.clip([plain.estimate, *plain.interval], 0, 1), atol=1e-12
    )


def test_a_score_at_the_end_of_its_range_is_certain():
    scores = xr.Dataset({"score": ("layer_row", [1 - 1e-16], UNIT)})
    left = xr.Dataset({"score": (("layer_row", "group"), [[1, 1 - 2e-16, 1 - 1e-16]])})
    np.testing.assert_allclose(intervals(scores, left)["score"], 1, atol=1e-12)


@pytest.mark.parametrize("name", ["linreg_heldout", "linreg_heldout_r", "cka_utterance"])
def test_intervals_of_held_out_and_unbounded_scores_are_plain(name):
    scores = xr.Dataset({"score": ("layer_row", [0.65], attributes(MEASURES[name]))})
    made = intervals(scores, xr.Dataset({"score": (("layer_row", "group"), LEFT[:1])}))["score"]
    plain = jackknife(np.array(0.65), LEFT[0])
    np.testing.assert_allclose(made[0], [plain.estimate, *plain.interval], atol=1e-12)


def test_intervals_say_what_made_them():
    scores = xr.Dataset({"score": ("layer_row", [0.65])})
    said = {
        dim: intervals(scores, xr.Dataset({"score": (("layer_row", dim), LEFT[:1])})).method
        for dim in ("group", "draw")
    }
    assert said == {
        "group": "a jackknife over 5 groups of utterances",
        "draw": "a bootstrap of 5 draws of groups of utterances",
    }


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
