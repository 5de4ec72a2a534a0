"""Every measure against its definition, carried out on the frames themselves."""

from dataclasses import replace

import numpy as np
import oracles
import pytest
import scipy.stats
import torch
from material import make_folds, make_groups, make_layers, make_maps, make_moments

from assonance import head_similarity_matrix, similarity, similarity_matrix
from assonance.measures import MEASURES
from assonance.measures.neurons import rotated_bases
from assonance.settings import SETTINGS, find_settings
from assonance.statistics import LayerStatistics

FRAMES = 200
CLOSE = {"rtol": 0, "atol": 1e-9}
OF_HEADS = [name for name, each in MEASURES.items() if each.level == "head"]
MATERIAL = {
    "plain": {"widths": {"a": 7, "b": 12, "c": 9}},
    "large means": {"widths": {"a": 7, "b": 12, "c": 9}, "mean": 1e4, "seed": 1},
    "strongly correlated": {"widths": {"a": 20, "b": 15, "c": 5}, "signals": 2, "seed": 2},
    "hardly correlated": {"widths": {"a": 6, "b": 5, "c": 4}, "signals": 1, "seed": 3},
}
SETTING_NAMES = [*SETTINGS]


@pytest.fixture(scope="module", params=MATERIAL.values(), ids=MATERIAL)
def layers(request):
    return make_layers(frames=FRAMES, **request.param)


@pytest.fixture(scope="module", params=SETTING_NAMES)
def settings(request):
    return request.param


def pairs_of(names):
    return [(row, col) for row in names for col in names]


@pytest.mark.parametrize("measure", ["maxcorr", "linreg"])
def test_neuron_measures_are_what_they_are_defined_as(measure, layers, settings):
    found = similarity_matrix(layers, [measure], settings=settings, per_neuron=True)
    for row, col in pairs_of(layers):
        expected = getattr(oracles, measure)(layers[row], layers[col])
        here = {"layer_row": row, "layer_col": col}
        by_neuron = found[f"{measure}_by_neuron"].sel(here).values
        np.testing.assert_allclose(by_neuron[: len(expected)], expected, **CLOSE)
        np.testing.assert_allclose(found[measure].sel(here), expected.mean(), **CLOSE)


def test_the_match_is_the_neuron_of_the_highest_absolute_correlation(layers):
    found = similarity_matrix(layers, ["maxcorr"], per_neuron=True)["maxcorr_match"]
    for row, col in pairs_of(layers):
        table = np.abs(oracles.correlations(layers[row], layers[col]))
        match = found.sel(layer_row=row, layer_col=col).values
        np.testing.assert_array_equal(match[: len(table)], table.argmax(1))


def test_mincorr_is_the_lowest_best_match_over_all_other_layers(layers, settings):
    found = similarity_matrix(layers, ["mincorr"], settings=settings, per_neuron=True)
    for name in layers:
        expected = oracles.mincorr(layers, name)
        by_neuron = found["mincorr_by_neuron"].sel(layer_row=name).values
        np.testing.assert_allclose(by_neuron[: len(expected)], expected, **CLOSE)
        np.testing.assert_allclose(found["mincorr"].sel(layer_row=name), expected.mean(), **CLOSE)


@pytest.mark.parametrize("measure", ["linreg_heldout", "linreg_heldout_r"])
def test_held_out_measures_predict_frames_of_groups_never_seen(measure, layers, settings):
    groups = make_groups(FRAMES)
    choices = find_settings(settings)
    folds = make_folds(groups, choices.folds, choices.seed)
    found = similarity_matrix(layers, [measure], groups=groups, settings=settings, per_neuron=True)
    for row, col in pairs_of(layers):
        expected = getattr(oracles, measure)(layers[row], layers[col], folds)
        here = {"layer_row": row, "layer_col": col}
        by_neuron = found[f"{measure}_by_neuron"].sel(here).values
        np.testing.assert_allclose(by_neuron[: len(expected)], expected, **CLOSE)
        np.testing.assert_allclose(found[measure].sel(here), expected.mean(), **CLOSE)


@pytest.mark.parametrize("measure", ["svcca", "pwcca"])
def test_canonical_measures_are_what_they_are_defined_as(measure, layers, settings):
    found = similarity_matrix(layers, [measure], settings=settings)[measure]
    cut = {"default": "reach", "elkheir2024": "below"}[settings]
    for row, col in pairs_of(layers):
        expected = getattr(oracles, measure)(layers[row], layers[col], 0.99, cut)
        np.testing.assert_allclose(found.sel(layer_row=row, layer_col=col), expected, **CLOSE)


@pytest.mark.parametrize("measure", ["svcca", "pwcca"])
@pytest.mark.parametrize(
    ("share", "cut"),
    [(0.5, "reach"), (0.9, "reach"), (1.0, "reach"), (0.5, "below"), (0.9, "below")],
)
def test_the_share_of_variance_decides_what_canonical_measures_see(measure, share, cut):
    layers = make_layers({"a": 7, "b": 12}, frames=FRAMES)
    choices = replace(SETTINGS["default"], variance=share, cut=cut)
    found = similarity(layers["a"], layers["b"], measure, settings=choices)
    expected = getattr(oracles, measure)(layers["a"], layers["b"], share, cut)
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_both_cuts_differ_by_one_direction(layers):
    found = [
        similarity(layers["a"], layers["b"], "svcca", settings=settings)
        for settings in SETTING_NAMES
    ]
    assert abs(found[0] - found[1]) > 1e-3


def test_svcca_of_everything_is_the_canonical_correlation_of_scikit_learn():
    from sklearn.cross_decomposition import CCA

    layers = make_layers({"a": 3, "b": 4}, frames=FRAMES)
    choices = replace(SETTINGS["default"], variance=1.0)
    found = similarity(layers["a"], layers["b"], "svcca", settings=choices)
    u, v = CCA(3, max_iter=10_000, tol=1e-14).fit_transform(layers["a"], layers["b"])
    expected = np.mean([np.corrcoef(u[:, i], v[:, i])[0, 1] for i in range(3)])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("measure", ["cka", "cka_rbf"])
def test_alignment_is_what_it_is_defined_as(measure, layers, settings):
    found = similarity_matrix(layers, [measure], settings=settings)[measure]
    for row, col in pairs_of(layers):
        expected = getattr(oracles, measure)(layers[row], layers[col])
        np.testing.assert_allclose(found.sel(layer_row=row, layer_col=col), expected, **CLOSE)


@pytest.mark.parametrize("measure", ["cka_debiased", "cka_utterance"])
def test_unbiased_alignment_is_what_it_is_defined_as(measure, layers, settings):
    options = {"groups": make_groups(FRAMES)} if measure == "cka_utterance" else {}
    found = similarity_matrix(layers, [measure], settings=settings, **options)[measure]
    for row, col in pairs_of(layers):
        expected = getattr(oracles, measure)(layers[row], layers[col], **options)
        np.testing.assert_allclose(found.sel(layer_row=row, layer_col=col), expected, **CLOSE)


def drifting(shared, seed, utterances=20, frames=100, width=256, memory=0.9):
    """Two layers of neurons that drift within each utterance; `shared` is their true CKA."""
    rng = np.random.default_rng(seed)
    series = rng.standard_normal((3, utterances, frames, width))
    for t in range(1, frames):
        new = np.sqrt(1 - memory**2) * series[:, :, t]
        series[:, :, t] = memory * series[:, :, t - 1] + new
    common, x, y = series.reshape(3, -1, width)
    # The neurons of a layer are independent with variance 1, and each neuron of one has the
    # covariance √shared with one neuron of the other: CKA = D·shared/√(D·D).
    covariance = np.sqrt(shared)
    x, y = (np.sqrt(covariance) * common + np.sqrt(1 - covariance) * own for own in (x, y))
    return {"x": x, "y": y}, np.repeat(np.arange(utterances), frames)


@pytest.mark.parametrize(
    ("shared", "expected"),
    [
        (0, {"cka": 0.534, "cka_debiased": 0.506, "cka_utterance": 0}),
        (0.447, {"cka": 0.732, "cka_debiased": 0.717, "cka_utterance": 0.447}),
    ],
)
def test_only_distinct_utterances_are_not_misled_by_frames_that_drift(shared, expected):
    layers, groups = drifting(shared, seed=0)
    for measure, value in expected.items():
        found = similarity(layers["x"], layers["y"], measure, groups=groups)
        assert found == pytest.approx(value, abs=0.02), measure


def test_the_kernel_measure_sees_only_the_sampled_frames():
    layers = make_layers({"a": 5, "b": 6}, frames=FRAMES)
    choices = replace(SETTINGS["default"], sample_frames=50, seed=3)
    found = similarity_matrix(layers, ["cka_rbf"], settings=choices)
    rows = np.sort(np.random.default_rng(3).choice(FRAMES, 50, replace=False))
    expected = oracles.cka_rbf(layers["a"][rows], layers["b"][rows])
    value = found["cka_rbf"].sel(layer_row="a", layer_col="b")
    np.testing.assert_allclose(value, expected, **CLOSE)
    assert found.attrs["sample_frames"] == 50
    assert found.attrs["frames"] == FRAMES


# The rotation floor


def bases_of(layer, count=4, seed=0):
    statistics = make_moments({"y": layer}).layer("y")
    return [basis.numpy() for basis in rotated_bases(statistics, count, seed)]


def test_rotated_bases_are_orthogonal_matrices_scaled_for_norm_one(layers):
    y = oracles.standardised(layers["b"])
    for basis in bases_of(layers["b"]):
        q = basis / np.linalg.norm(basis, axis=0)
        np.testing.assert_allclose(q.T @ q, np.eye(len(q)), **CLOSE)
        np.testing.assert_allclose(np.linalg.norm(y @ basis, axis=0), 1, **CLOSE)


def test_the_rotation_floor_is_the_best_match_in_rotated_bases(layers, settings):
    found = similarity_matrix(layers, ["maxcorr_rotated"], settings=settings, per_neuron=True)
    for row, col in pairs_of(layers):
        bases = bases_of(layers[col], count=find_settings(settings).rotations)
        expected = oracles.maxcorr_rotated(layers[row], layers[col], bases)
        here = {"layer_row": row, "layer_col": col}
        by_neuron = found["maxcorr_rotated_by_neuron"].sel(here).values
        np.testing.assert_allclose(by_neuron[: len(expected)], expected, **CLOSE)
        np.testing.assert_allclose(found["maxcorr_rotated"].sel(here), expected.mean(), **CLOSE)


def test_rotations_are_as_many_as_set_and_drawn_by_the_seed():
    layer = make_layers({"y": 8})["y"]
    first, second = bases_of(layer, count=2, seed=5)
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_array_equal(bases_of(layer, count=1, seed=5)[0], first)
    assert np.abs(bases_of(layer, count=1, seed=6)[0] - first).max() > 0.1


def test_rotations_are_drawn_evenly_over_the_orthogonal_group():
    """A plain QR of normal numbers leaves the signs of the diagonal unevenly drawn."""
    width, count = 3, 500
    nothing = torch.zeros(width, dtype=torch.float64)
    white = LayerStatistics(9, nothing, torch.eye(width, dtype=torch.float64), nothing)
    drawn = np.array([basis.numpy() for basis in rotated_bases(white, count, seed=0)])
    even = scipy.stats.ortho_group.rvs(width, count, random_state=1)
    for cell in np.ndindex(width, width):
        found, expected = drawn[:, *cell], even[:, *cell]
        assert scipy.stats.ks_2samp(found, expected, method="asymp").pvalue > 1e-4
    signs = np.sign(np.linalg.det(drawn))
    assert abs(signs.mean()) < 0.2


# Heads


@pytest.mark.parametrize("measure", OF_HEADS)
@pytest.mark.parametrize("sharpness", [0.1, 1.5, 6.0])
def test_attention_measures_are_what_they_are_defined_as(measure, sharpness, settings):
    maps = make_maps({"a": 4, "b": 6, "c": 1}, sharpness=sharpness)
    found = head_similarity_matrix(maps, [measure], settings=settings, per_head=True)
    for row, col in pairs_of(maps):
        expected = getattr(oracles, measure)(maps[row], maps[col])
        hx, hy = expected.shape
        here = {"layer_row": row, "layer_col": col}
        table = found[f"{measure}_by_head"].sel(here).values
        np.testing.assert_allclose(table[:hx, :hy], expected, **CLOSE)
        np.testing.assert_allclose(found[measure].sel(here), expected.max(1).mean(), **CLOSE)


def test_every_measure_has_a_definition_here():
    assert {name for name in MEASURES if not hasattr(oracles, name)} == set()
