"""Place a model's frames in time: their number, and the centre of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FrameGrid:
    """A regular grid of frames.

    Attributes
    ----------
    hop
        Samples from one frame to the next.
    needs
        Samples that the first frame needs; at most 0 if padding is enough. Every further `hop`
        samples make another frame. An empty signal has no frame.
    first
        Centre of the first frame, in samples; the first sample is at 0.
    """

    hop: int
    needs: int
    first: float

    @classmethod
    def of_convolutions(cls, kernels: Sequence[int], strides: Sequence[int]) -> "FrameGrid":
        """Return the grid of a stack of unpadded convolutions, given from first to last."""
        receptive, hop = receptive_field(kernels, strides)
        return cls(hop, receptive, (receptive - 1) / 2)

    def stacked(self, count: int) -> "FrameGrid":
        """Return the grid of frames that each combine `count` frames, without overlap."""
        more = (count - 1) * self.hop
        return FrameGrid(count * self.hop, self.needs + more, self.first + more / 2)

    def count(self, n_samples: int) -> int:
        """Return the number of frames for `n_samples` samples; 0 if they are too few."""
        return max(0, (n_samples - self.needs) // self.hop + 1) if n_samples > 0 else 0

    def times(self, n_samples: int, sampling_rate: int) -> NDArray[np.float64]:
        """Return the centre of each frame for `n_samples` samples, in seconds."""
        return (self.first + self.hop * np.arange(self.count(n_samples))) / sampling_rate


def receptive_field(kernels: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Compute the receptive field and the hop of a stack of unpadded convolutions.

    Parameters
    ----------
    kernels, strides
        Kernel size and stride of each convolution, first to last.

    Returns
    -------
    receptive, hop : int
        Samples that affect a frame, and samples from one frame to the next: frame ``t`` depends on
        the samples ``t * hop`` to ``t * hop + receptive - 1``.
    """
    receptive, hop = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        receptive += (kernel - 1) * hop
        hop *= stride
    return receptive, hop
