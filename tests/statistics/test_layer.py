"""Statistics of one layer: varying neurons, norms, spectrum, whitening and cut."""

import numpy as np
import pytest
import torch
from material import make_layers, make_moments

from assonance.statistics import LayerStatistics
from assonance.statistics.layer import submatrix

FRAMES = 200


def statistics_of(layer):
    return make_moments({"x": np.asarray(layer, dtype=np.float64)}).layer("x")


def with_spectrum(values):
    """Make a layer whose correlations have these eigenvalues."""
    width = len(values)
    nothing = torch.zeros(width, dtype=torch.float64)
    layer = LayerStatistics(99, nothing, torch.eye(width, dtype=torch.float64), nothing)
    vectors = torch.eye(width, dtype=torch.float64)
    layer._directions = torch.tensor(values, dtype=torch.float64), vectors, vectors[:, width:]
    return layer


@pytest.mark.parametrize("value", [0.0, 0.1, -3.3, 1e-30, 1e9, 1e30])
def test_a_constant_neuron_does_not_vary(value):
    layer = make_layers({"x": 3}, frames=FRAMES)["x"]
    layer[:, 1] = value
    assert statistics_of(layer).varies.tolist() == [True, False, True]


@pytest.mark.parametrize("size", [1e-100, 1e-6, 1, 1e6, 1e100])
def test_a_neuron_of_any_scale_varies(size):
    layer = size * make_layers({"x": 3}, frames=FRAMES)["x"]
    assert statistics_of(layer).varies.all()


def test_a_neuron_far_from_zero_varies_down_to_the_precision_of_its_values():
    noise = np.random.default_rng(0).standard_normal(FRAMES)
    layer = np.column_stack([1 + 1e-10 * noise, 1 + 1e-14 * noise, 1000 + 1e-8 * noise])
    assert statistics_of(layer).varies.tolist() == [True, False, True]


def test_norms_are_those_of_centred_neurons():
    layer = make_layers({"x": 4}, frames=FRAMES, mean=5)["x"]
    expected = np.linalg.norm(layer - layer.mean(0), axis=0)
    np.testing.assert_allclose(statistics_of(layer).norms, expected, rtol=1e-12)


def test_correlations_and_spectrum_leave_constant_neurons_out():
    layer = make_layers({"x": 4}, frames=FRAMES)["x"]
    with_constant = statistics_of(np.insert(layer, 1, 7.0, axis=1))
    expected = np.corrcoef(layer, rowvar=False)
    np.testing.assert_allclose(with_constant.correlation, expected, rtol=0, atol=1e-12)
    values, vectors = with_constant.spectrum
    np.testing.assert_allclose(values, np.linalg.eigvalsh(expected)[::-1], rtol=1e-10)
    np.testing.assert_allclose(vectors * values @ vectors.T, expected, rtol=0, atol=1e-12)


def test_whitened_neurons_are_uncorrelated_and_of_norm_one():
    layer = make_layers({"x": 5}, frames=FRAMES)["x"]
    centred = layer - layer.mean(0)
    white = centred / np.linalg.norm(centred, axis=0) @ statistics_of(layer).whitening.numpy()
    np.testing.assert_allclose(white.T @ white, np.eye(5), rtol=0, atol=1e-10)


def test_directions_within_rounding_are_dropped():
    layer = make_layers({"x": 5}, frames=FRAMES)["x"]
    mixed = layer @ np.random.default_rng(0).standard_normal((5, 7))
    assert len(statistics_of(np.hstack([layer, mixed])).spectrum[0]) == 5


@pytest.mark.parametrize("frames", [2, 3, 7])
def test_there_are_fewer_directions_than_frames(frames):
    layer = make_layers({"x": 20}, frames=frames)["x"]
    assert len(statistics_of(layer).spectrum[0]) == frames - 1


@pytest.mark.parametrize(
    ("share", "reach", "below"),
    [(0.5, 1, 0), (0.59, 1, 0), (0.61, 2, 1), (0.89, 2, 1), (0.91, 3, 2), (0.99, 3, 2)],
)
def test_a_cut_reaches_the_share_or_stays_below_it(share, reach, below):
    layer = with_spectrum([6.0, 3.0, 1.0])
    assert layer.rank_of_variance(share, "reach") == reach
    assert layer.rank_of_variance(share, "below") == below


def test_a_share_met_exactly_is_reached():
    layer = with_spectrum([2.0, 1.0, 1.0])
    assert layer.rank_of_variance(0.5, "reach") == 1
    assert layer.rank_of_variance(0.75, "reach") == 2
    assert layer.rank_of_variance(1.0, "reach") == 3


def test_a_layer_of_constant_neurons_has_no_directions():
    layer = statistics_of(np.ones((FRAMES, 3)))
    values, vectors = layer.spectrum
    assert values.shape == (0,)
    assert vectors.shape == (0, 0)
    assert layer.rank_of_variance(0.99, "reach") == 0
    assert layer.rank_of_variance(0.99, "below") == 0


def test_the_inverse_is_that_of_the_correlations():
    layer = make_layers({"x": 5}, frames=FRAMES)["x"]
    expected = np.linalg.inv(np.corrcoef(layer, rowvar=False))
    found = statistics_of(np.insert(layer, 2, 1.0, axis=1))
    np.testing.assert_allclose(found.inverse, expected, rtol=1e-9)


def test_dependent_neurons_have_a_pseudo_inverse_and_a_null_space():
    layer = make_layers({"x": 5}, frames=FRAMES)["x"]
    layer = np.column_stack([layer, layer[:, 0] + layer[:, 1]])
    found, correlation = statistics_of(layer), np.corrcoef(layer, rowvar=False)
    expected = np.linalg.pinv(correlation, rcond=1e-10, hermitian=True)
    np.testing.assert_allclose(found.inverse, expected, rtol=0, atol=1e-9)
    assert found.null_space.shape == (6, 1)
    np.testing.assert_allclose(correlation @ found.null_space.numpy(), 0, atol=1e-12)


def test_loadings_are_correlations_with_the_whitened_directions():
    layer = make_layers({"x": 5}, frames=FRAMES)["x"]
    found = statistics_of(layer)
    centred = layer - layer.mean(0)
    scaled = centred / np.linalg.norm(centred, axis=0)
    expected = scaled.T @ (scaled @ found.whitening.numpy())
    np.testing.assert_allclose(found.loadings, expected, rtol=0, atol=1e-10)


def test_only_layers_of_nearly_dependent_neurons_or_few_large_ones_are_delicate():
    plain = np.random.default_rng(0).standard_normal((400, 40))
    few_large, nearly_dependent = plain.copy(), plain.copy()
    few_large[:, :4] *= 1e3
    nearly_dependent[:, 0] = nearly_dependent[:, 1] + 1e-2 * plain[:, 0]
    assert not statistics_of(plain).delicate
    assert statistics_of(few_large).delicate
    assert statistics_of(nearly_dependent).delicate
    assert not statistics_of(np.ones((400, 3))).delicate


def test_products_with_a_large_inverse_are_in_float64():
    layer = np.random.default_rng(0).standard_normal((FRAMES, 5))
    assert statistics_of(layer).inverse_dtype(torch.float32) == torch.float32
    layer[:, 0] = layer[:, 1] + 1e-3 * layer[:, 0]
    assert statistics_of(layer).inverse_dtype(torch.float32) == torch.float64


def test_a_submatrix_has_the_rows_and_columns_of_two_masks():
    matrix = torch.arange(12).reshape(3, 4)
    rows, columns = torch.tensor([True, False, True]), torch.tensor([False, True, True, False])
    assert submatrix(matrix, rows, columns).tolist() == [[1, 2], [9, 10]]
    assert submatrix(matrix, rows | True, columns | True) is matrix
