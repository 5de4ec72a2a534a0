"""Sampled frames, their kernels, distances, ranks and neighbours."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, pdist, squareform
from scipy.stats import rankdata

from assonance.statistics import KernelSample, sample_indices
from assonance.statistics.kernel_sample import squared_distances


@given(st.integers(0, 500), st.integers(1, 100), st.integers(0, 9))
def test_distinct_frames_are_drawn_in_order_and_as_many_as_requested(n_frames, size, seed):
    drawn = sample_indices(n_frames, size, seed)
    assert drawn.shape == (min(n_frames, size),)
    assert (np.diff(drawn) > 0).all()
    assert ((drawn >= 0) & (drawn < n_frames)).all()


def test_the_seed_alone_decides_which_frames_are_drawn():
    np.testing.assert_array_equal(sample_indices(100, 20, 1), sample_indices(100, 20, 1))
    assert (sample_indices(100, 20, 1) != sample_indices(100, 20, 2)).any()


def test_every_frame_is_equally_likely_to_be_drawn():
    counts = np.zeros(10)
    for seed in range(400):
        counts[sample_indices(10, 3, seed)] += 1
    assert (abs(counts - 120) < 5 * np.sqrt(400 * 0.3 * 0.7)).all()


@pytest.mark.parametrize("offset", [0, 1e5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_kernel_is_centred_and_its_bandwidth_the_median_squared_distance(offset, dtype):
    draw = torch.Generator().manual_seed(0)
    frames = (torch.randn(31, 4, generator=draw, dtype=torch.float64) + offset).to(dtype)
    squared = cdist(frames.double(), frames.double(), "sqeuclidean")
    kernel = np.exp(-squared / (2 * np.median(squared)))
    centring = np.eye(31) - 1 / 31
    found = KernelSample(frames).rbf
    np.testing.assert_allclose(found, centring @ kernel @ centring, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.sum(0), 0, atol=1e-12)


def make_frames(count=31):
    draw = torch.Generator().manual_seed(1)
    return torch.randn(count, 4, generator=draw, dtype=torch.float64)


def test_the_norm_and_the_product_of_kernels_are_frobenius():
    one, two = KernelSample(make_frames()), KernelSample(make_frames().flip(1) + make_frames())
    torch.testing.assert_close(one.rbf_product(two), (one.rbf * two.rbf).sum())
    torch.testing.assert_close(one.rbf_norm, torch.linalg.matrix_norm(one.rbf))


def test_centred_distances_are_euclidean():
    frames = make_frames()
    centring = np.eye(31) - 1 / 31
    expected = centring @ cdist(frames, frames) @ centring
    found = KernelSample(frames).centred_distances
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_ranks_are_centred_of_norm_one_and_in_the_order_of_distances():
    frames = make_frames()
    ranks = KernelSample(frames).ranks
    assert float(ranks.sum()) == pytest.approx(0, abs=1e-12)
    assert float(ranks.norm()) == pytest.approx(1, rel=1e-12)
    np.testing.assert_array_equal(ranks.argsort(), np.argsort(pdist(frames)))
    assert not KernelSample(torch.ones(5, 3)).ranks.any()


def test_the_nearest_frames_are_those_at_the_smallest_distances():
    frames = make_frames()
    distances = cdist(frames, frames) + np.diag([np.inf] * 31)
    expected = distances <= np.sort(distances, 1)[:, 2:3]
    np.testing.assert_array_equal(KernelSample(frames).nearest(3), expected)
    assert not KernelSample(torch.ones(5, 3)).nearest(2).any()


def test_equidistant_frames_have_no_ranks_and_no_neighbours():
    sample = KernelSample(torch.eye(600))
    assert not sample.ranks.any()
    assert not sample.nearest(10).any()


def test_an_outlier_does_not_make_ties_of_other_distances():
    frames = make_frames()
    far = torch.cat([frames, torch.full((1, 4), 1e6, dtype=torch.float64)])
    ranks = rankdata(KernelSample(far).ranks)
    among = squareform(ranks)[:31, :31]
    np.testing.assert_array_equal(squareform(among).argsort(), pdist(frames).argsort())
    assert torch.equal(KernelSample(far).nearest(3)[:31, :31], KernelSample(frames).nearest(3))


@pytest.mark.parametrize("shift", [1, 12, -5, 40])
def test_a_rolled_sample_is_that_of_rolled_frames(shift):
    sample = KernelSample(make_frames())
    found, expected = sample.rolled(shift), KernelSample(make_frames().roll(shift, 0))
    close = {"rtol": 0, "atol": 1e-12}
    torch.testing.assert_close(found.frames, expected.frames)
    torch.testing.assert_close(found.rbf, expected.rbf, **close)
    torch.testing.assert_close(found.rbf_norm, expected.rbf_norm, **close)
    torch.testing.assert_close(found.centred_distances, expected.centred_distances, **close)
    torch.testing.assert_close(found.ranks, expected.ranks, **close)
    assert torch.equal(found.nearest(4), expected.nearest(4))


def test_the_median_of_more_distances_than_torch_allows_for_quantiles():
    frames = torch.linspace(0, 1, 4100, dtype=torch.float64)[:, None]
    assert frames.shape[0] ** 2 > 2**24
    kernel = KernelSample(frames).rbf
    assert kernel.shape == (4100, 4100)
    assert torch.isfinite(kernel).all()


def test_equal_frames_are_at_distance_zero():
    frames = torch.randn(40, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    frames[[3, 17, 20]] = frames[5].clone()
    frames[9] = frames[8] + 1e-7
    distances = squared_distances(frames)
    assert (distances[[3, 17, 20]][:, [3, 5, 17, 20]] == 0).all()
    assert float(distances[8, 9]) == pytest.approx(30e-14, rel=1e-6)
    expected = ((frames[:, None] - frames) ** 2).sum(2)
    np.testing.assert_allclose(distances, expected, rtol=1e-9)
    np.testing.assert_array_equal(distances, distances.T)


def test_distances_of_many_equal_frames_are_computed_in_chunks(monkeypatch):
    monkeypatch.setattr("assonance.statistics.kernel_sample.PAIRS_AT_ONCE", 7)
    frames = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    frames = frames.repeat(4, 1)
    expected = ((frames[:, None] - frames) ** 2).sum(2)
    np.testing.assert_allclose(squared_distances(frames), expected, rtol=1e-12, atol=0)
