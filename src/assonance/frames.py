"""Frame grids: how many frames a stack of convolutions makes, and where in time they lie."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def conv_frames(n_samples: int, kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Count the frames that unpadded convolutions make of some samples.

    Parameters
    ----------
    n_samples
        Length of the input in samples.
    kernels, strides
        Kernel size and stride of each convolution, first to last, in its own input's steps.

    Returns
    -------
    int
        Number of frames; 0 where the input is shorter than the receptive field.
    """
    frames = n_samples
    for kernel, stride in zip(kernels, strides, strict=True):
        if frames < kernel:
            return 0
        frames = (frames - kernel) // stride + 1
    return frames


def receptive_field(kernels: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Measure what one frame sees of the samples.

    Parameters
    ----------
    kernels, strides
        Kernel size and stride of each convolution, first to last.

    Returns
    -------
    receptive, hop : int
        Samples seen by a frame, and samples from one frame to the next: frame ``t`` sees the
        samples ``t * hop`` to ``t * hop + receptive - 1``.
    """
    receptive, hop = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        receptive += (kernel - 1) * hop
        hop *= stride
    return receptive, hop


def frame_times(n_frames: int, receptive: int, hop: int, sampling_rate: int) -> NDArray[np.float64]:
    """Place frames in time.

    Parameters
    ----------
    n_frames
        Number of frames.
    receptive, hop
        Samples a frame sees and samples between frames, as from `receptive_field`.
    sampling_rate
        Samples a second.

    Returns
    -------
    ndarray, shape (n_frames,)
        Centre of each frame's receptive field in seconds, the first sample being at 0.
    """
    first = (receptive - 1) / 2
    return (np.arange(n_frames) * hop + first) / sampling_rate
