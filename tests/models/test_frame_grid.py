"""Frame grids against brute force."""

import numpy as np
import pytest
import torch
from signals import KERNELS, STRIDES

from assonance.models.frame_grid import FrameGrid, receptive_field

GRID = FrameGrid.of_convolutions(KERNELS, STRIDES)


@pytest.mark.parametrize(
    ("n_samples", "frames"), [(480_000, 1499), (480_080, 1500), (400, 1), (719, 1), (720, 2)]
)
def test_the_front_end_of_wav2vec2_makes_known_numbers_of_frames(n_samples, frames):
    assert GRID.count(n_samples) == frames


@pytest.mark.parametrize("n_samples", [0, 1, 9, 399])
def test_samples_fewer_than_the_receptive_field_make_no_frame(n_samples):
    assert GRID.count(n_samples) == 0
    assert GRID.times(n_samples, 16000).shape == (0,)


@pytest.mark.parametrize(("kernels", "strides"), [((4, 3), (2, 1)), ((1,), (3,)), ((5, 2), (1, 2))])
def test_frames_are_those_that_torch_convolutions_make(kernels, strides):
    for n_samples in range(8, 40):
        signal = torch.ones(1, 1, n_samples)
        for kernel, stride in zip(kernels, strides, strict=True):
            signal = torch.nn.functional.conv1d(signal, torch.ones(1, 1, kernel), stride=stride)
        grid = FrameGrid.of_convolutions(kernels, strides)
        assert grid.count(n_samples) == signal.shape[-1]


def test_a_frame_of_wav2vec2_sees_25_ms_every_20_ms():
    assert receptive_field(KERNELS, STRIDES) == (400, 320)


def test_frame_times_are_the_centres_of_what_frames_see():
    centres = [np.mean(np.arange(start, start + 400)) / 16000 for start in (0, 320, 640)]
    np.testing.assert_allclose(GRID.times(1200, 16000), centres, rtol=1e-15)


def test_joined_frames_are_as_many_and_as_far_apart_as_their_pairs():
    pairs = GRID.stacked(2)
    for n_samples in range(300, 3000, 17):
        assert pairs.count(n_samples) == GRID.count(n_samples) // 2
        times = GRID.times(n_samples, 16000)[: 2 * pairs.count(n_samples)]
        expected = times.reshape(-1, 2).mean(1)
        np.testing.assert_allclose(pairs.times(n_samples, 16000), expected)


def test_padding_makes_frames_of_few_samples_but_not_of_none():
    grid = FrameGrid(320, 0, -0.5)
    assert [grid.count(n) for n in (0, 1, 320)] == [0, 1, 2]
