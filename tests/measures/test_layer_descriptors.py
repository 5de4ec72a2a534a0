"""Descriptors of one layer against their definitions and against what must hold of them."""

import numpy as np
import pytest
import torch
from material import make_layers, make_moments
from scipy.spatial.distance import pdist

from assonance.measures.layer_descriptors import (
    constant_neurons,
    dead_neurons,
    effective_rank,
    uniformity,
    variance_of_top,
)
from assonance.statistics import KernelSample

FRAMES = 200


def layer_of(values):
    return make_moments({"x": np.asarray(values, dtype=np.float64)}).layer("x")


def sample_of(values):
    return KernelSample(torch.from_numpy(np.asarray(values, dtype=np.float64)))


@pytest.fixture(params=[0.0, 1e4], ids=["plain", "large means"])
def values(request):
    return make_layers({"x": 12}, frames=FRAMES, mean=request.param)["x"]


def test_effective_rank_is_the_participation_ratio(values):
    eigenvalues = np.linalg.svd(values - values.mean(0), compute_uv=False) ** 2
    expected = eigenvalues.sum() ** 2 / (eigenvalues**2).sum()
    assert effective_rank(layer_of(values)) == pytest.approx(expected, abs=1e-9)


def test_effective_rank_counts_directions_of_equal_variance():
    signals = np.linalg.qr(np.random.default_rng(0).standard_normal((FRAMES, 5)))[0]
    signals = np.linalg.qr(signals - signals.mean(0))[0]
    turned = signals @ np.linalg.qr(np.random.default_rng(1).standard_normal((9, 5)))[0].T
    assert effective_rank(layer_of(signals)) == pytest.approx(5, abs=1e-9)
    assert effective_rank(layer_of(turned)) == pytest.approx(5, abs=1e-9)
    assert effective_rank(layer_of(signals[:, :1])) == pytest.approx(1, abs=1e-9)
    signals[:, 0] *= 1e3
    assert effective_rank(layer_of(signals)) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("count", [1, 5, 10, 12, 50])
def test_top_neurons_own_their_share_of_the_variance(values, count):
    variances = np.sort(values.var(0))[::-1]
    expected = variances[:count].sum() / variances.sum()
    assert variance_of_top(layer_of(values), count) == pytest.approx(expected, abs=1e-9)


def test_one_large_dimension_owns_nearly_all():
    values = np.random.default_rng(0).standard_normal((FRAMES, 100))
    values[:, 7] *= 50
    assert variance_of_top(layer_of(values)) == pytest.approx(0.96, abs=0.01)


def test_constant_and_dead_neurons_are_counted(values):
    assert constant_neurons(layer_of(values)) == dead_neurons(layer_of(values)) == 0
    scaled = values - values.mean(0)
    median = np.median(scaled.std(0))
    scaled[:, 2] *= 0.5e-3 * median / scaled[:, 2].std()
    scaled[:, 3] *= 5e-3 * median / scaled[:, 3].std()
    scaled[:, 4] = 0.1
    layer = layer_of(scaled)
    assert constant_neurons(layer) == 1
    assert dead_neurons(layer) == 2


def test_a_layer_that_is_all_constant_is_dead_and_has_no_spread():
    layer = layer_of(np.full((FRAMES, 4), 0.1))
    assert constant_neurons(layer) == dead_neurons(layer) == 4
    assert np.isnan(effective_rank(layer))
    assert np.isnan(variance_of_top(layer))


def test_constant_neurons_change_neither_rank_nor_shares(values):
    wider = np.insert(values, 3, -1e6 / 3, axis=1)
    for describe in (effective_rank, variance_of_top):
        expected = describe(layer_of(values))
        assert describe(layer_of(wider)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("size", [1e-100, 1e100])
def test_spread_does_not_depend_on_size(size):
    values = make_layers({"x": 12}, frames=FRAMES)["x"]
    for describe in (effective_rank, variance_of_top):
        expected = describe(layer_of(values))
        assert describe(layer_of(size * values)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("sharpness", [2.0, 0.5])
def test_uniformity_is_the_potential_of_frames_of_length_one(values, sharpness):
    directions = values / np.linalg.norm(values, axis=1, keepdims=True)
    expected = np.log(np.mean(np.exp(-sharpness * pdist(directions, "sqeuclidean"))))
    assert uniformity(sample_of(values), sharpness) == pytest.approx(expected, abs=1e-9)


def test_uniformity_is_highest_where_frames_share_a_direction_and_low_where_they_do_not():
    one = np.outer(np.arange(1, 50), np.arange(1, 4))
    assert uniformity(sample_of(one)) == pytest.approx(0, abs=1e-12)
    even = np.random.default_rng(0).standard_normal((300, 500))
    assert uniformity(sample_of(even)) == pytest.approx(-4, abs=0.05)
    assert uniformity(sample_of([[1.0, 0], [-1, 0]])) == pytest.approx(-8, abs=1e-12)


def test_frames_without_direction_are_left_out():
    values = make_layers({"x": 5}, frames=30)["x"]
    with_silence = np.insert(values, [0, 7, 7], 0.0, axis=0)
    expected = uniformity(sample_of(values))
    assert uniformity(sample_of(with_silence)) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(uniformity(sample_of(np.zeros((9, 3)))))
    assert np.isnan(uniformity(sample_of(values[:1])))
