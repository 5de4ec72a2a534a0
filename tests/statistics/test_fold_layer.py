"""Statistics of layers and pairs in one fold, against the frames themselves."""

import numpy as np
import pytest
import torch
from material import make_layers, make_moments

FRAMES = 90
FOLDS = np.arange(FRAMES) * 3 // FRAMES
LAYERS = make_layers({"a": 4, "b": 6}, frames=FRAMES, mean=3)


def scaled(layer, fold):
    """Training and held-out frames about the training means, divided by norms over all frames."""
    norms = np.linalg.norm(layer - layer.mean(0), axis=0)
    values = (layer - layer[fold != FOLDS].mean(0)) / norms
    return values[fold != FOLDS], values[fold == FOLDS]


def folds_of(layers=LAYERS, a="a", b="b"):
    return make_moments(layers, FOLDS).pair(a, b).folds


@pytest.mark.parametrize("fold", range(3))
def test_held_out_statistics_are_about_the_training_means(fold):
    _, held_out = scaled(LAYERS["a"], fold)
    layer = folds_of()[fold].x
    np.testing.assert_allclose(layer.variance, (held_out**2).sum(0), rtol=1e-10)
    np.testing.assert_allclose(layer.scatter, held_out.T @ held_out, rtol=0, atol=1e-12)
    means = [LAYERS["a"][side].mean(0) for side in (fold == FOLDS, fold != FOLDS)]
    np.testing.assert_allclose(layer.drift, means[0] - means[1], rtol=1e-9)


@pytest.mark.parametrize("fold", range(3))
def test_the_inverse_is_that_of_the_training_products(fold):
    training, _ = scaled(LAYERS["b"], fold)
    expected = np.linalg.inv(training.T @ training)
    np.testing.assert_allclose(folds_of()[fold].y.inverse, expected, rtol=1e-9)


def test_a_neuron_that_is_constant_in_training_is_zero_in_the_inverse():
    layers = {name: values.copy() for name, values in LAYERS.items()}
    layers["b"][FOLDS != 1, 2] = 0.5
    inverse = folds_of(layers)[1].y.inverse
    assert not inverse[2].any()
    assert not inverse[:, 2].any()
    rest = np.delete(scaled(layers["b"], 1)[0], 2, axis=1)
    found = np.delete(np.delete(inverse.numpy(), 2, 0), 2, 1)
    np.testing.assert_allclose(found, np.linalg.inv(rest.T @ rest), rtol=1e-9)


def test_a_constant_neuron_has_no_inverse_norm():
    layers = {name: values.copy() for name, values in LAYERS.items()}
    layers["a"][:, 1] = 2.0
    assert folds_of(layers)[0].x.inverse_norms[1] == 0


@pytest.mark.parametrize("fold", range(3))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_standardised_products_are_those_of_the_frames(fold, dtype):
    products = folds_of()[fold].products
    x, y = (scaled(LAYERS[name], fold) for name in "ab")
    found = products.standardised(fold, dtype)
    for here, rows, columns in zip(found, x, y, strict=True):
        assert here.dtype == dtype
        tolerance = 1e-12 if dtype == torch.float64 else 1e-6
        np.testing.assert_allclose(here, rows.T @ columns, rtol=0, atol=tolerance)


def test_swapped_products_are_transposed():
    products = folds_of()[0].products
    for found, expected in zip(products.swapped().centred(1), products.centred(1), strict=True):
        torch.testing.assert_close(found, expected.T)
