"""A pair of layers: correlations, explained variance and canonical correlations, both ways."""

import numpy as np
import oracles
import pytest
import torch
from material import make_layers, make_moments

FRAMES = 120
FOLDS = np.arange(FRAMES) * 4 // FRAMES
LAYERS = make_layers({"a": 5, "b": 7}, frames=FRAMES, mean=2)
CLOSE = {"rtol": 0, "atol": 1e-9}


def pair_of(a="a", b="b", layers=LAYERS, folds=FOLDS):
    return make_moments(layers, folds).pair(a, b)


@pytest.fixture(params=["direct", "swapped"])
def pair(request):
    """Layers a and b, computed directly or from the pair of b and a."""
    if request.param == "direct":
        return pair_of()
    return pair_of("b", "a").swapped()


def test_correlations_are_those_of_the_frames(pair):
    expected = oracles.correlations(LAYERS["a"], LAYERS["b"])
    np.testing.assert_allclose(pair.correlation, expected, **CLOSE)


def test_correlations_leave_constant_neurons_out():
    layers = {name: values.copy() for name, values in LAYERS.items()}
    layers["b"][:, 3] = 1.0
    expected = oracles.correlations(LAYERS["a"], np.delete(LAYERS["b"], 3, axis=1))
    np.testing.assert_allclose(pair_of(layers=layers).correlation, expected, **CLOSE)


def test_explained_variance_is_that_of_linear_regression(pair):
    expected = oracles.linreg_r2(LAYERS["a"], LAYERS["b"])
    np.testing.assert_allclose(pair.explained, expected, **CLOSE)


def test_canonical_correlations_of_all_directions_are_as_defined(pair):
    left, values, right = pair.canonical(5, 7)
    np.testing.assert_allclose(values, oracles.all_canonical(LAYERS["a"], LAYERS["b"]), **CLOSE)
    np.testing.assert_allclose(left * values @ right.T, pair.whitened, **CLOSE)


def test_the_nuclear_norm_is_the_sum_of_singular_values(pair):
    x, y = (oracles.centred(LAYERS[name]) for name in "ab")
    expected = np.linalg.svd(x.T @ y, compute_uv=False).sum()
    assert pair.nuclear_norm == pytest.approx(expected, rel=1e-12)


def test_held_out_sums_are_those_of_predictions_of_unseen_frames(pair):
    norms = np.linalg.norm(oracles.centred(LAYERS["a"]), axis=0)
    neurons, predictions = (
        values / norms for values in oracles.held_out(LAYERS["a"], LAYERS["b"], FOLDS)
    )
    expected = [(neurons**2).sum(0), (neurons * predictions).sum(0), (predictions**2).sum(0)]
    np.testing.assert_allclose(torch.stack(pair.held_out), expected, **CLOSE)


def test_without_folds_held_out_sums_are_undefined():
    for values in pair_of(folds=None).held_out:
        assert values.shape == (5,)
        assert torch.isnan(values).all()


def test_swapping_twice_gives_the_same_statistics():
    pair = pair_of()
    back = pair.swapped().swapped()
    torch.testing.assert_close(back.cross, pair.cross)
    assert back.x is pair.x
    assert back.y is pair.y
    torch.testing.assert_close(back.correlation, pair.correlation)


def test_products_of_small_layers_are_in_float64():
    pair = pair_of()
    assert pair.float64_products
    assert pair.product_dtype == torch.float64
