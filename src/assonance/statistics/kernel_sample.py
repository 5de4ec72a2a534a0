"""Sample frames and compute their kernel and distance matrices."""

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from assonance.statistics.lazy import lazy

# Below this share of their squared norms, the squared distance of two frames is computed from
# their difference: that from products would be rounding.
NEARLY_EQUAL = 1e-6
PAIRS_AT_ONCE = 4096
ROWS_AT_ONCE = 256


def sample_indices(n_frames: int, size: int, seed: int) -> np.ndarray:
    """Draw frames without replacement; all frames if there are at most `size`.

    Parameters
    ----------
    n_frames
        Number of frames to draw from.
    size
        Number of frames to draw.
    seed
        Seed of the draw.

    Returns
    -------
    numpy.ndarray
        Sorted indices, shape (min(n_frames, size),).
    """
    if n_frames <= size:
        return np.arange(n_frames)
    return np.sort(np.random.default_rng(seed).choice(n_frames, size, replace=False))


class KernelSample:
    """One layer at sampled frames, with its kernel and distance matrices.

    Matrices that measures use are cached. Squared distances are not: they are as large, and cost
    less to compute again than each measure's further computations.

    Parameters
    ----------
    frames
        Activations at the sampled frames, shape (n, D).
    """

    def __init__(self, frames: Tensor) -> None:
        self.frames = frames.to(torch.float64)
        self._nearest: dict[int, Tensor] = {}

    def rolled(self, shift: int) -> "KernelSample":
        """Return the sample with its frames rolled by `shift` places, for the circular-shift null.

        Its matrices are those of this sample, rolled, and are not cached.
        """
        return _Rolled(self, shift)

    def squared_distances(self) -> Tensor:
        """Compute squared Euclidean distances, exactly 0 for equal frames; shape (n, n)."""
        return squared_distances(self.frames - self.frames.mean(0))

    @lazy
    def rbf(self) -> Tensor:
        """H·K·H with K = exp(−d²/2σ²) and σ² the median squared distance; shape (n, n).

        Source: Kornblith et al. 2019, section 3; the bandwidth of El Kheir et al. 2024.
        """
        distances = self.squared_distances()
        # torch.quantile raises for 2²⁴ values and more.
        bandwidth = float(np.median(distances.cpu().numpy()))
        return _centre(distances.neg_().div_(2 * bandwidth).exp_())

    @lazy
    def rbf_norm(self) -> Tensor:
        """Frobenius norm of `rbf`."""
        return self.rbf_product(self).sqrt()

    def rbf_product(self, other: "KernelSample") -> Tensor:
        """Compute the inner product of the `rbf` of both samples."""
        return torch.dot(self.rbf.flatten(), other.rbf.flatten())

    @lazy
    def centred_distances(self) -> Tensor:
        """H·d·H with the Euclidean distances d; shape (n, n)."""
        return _centre(self.squared_distances().sqrt_())

    @lazy
    def ranks(self) -> Tensor:
        """Centred ranks of the distances of all pairs of frames, of norm 1; shape (n(n − 1)/2,).

        Distances that differ by rounding alone are ties, which get their mean rank. All 0 if all
        distances are equal.
        """
        i, j = torch.triu_indices(len(self.frames), len(self.frames), 1)
        distances = self.squared_distances()[i, j]
        levels = _levels(distances, self._rounding(distances, i, j))
        ranks = torch.from_numpy(rankdata(levels.cpu().numpy()))
        ranks = (ranks - ranks.mean()).to(self.frames)
        return ranks / max(float(ranks.norm()), 1.0)

    def nearest(self, count: int) -> Tensor:
        """Return whether frame j is among the `count` nearest of frame i; bool, shape (n, n).

        Of equally near frames the earliest count; distances that differ by rounding alone are
        equal. All False if all frames are equally far from each other.
        """
        if count not in self._nearest:
            distances = self.squared_distances().fill_diagonal_(torch.inf)
            nearest = torch.zeros_like(distances, dtype=torch.bool)
            frames = torch.arange(len(distances), device=distances.device)
            unequal = False
            for rows in torch.split(frames, ROWS_AT_ONCE):
                rounding = self._rounding(distances[rows], rows[:, None], frames)
                levels = _levels(distances[rows], rounding.nan_to_num(posinf=0.0))
                # A frame itself is on the last level, above all others.
                unequal |= bool(levels.max() > 1)
                order = levels.argsort(dim=1, stable=True)
                nearest[rows] = nearest[rows].scatter(1, order[:, :count], True)
            self._nearest[count] = nearest if unequal else torch.zeros_like(nearest)
        return self._nearest[count]

    def _rounding(self, distances: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """Bound the difference that rounding makes between equal squared distances.

        Sums of D products are rounded to (D + 4)·ε of the squared norms of both frames, or of
        their difference where that is computed first. The frames as given are rounded as well.
        """
        centred = (self.frames - self.frames.mean(0)).square().sum(1)
        given = self.frames.square().sum(1)
        scale = centred[i] + centred[j]
        near = distances < NEARLY_EQUAL * scale
        computed = torch.where(near, (distances * scale).sqrt(), scale)
        stored = (2 * distances * (given[i] + given[j])).sqrt()
        epsilon = torch.finfo(torch.float64).eps
        return 2 * epsilon * ((self.frames.shape[1] + 4) * computed + stored)


class _Rolled(KernelSample):
    """A sample with rolled frames, whose matrices are rolled instead of computed again."""

    def __init__(self, sample: KernelSample, shift: int) -> None:
        self._sample = sample
        self._shift = shift

    @lazy
    def frames(self) -> Tensor:
        """See `KernelSample.frames`; rolled only where a measure needs them."""
        return self._sample.frames.roll(self._shift, 0)

    @property
    def rbf(self) -> Tensor:
        """See `KernelSample.rbf`; shape (n, n)."""
        return self._roll(self._sample.rbf)

    @lazy
    def rbf_norm(self) -> Tensor:
        """See `KernelSample.rbf_norm`."""
        return self._sample.rbf_norm

    @property
    def centred_distances(self) -> Tensor:
        """See `KernelSample.centred_distances`; shape (n, n)."""
        return self._roll(self._sample.centred_distances)

    def nearest(self, count: int) -> Tensor:
        """See `KernelSample.nearest`; shape (n, n)."""
        return self._roll(self._sample.nearest(count))

    def _roll(self, matrix: Tensor) -> Tensor:
        """Roll rows and columns in one pass; `torch.roll` along both axes takes two."""
        result = torch.empty_like(matrix)
        cut = self._shift % len(matrix)
        blocks = ((slice(cut, None), slice(None, -cut)), (slice(cut), slice(-cut, None)))
        for rows, from_rows in blocks:
            for columns, from_columns in blocks:
                result[rows, columns] = matrix[from_rows, from_columns]
        return result


def squared_distances(frames: Tensor) -> Tensor:
    """Compute squared Euclidean distances between all rows; shape (n, n).

    They are computed from products, and from differences for frames too near for that.
    """
    count = len(frames)
    squares = frames.square().sum(1)
    distances = frames.new_empty(count, count)
    for start in range(0, count, ROWS_AT_ONCE):
        stop = min(start + ROWS_AT_ONCE, count)
        scale = squares[start:stop, None] + squares[:stop]
        rows = torch.addmm(scale, frames[start:stop], frames[:stop].T, alpha=-2)
        near = (rows < NEARLY_EQUAL * scale).tril(start - 1).nonzero()
        for pairs in torch.split(near, PAIRS_AT_ONCE):
            i, j = pairs[:, 0], pairs[:, 1]
            rows[i, j] = (frames[i + start] - frames[j]).square().sum(1)
        block = rows[:, start:].tril(-1)
        rows[:, start:] = block + block.T
        distances[start:stop, :stop] = rows.clamp_(min=0)
        distances[:start, start:stop] = rows[:, :start].T
    return distances


def _levels(values: Tensor, rounding: Tensor) -> Tensor:
    """Return the place of each value among the distinct ones along the last axis, from 0.

    Values that rounding may have made different share a place.
    """
    order = values.argsort(dim=-1)
    gaps = values.gather(-1, order).diff(dim=-1)
    rounding = rounding.gather(-1, order)
    above = gaps > torch.maximum(rounding[..., 1:], rounding[..., :-1])
    levels = torch.zeros_like(order)
    levels[..., 1:] = above.cumsum(-1)
    return torch.empty_like(order).scatter_(-1, order, levels)


def _centre(matrix: Tensor) -> Tensor:
    """Subtract the row and column means in place: H·M·H."""
    rows, columns, whole = matrix.mean(1, keepdim=True), matrix.mean(0), matrix.mean()
    return matrix.sub_(columns).sub_(rows).add_(whole)
