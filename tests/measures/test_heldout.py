"""Canonical correlation and ridge regression, in sample and held out, against definitions."""

from dataclasses import replace

import numpy as np
import oracles
import pytest
from material import make_folds, make_groups, make_layers
from sklearn.cross_decomposition import CCA
from sklearn.linear_model import Ridge

from assonance import AssonanceError, similarity, similarity_matrix
from assonance.settings import SETTINGS, find_settings

FRAMES = 200
GROUPS = make_groups(FRAMES)
CLOSE = {"rtol": 0, "atol": 1e-9}
MATERIAL = {
    "plain": {"widths": {"a": 7, "b": 12, "c": 9}},
    "large means": {"widths": {"a": 7, "b": 12, "c": 9}, "mean": 1e4, "seed": 1},
    "strongly correlated": {"widths": {"a": 20, "b": 15, "c": 5}, "signals": 2, "seed": 2},
    "hardly correlated": {"widths": {"a": 6, "b": 5, "c": 4}, "signals": 1, "seed": 3},
}
CUTS = {"default": "reach", "elkheir2024": "below"}


@pytest.fixture(scope="module", params=MATERIAL.values(), ids=MATERIAL)
def layers(request):
    return make_layers(frames=FRAMES, **request.param)


@pytest.fixture(scope="module", params=[*CUTS])
def settings(request):
    return request.param


def folds_of(settings):
    choices = find_settings(settings)
    return make_folds(GROUPS, choices.folds, choices.seed)


def pairs_of(layers):
    return [
        ({"layer_row": a, "layer_col": b}, layers[a], layers[b]) for a in layers for b in layers
    ]


@pytest.mark.parametrize("measure", ["cca_mean", "cca_r2"])
def test_canonical_correlations_of_all_directions_are_as_defined(measure, layers, settings):
    found = similarity_matrix(layers, [measure], settings=settings)[measure]
    for here, x, y in pairs_of(layers):
        expected = getattr(oracles, measure)(x, y)
        np.testing.assert_allclose(found.sel(here), expected, **CLOSE)


def test_canonical_correlation_is_that_of_scikit_learn():
    layers = make_layers({"a": 3, "b": 4}, frames=FRAMES)
    u, v = CCA(3, max_iter=10_000, tol=1e-14).fit_transform(layers["a"], layers["b"])
    expected = np.array([np.corrcoef(u[:, i], v[:, i])[0, 1] for i in range(3)])
    found = similarity(layers["a"], layers["b"], "cca_mean")
    np.testing.assert_allclose(found, expected.mean(), rtol=0, atol=1e-6)
    found = similarity(layers["a"], layers["b"], "cca_r2")
    np.testing.assert_allclose(found, (expected**2).mean(), rtol=0, atol=1e-6)


def test_both_ways_of_pwcca_are_averaged(layers, settings):
    found = similarity_matrix(layers, ["pwcca_mean"], settings=settings)["pwcca_mean"]
    for here, x, y in pairs_of(layers):
        expected = oracles.pwcca_mean(x, y, 0.99, CUTS[settings])
        np.testing.assert_allclose(found.sel(here), expected, **CLOSE)


def test_held_out_canonical_correlations_are_those_of_frames_never_seen(layers, settings):
    found = similarity_matrix(layers, ["cca_heldout"], groups=GROUPS, settings=settings)
    for here, x, y in pairs_of(layers):
        expected = oracles.cca_heldout(x, y, folds_of(settings), 0.99, CUTS[settings])
        np.testing.assert_allclose(found["cca_heldout"].sel(here), expected, **CLOSE)


def test_held_out_matches_are_those_that_other_folds_chose(layers, settings):
    found = similarity_matrix(
        layers, ["maxcorr_heldout"], groups=GROUPS, settings=settings, per_neuron=True
    )
    for here, x, y in pairs_of(layers):
        expected = oracles.maxcorr_heldout(x, y, folds_of(settings))
        neurons = found["maxcorr_heldout_by_neuron"].sel(here)[: len(expected)]
        np.testing.assert_allclose(neurons, expected, **CLOSE)
        np.testing.assert_allclose(found["maxcorr_heldout"].sel(here), expected.mean(), **CLOSE)


def test_a_match_that_all_folds_choose_is_that_of_maxcorr():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((FRAMES, 5))
    layers = {"x": x, "y": x[:, ::-1] * [1, -1, 1, -1, 1] + 0.3 * rng.standard_normal(x.shape)}
    found = similarity_matrix(layers, ["maxcorr", "maxcorr_heldout"], groups=GROUPS)
    np.testing.assert_allclose(found["maxcorr_heldout"], found["maxcorr"], rtol=0, atol=1e-12)


def test_held_out_matches_of_unrelated_neurons_are_about_0():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 3000, 40))
    groups = np.repeat(np.arange(30), 100)
    found = similarity_matrix({"x": x, "y": y}, ["maxcorr", "maxcorr_heldout"], groups=groups)
    cell = {"layer_row": "x", "layer_col": "y"}
    # The mean of 40 correlations of 3000 frames each has a standard error of about .003.
    assert abs(float(found["maxcorr_heldout"].sel(cell))) < 0.015
    assert float(found["maxcorr"].sel(cell)) > 0.03


@pytest.mark.parametrize("share", np.linspace(0.5, 0.95, 10))
def test_the_share_of_variance_decides_what_is_held_out(share):
    """At some of these shares one fold keeps a direction more than another."""
    layers = make_layers({"a": 20, "b": 22}, frames=FRAMES)
    choices = replace(SETTINGS["default"], variance=share)
    found = similarity(layers["a"], layers["b"], "cca_heldout", groups=GROUPS, settings=choices)
    expected = oracles.cca_heldout(layers["a"], layers["b"], folds_of("default"), share)
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_held_out_canonical_correlations_of_unrelated_layers_are_near_zero(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((FRAMES, 12)), rng.standard_normal((FRAMES, 15))
    assert similarity(x, y, "cca_mean") > 0.2
    assert similarity(x, y, "cca_heldout", groups=GROUPS) == pytest.approx(0, abs=0.08)


def test_cka_of_standardised_neurons_is_as_defined(layers, settings):
    found = similarity_matrix(layers, ["cka_standardized"], settings=settings)["cka_standardized"]
    for here, x, y in pairs_of(layers):
        np.testing.assert_allclose(found.sel(here), oracles.cka_standardized(x, y), **CLOSE)


def test_one_large_neuron_decides_cka_and_not_that_of_standardised_neurons():
    layers = make_layers({"a": 12, "b": 12}, frames=FRAMES)
    before = similarity(layers["a"], layers["b"], "cka_standardized")
    for values in layers.values():
        values[:, 0] = 1e3 * layers["a"][:, 1]
    assert similarity(layers["a"], layers["b"], "cka") > 0.999
    assert similarity(layers["a"], layers["b"], "cka_standardized") < before + 0.2


# Ridge


@pytest.mark.parametrize("measure", ["linreg_r2", "ridge_heldout"])
def test_shares_of_variance_explained_are_as_defined(measure, layers, settings):
    held_out = measure == "ridge_heldout"
    options = {"groups": GROUPS} if held_out else {}
    found = similarity_matrix(layers, [measure], settings=settings, per_neuron=True, **options)
    for here, x, y in pairs_of(layers):
        folds = (folds_of(settings),) if held_out else ()
        expected = getattr(oracles, measure)(x, y, *folds)
        by_neuron = found[f"{measure}_by_neuron"].sel(here).values[: len(expected)]
        np.testing.assert_allclose(by_neuron, expected, **CLOSE)


def test_ridge_regression_is_that_of_scikit_learn():
    layers = make_layers({"a": 6, "b": 15}, frames=FRAMES)
    x, y, folds = layers["a"], layers["b"], folds_of("default")

    def left(train, test, strength):
        mean, size = y[train].mean(0), y[train].std(0)
        model = Ridge(strength * train.sum(), solver="svd").fit((y[train] - mean) / size, x[train])
        return ((x[test] - model.predict((y[test] - mean) / size)) ** 2).sum(0)

    errors, total = 0, 0
    for fold in range(5):
        train = folds != fold
        strengths = 10 ** np.arange(-8, 3.5, 0.5)
        inner = [
            sum(left(train & (folds != j), folds == j, each) for j in range(5) if j != fold)
            for each in strengths
        ]
        best = strengths[np.argmin((inner / x[train].var(0)).sum(1))]
        assert 1e-8 < best < 1e3
        errors += left(train, ~train, best)
        total += ((x[~train] - x[train].mean(0)) ** 2).sum(0)
    found = similarity(x, y, "ridge_heldout", groups=GROUPS)
    assert found == pytest.approx(np.mean(1 - errors / total), abs=1e-9)


@pytest.mark.parametrize("width", [100, 300])
def test_ridge_regression_does_better_where_neurons_are_many(width):
    layers = make_layers({"a": 6, "b": width}, frames=FRAMES)
    scores = [
        similarity(layers["a"], layers["b"], measure, groups=GROUPS)
        for measure in ("ridge_heldout", "linreg_heldout")
    ]
    assert scores[0] > scores[1] + 0.05
    assert scores[0] > 0.3


@pytest.mark.parametrize(
    ("options", "need"), [({"folds": 2}, "3 folds, .* ask for 2"), ({}, "3 utterances .* are 2")]
)
def test_two_folds_leave_none_to_choose_a_strength_by(options, need):
    layers = make_layers({"a": 6, "b": 5}, frames=FRAMES)
    groups = GROUPS if options else GROUPS > 5
    with pytest.raises(AssonanceError, match=f"ridge_heldout needs at least {need}"):
        similarity(
            layers["a"],
            layers["b"],
            "ridge_heldout",
            groups=groups,
            settings=replace(SETTINGS["default"], **options),
        )
