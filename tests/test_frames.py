"""Frame grids against brute force."""

import numpy as np
import pytest
import torch
from signals import KERNELS, STRIDES

from assonance.frames import conv_frames, frame_times, receptive_field


@pytest.mark.parametrize(
    ("n_samples", "frames"), [(480_000, 1499), (480_080, 1500), (400, 1), (719, 1), (720, 2)]
)
def test_the_front_end_of_wav2vec2_makes_known_numbers_of_frames(n_samples, frames):
    assert conv_frames(n_samples, KERNELS, STRIDES) == frames


@pytest.mark.parametrize("n_samples", [0, 1, 9, 399])
def test_samples_fewer_than_the_receptive_field_make_no_frame(n_samples):
    assert conv_frames(n_samples, KERNELS, STRIDES) == 0


@pytest.mark.parametrize(("kernels", "strides"), [((4, 3), (2, 1)), ((1,), (3,)), ((5, 2), (1, 2))])
def test_frames_are_those_that_torch_convolutions_make(kernels, strides):
    for n_samples in range(8, 40):
        signal = torch.ones(1, 1, n_samples)
        for kernel, stride in zip(kernels, strides, strict=True):
            signal = torch.nn.functional.conv1d(signal, torch.ones(1, 1, kernel), stride=stride)
        assert conv_frames(n_samples, kernels, strides) == signal.shape[-1]


def test_a_frame_of_wav2vec2_sees_25_ms_every_20_ms():
    assert receptive_field(KERNELS, STRIDES) == (400, 320)


def test_frame_times_are_the_centres_of_what_frames_see():
    times = frame_times(3, receptive=400, hop=320, sampling_rate=16000)
    centres = [np.mean(np.arange(start, start + 400)) / 16000 for start in (0, 320, 640)]
    np.testing.assert_allclose(times, centres, rtol=1e-15)


def test_no_frames_have_no_times():
    assert frame_times(0, 400, 320, 16000).shape == (0,)


def test_kernels_without_strides_are_refused():
    with pytest.raises(ValueError, match="zip"):
        conv_frames(100, (3, 3), (2,))
