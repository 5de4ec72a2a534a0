"""Measures of shape against definitions and scipy's Procrustes."""

import numpy as np
import oracles
import pytest
import scipy.spatial
from material import make_layers

from assonance import similarity, similarity_matrix

CLOSE = {"rtol": 0, "atol": 1e-9}
MATERIAL = {
    "plain": {},
    "large means": {"mean": 1e4, "seed": 1},
    "strongly correlated": {"signals": 2, "seed": 2},
}
MEASURES = ["procrustes", "bures", "angular_procrustes"]


@pytest.fixture(scope="module", params=MATERIAL.values(), ids=MATERIAL)
def layers(request):
    return make_layers({"a": 7, "b": 12, "c": 12}, frames=150, **request.param)


@pytest.mark.parametrize("measure", MEASURES)
def test_measures_of_shape_are_what_they_are_defined_as(measure, layers):
    found = similarity_matrix(layers, [measure])[measure]
    for row in layers:
        for col in layers:
            expected = getattr(oracles, measure)(layers[row], layers[col])
            np.testing.assert_allclose(found.sel(layer_row=row, layer_col=col), expected, **CLOSE)


def test_bures_similarity_is_what_the_disparity_of_scipy_leaves(layers):
    disparity = scipy.spatial.procrustes(layers["b"], layers["c"])[2]
    found = similarity(layers["b"], layers["c"], "bures")
    np.testing.assert_allclose(found**2, 1 - disparity, **CLOSE)


def test_only_size_and_shape_tell_layers_of_unlike_sizes_apart(layers):
    larger = 3 * layers["a"]
    assert similarity(layers["a"], larger, "procrustes") == pytest.approx(0.6, abs=1e-12)
    for measure in ("bures", "angular_procrustes"):
        assert similarity(layers["a"], larger, measure) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("width", [2, 9, 60])
@pytest.mark.parametrize("seed", range(5))
def test_turned_layers_are_at_no_angle(width, seed):
    """The arccosine of 1 less the rounding would be far more than the rounding."""
    layer = make_layers({"a": width}, frames=150, seed=seed)["a"]
    turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((width, width)))[0]
    assert similarity(layer, layer @ turn, "angular_procrustes") == 1


def test_the_angle_obeys_the_triangle_inequality(layers):
    angle = 1 - similarity_matrix(layers, ["angular_procrustes"])["angular_procrustes"].values
    assert angle[0, 1] <= angle[0, 2] + angle[2, 1]
    assert angle[0, 2] <= angle[0, 1] + angle[1, 2]


def test_orthogonal_signals_are_at_a_right_angle():
    frames = np.arange(64) / 64 * 2 * np.pi
    row, column = np.sin(frames)[:, None], np.cos(frames)[:, None]
    for measure in MEASURES:
        assert similarity(row, column, measure) == pytest.approx(0, abs=1e-12)
