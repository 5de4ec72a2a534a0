"""Frames drawn by a seed, and their kernel matrices, for what moments cannot give."""

import numpy as np
import torch
from torch import Tensor

from assonance.statistics.lazy import lazy


def sample_indices(n_frames: int, size: int, seed: int) -> np.ndarray:
    """Choose frames without replacement, in order; all of them when there are no more than `size`.

    Returns
    -------
    numpy.ndarray
        Sorted indices, shape (min(n_frames, size),).
    """
    if n_frames <= size:
        return np.arange(n_frames)
    return np.sort(np.random.default_rng(seed).choice(n_frames, size, replace=False))


class KernelSample:
    """The centred Gaussian kernel matrix of one layer on a sample of frames.

    Parameters
    ----------
    frames
        Activations at the sampled frames, shape (n, D).
    """

    def __init__(self, frames: Tensor) -> None:
        self.frames = frames.to(torch.float64)

    @lazy
    def rbf(self) -> Tensor:
        """H·K·H with K = exp(−d²/2σ²) and σ² the median squared distance; shape (n, n).

        Source: Kornblith et al. 2019, section 3; the bandwidth of El Kheir et al. 2024.
        """
        centred = self.frames - self.frames.mean(0)
        squares = (centred**2).sum(1)
        distances = (squares[:, None] + squares - 2 * centred @ centred.T).clamp(min=0)
        # torch.quantile refuses as few as 2²⁴ values.
        bandwidth = float(np.median(distances.cpu().numpy()))
        kernel = torch.exp(-distances / (2 * bandwidth))
        return kernel - kernel.mean(0) - kernel.mean(1, keepdim=True) + kernel.mean()
