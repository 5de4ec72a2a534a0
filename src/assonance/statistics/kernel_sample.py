"""Frames drawn by a seed, and their kernel matrices, for what moments cannot give."""

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from assonance.statistics.lazy import lazy

# Below this share of their squared norms, the squared distance of two frames is the rounding of
# their products.
NEARLY_EQUAL = 1e-6


PAIRS_AT_ONCE = 4096


ROWS_AT_ONCE = 256


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
    """What measures of frames against frames are functions of: one layer at sampled frames.

    The squared distances themselves are not kept: making them again takes less time than what
    each measure makes of them, and they are as large. Nor is what is only turned.

    Parameters
    ----------
    frames
        Activations at the sampled frames, shape (n, D).
    """

    def __init__(self, frames: Tensor) -> None:
        self.frames = frames.to(torch.float64)
        self._nearest: dict[int, Tensor] = {}

    def turned(self, turn: int) -> "KernelSample":
        """Return the sample with its frames moved on so many places, round in a circle."""
        return _Turned(self, turn)

    def squared_distances(self) -> Tensor:
        """Squared Euclidean distances between the frames, exactly 0 where they are the same."""
        return squared_distances(self.frames - self.frames.mean(0))

    @lazy
    def rbf(self) -> Tensor:
        """H·K·H with K = exp(−d²/2σ²) and σ² the median squared distance; shape (n, n).

        Source: Kornblith et al. 2019, section 3; the bandwidth of El Kheir et al. 2024.
        """
        distances = self.squared_distances()
        # torch.quantile refuses as few as 2²⁴ values.
        bandwidth = float(np.median(distances.cpu().numpy()))
        return _centre(distances.neg_().div_(2 * bandwidth).exp_())

    @lazy
    def rbf_norm(self) -> Tensor:
        """Frobenius norm of `rbf`."""
        return self.rbf_product(self).sqrt()

    def rbf_product(self, other: "KernelSample") -> Tensor:
        """Inner product of both samples' `rbf`."""
        return torch.dot(self.rbf.flatten(), other.rbf.flatten())

    @lazy
    def centred_distances(self) -> Tensor:
        """H·d·H of the Euclidean distances d; shape (n, n)."""
        return _centre(self.squared_distances().sqrt_())

    @lazy
    def ranks(self) -> Tensor:
        """Centred ranks of the distances of all pairs of frames, ties averaged, of norm one.

        All 0 where all distances are the same; shape (n(n − 1)/2,).
        """
        i, j = torch.triu_indices(len(self.frames), len(self.frames), 1)
        ranks = torch.from_numpy(rankdata(self.squared_distances()[i, j].cpu().numpy()))
        ranks = (ranks - ranks.mean()).to(self.frames)
        return ranks / max(float(ranks.norm()), 1.0)

    def nearest(self, count: int) -> Tensor:
        """Which frames are among the `count` nearest of each; bool, shape (n, n).

        Of equally near ones the earliest. None are where all frames are the same.
        """
        if count not in self._nearest:
            distances = self.squared_distances()
            found = torch.zeros_like(distances, dtype=torch.bool)
            if distances.any():
                order = distances.fill_diagonal_(torch.inf).argsort(dim=1, stable=True)
                found.scatter_(1, order[:, :count], True)
            self._nearest[count] = found
        return self._nearest[count]


class _Turned(KernelSample):
    """The same frames in another order: what was computed of them is turned, not computed anew."""

    def __init__(self, sample: KernelSample, turn: int) -> None:
        super().__init__(sample.frames.roll(turn, 0))
        self._sample = sample
        self._turn = turn

    @property
    def rbf(self) -> Tensor:
        """As of any sample; shape (n, n)."""
        return self._both(self._sample.rbf)

    @lazy
    def rbf_norm(self) -> Tensor:
        """As of any sample."""
        return self._sample.rbf_norm

    @property
    def centred_distances(self) -> Tensor:
        """As of any sample; shape (n, n)."""
        return self._both(self._sample.centred_distances)

    def nearest(self, count: int) -> Tensor:
        """As of any sample; shape (n, n)."""
        return self._both(self._sample.nearest(count))

    def _both(self, matrix: Tensor) -> Tensor:
        # As `roll` along both axes, which would go over the matrix twice.
        result = torch.empty_like(matrix)
        cut = self._turn % len(matrix)
        ways = ((slice(cut, None), slice(None, -cut)), (slice(cut), slice(-cut, None)))
        for rows, from_rows in ways:
            for columns, from_columns in ways:
                result[rows, columns] = matrix[from_rows, from_columns]
        return result


def squared_distances(frames: Tensor) -> Tensor:
    """Squared Euclidean distances between all rows; shape (n, n).

    From products, and again from the differences where frames are too near for that.
    """
    squares = (frames**2).sum(1)
    distances = (squares[:, None] + squares).addmm_(frames, frames.T, alpha=-2)
    # Not every library makes the two triangles of a product with bits alike.
    distances = (distances + distances.T).div_(2)
    for start in range(0, len(frames), ROWS_AT_ONCE):
        rows = distances[start : start + ROWS_AT_ONCE]
        scale = squares[start : start + ROWS_AT_ONCE, None] + squares
        near = (rows < NEARLY_EQUAL * scale).triu(start + 1).nonzero()
        for some in torch.split(near, PAIRS_AT_ONCE):
            i, j = some[:, 0] + start, some[:, 1]
            exact = (frames[i] - frames[j]).square().sum(1)
            distances[i, j] = exact
            distances[j, i] = exact
    return distances.fill_diagonal_(0).clamp_(min=0)


def _centre(matrix: Tensor) -> Tensor:
    rows, columns, whole = matrix.mean(1, keepdim=True), matrix.mean(0), matrix.mean()
    return matrix.sub_(columns).sub_(rows).add_(whole)
