"""Where a model's frames lie: how many it makes of so many samples, and the centre of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FrameGrid:
    """Frames at equal distances.

    Attributes
    ----------
    hop
        Samples from one frame to the next.
    needs
        Samples that the first frame takes, none where padding is enough; every `hop` more make
        another. No samples at all make no frame.
    first
        Place of the first frame's centre, in samples, the first sample being at 0.
    """

    hop: int
    needs: int
    first: float

    @classmethod
    def of_convolutions(cls, kernels: Sequence[int], strides: Sequence[int]) -> "FrameGrid":
        """Place the frames that unpadded convolutions make, first to last."""
        receptive, hop = receptive_field(kernels, strides)
        return cls(hop, receptive, (receptive - 1) / 2)

    def joined(self, count: int) -> "FrameGrid":
        """Place the frames that are each made of `count` frames, none of them twice."""
        more = (count - 1) * self.hop
        return FrameGrid(count * self.hop, self.needs + more, self.first + more / 2)

    def count(self, n_samples: int) -> int:
        """Count the frames made of so many samples; 0 where they are too few."""
        return max(0, (n_samples - self.needs) // self.hop + 1) if n_samples > 0 else 0

    def times(self, n_samples: int, sampling_rate: int) -> NDArray[np.float64]:
        """Give the centre of each frame made of so many samples, in seconds."""
        return (self.first + self.hop * np.arange(self.count(n_samples))) / sampling_rate


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
