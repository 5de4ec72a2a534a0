"""Sampled frames and their kernels."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from assonance.statistics import KernelSample, sample_indices


@given(st.integers(0, 500), st.integers(1, 100), st.integers(0, 9))
def test_frames_are_drawn_once_each_in_order_and_as_many_as_asked(n_frames, size, seed):
    drawn = sample_indices(n_frames, size, seed)
    assert drawn.shape == (min(n_frames, size),)
    assert (np.diff(drawn) > 0).all()
    assert ((drawn >= 0) & (drawn < n_frames)).all()


def test_the_seed_alone_decides_which_frames_are_drawn():
    np.testing.assert_array_equal(sample_indices(100, 20, 1), sample_indices(100, 20, 1))
    assert (sample_indices(100, 20, 1) != sample_indices(100, 20, 2)).any()


def test_every_frame_is_as_likely_to_be_drawn():
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


def test_more_distances_than_torch_takes_quantiles_of():
    frames = torch.linspace(0, 1, 4100, dtype=torch.float64)[:, None]
    assert frames.shape[0] ** 2 > 2**24
    kernel = KernelSample(frames).rbf
    assert kernel.shape == (4100, 4100)
    assert torch.isfinite(kernel).all()
