"""Compute statistics of one layer that all its pairs share: norms, spectrum and inverse."""

import torch
from torch import Tensor

from assonance.statistics.lazy import forget, lazy

# A neuron counts as constant if its standard deviation is below this share of its mean: what is
# left then is the rounding of the sums.
CONSTANT = 1e-12
# Sums about a shift cannot resolve a standard deviation below this share of the distance between
# shift and mean.
NEXT_TO_SHIFT = 1e-6
# Products of layers up to this width are always computed in float64: float32 would save little.
SMALL = 256
# Variance of a direction up to which it counts as rounding of the frames, in squared units in the
# last place of the neurons' values.
_ROUNDING_UNITS = 4.0
# Below this share of a neuron's variance that the neurons before it leave unexplained, Cholesky's
# inverse of the correlations is not trusted.
_LEAST_UNEXPLAINED = 1e-8
# Highest mean variance inflation for which products with the inverse are computed in float32.
_INVERSE_INFLATION = 300.0
# A layer is delicate above this mean variance inflation, or below this effective number of neurons
# that share its standard deviation. docs/architecture.md derives both bounds.
_MOST_INFLATION = 100.0
_LEAST_SHARING = 10.0


class LayerStatistics:
    """Mean and scatter of one layer, and the factorisations that the measures share.

    Parameters
    ----------
    n
        Number of frames.
    mean
        Mean of each neuron about the pilot shift, shape (D,).
    scatter
        Σ(x − mean)(x − mean)ᵀ, shape (D, D).
    shift
        Pilot shift, shape (D,).
    float64_products
        Whether all products of the layer were computed in float64. If not, further products are
        computed in float32 where that costs no more than 10⁻⁷ and saves time.
    epsilon
        Machine epsilon of the frames: directions with less variance than its rounding are dropped.
    superset
        The same layer at a superset of the frames. Linear dependences between neurons found there
        also hold here, so they are not searched for again.
    """

    def __init__(
        self,
        n: int,
        mean: Tensor,
        scatter: Tensor,
        shift: Tensor,
        *,
        float64_products: bool = True,
        epsilon: float = torch.finfo(torch.float64).eps,
        superset: "LayerStatistics | None" = None,
    ) -> None:
        self.n = n
        self.mean = mean
        self.scatter = scatter
        self.shift = shift
        self.float64_products = float64_products
        self.epsilon = epsilon
        self.superset = superset

    @lazy
    def norms(self) -> Tensor:
        """Norm of each centred neuron, √Σ(x − mean)²; shape (D,)."""
        return self.scatter.diagonal().clamp(min=0).sqrt()

    @lazy
    def varies(self) -> Tensor:
        """Whether each neuron varies, that is, is not constant; bool, shape (D,)."""
        return exceeds_rounding(self.norms, self.n, self.mean, self.shift)

    @lazy
    def correlation(self) -> Tensor:
        """Pearson correlations between the V neurons that vary; shape (V, V)."""
        inverse = 1 / self.norms[self.varies]
        return (submatrix(self.scatter, self.varies, self.varies) * inverse[:, None]).mul_(inverse)

    @property
    def spectrum(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues (K,), largest first, and eigenvectors (V, K) of the correlations.

        Only directions with more variance than rounding are kept, and at most n − 1. Rounding is
        that of the sums, V·ε of the largest eigenvalue, and that of the frames (`epsilon`).
        """
        values, vectors, _ = self._directions
        return values, vectors

    @property
    def null_space(self) -> Tensor:
        """Directions of the standardised neurons with no variance beyond rounding; (V, M)."""
        return self._directions[2]

    @lazy
    def _directions(self) -> tuple[Tensor, Tensor, Tensor]:
        """Eigenvalues and eigenvectors that exceed rounding, and the other eigenvectors."""
        values, vectors = torch.linalg.eigh(self.correlation)
        values, vectors = values.flip(0), vectors.flip(1)
        kept = 0
        if len(values):
            resolved = values > self._rounding_variance(vectors, values[0])
            # Cut at the first eigenvalue within rounding, so that no direction in between is
            # skipped.
            kept = min(int(resolved.long().cumprod(0).sum()), self.n - 1)
        return values[:kept], vectors[:, :kept].contiguous(), vectors[:, kept:].contiguous()

    @lazy
    def whitening(self) -> Tensor:
        """Matrix from standardised neurons to uncorrelated directions of norm 1; (V, K)."""
        values, vectors = self.spectrum
        return vectors / values.sqrt()

    @lazy
    def inverse(self) -> Tensor:
        """Inverse of `correlation`, or its pseudo-inverse if neurons are dependent; (V, V)."""
        # What depends exactly in a superset of the frames depends here too.
        ways = [self._own_inverse, self._superset_inverse]
        if self.superset is not None and self.superset.dependent:
            ways.reverse()
        for way in ways:
            inverse = way()
            if inverse is not None:
                return inverse
        return self.whitening @ self.whitening.T

    def inverse_dtype(self, dtype: torch.dtype) -> torch.dtype:
        """Return the dtype for products with `inverse`: `dtype`, or float64 if it is too large.

        In that dtype they err by no more than 10⁻⁷ of a neuron's variance.
        """
        return dtype if self._inflation <= _INVERSE_INFLATION else torch.float64

    @lazy
    def delicate(self) -> bool:
        """Whether rounding in float32 could reach the sixth decimal of a score of this layer.

        True if neurons are nearly dependent, since measures divide by the small eigenvalues. Also
        true if few neurons have nearly all the standard deviation: PWCCA weights by it, and
        rounding then does not average out over neurons.
        """
        norms = self.norms[self.varies]
        if not len(norms):
            return False
        shares = norms / norms.max()
        sharing = float(shares.sum().square() / shares.square().sum())
        return sharing < _LEAST_SHARING or self._inflation > _MOST_INFLATION

    @lazy
    def _inflation(self) -> float:
        """Mean variance inflation of a slope by the other neurons, tr C⁻¹/V."""
        return float(self.inverse.diagonal().mean()) if len(self.inverse) else 0.0

    @lazy
    def dependent(self) -> bool:
        """Whether neurons depend on each other so much that Cholesky's inverse is not trusted."""
        return self._own_inverse() is None

    def _own_inverse(self) -> Tensor | None:
        return self._cholesky_inverse(self.correlation)

    def _superset_inverse(self) -> Tensor | None:
        """Compute the pseudo-inverse from the null space at the superset of the frames.

        With orthonormal N along the null space, C⁺ = (C + NNᵀ)⁻¹ − NNᵀ needs no eigenvalues. None
        if the null space here is another.
        """
        superset = self.superset
        if superset is None or not torch.equal(superset.varies, self.varies):
            return None
        # A linear combination of neurons that is constant at all frames is constant at these.
        directions = superset.null_space * (self.norms / superset.norms)[self.varies, None]
        directions = torch.linalg.qr(directions)[0]
        variance = (directions * (self.correlation @ directions)).sum(0)
        rounding = self._rounding_variance(directions, len(self.correlation))
        if not len(variance) or bool((variance > rounding).any()):
            return None
        projection = directions @ directions.T
        inverse = self._cholesky_inverse(self.correlation + projection)
        return None if inverse is None else inverse - projection

    @staticmethod
    def _cholesky_inverse(correlation: Tensor) -> Tensor | None:
        """Compute the inverse by Cholesky's factor, or None if it is not precise enough."""
        factor, failed = torch.linalg.cholesky_ex(correlation)
        unexplained = factor.diagonal().square()
        if not len(factor) or failed or bool((unexplained <= _LEAST_UNEXPLAINED).any()):
            return None
        return torch.cholesky_inverse(factor)

    @lazy
    def loadings(self) -> Tensor:
        """Correlations of the neurons with the whitened directions; (V, K)."""
        values, vectors = self.spectrum
        return vectors * values.sqrt()

    @property
    def product_dtype(self) -> torch.dtype:
        """Dtype of products of matrices with bounded entries."""
        return torch.float64 if self.float64_products or len(self.mean) <= SMALL else torch.float32

    def let_go(self) -> None:
        """Let go of the scatter and of all factors; means, norms and inflation stay."""
        _ = self.varies
        forget(self, "scatter", "correlation", "inverse", "_directions", "whitening", "loadings")

    def rank_of_variance(self, share: float, cut: str) -> int:
        """Return how many leading directions of the standardised neurons a cut keeps.

        Parameters
        ----------
        share
            Share of the variance, between 0 and 1.
        cut
            ``"reach"`` keeps the fewest directions that reach the share. ``"below"`` keeps those
            whose cumulative share stays below it, and so drops the direction that crosses it.
        """
        values, _ = self.spectrum
        below = int((values.cumsum(0) < share * values.sum()).sum())
        return below if cut == "below" else min(below + 1, len(values))

    def _rounding_variance(self, vectors: Tensor, largest: Tensor | float) -> Tensor:
        """Compute the variance along each direction that rounding alone can cause; (K,).

        The rounding of the sums, whose largest eigenvalue is given, or of the frames, whichever
        is larger.
        """
        of_sums = len(vectors) * torch.finfo(vectors.dtype).eps * largest
        mean, norms = (self.shift + self.mean)[self.varies], self.norms[self.varies]
        of_neurons = self.epsilon**2 * (1 + self.n * (mean / norms).square())
        of_frames = _ROUNDING_UNITS * (vectors.square() * of_neurons[:, None]).sum(0)
        return of_frames.clamp(min=of_sums)


def exceeds_rounding(norms: Tensor, n: Tensor | int, mean: Tensor, shift: Tensor) -> Tensor:
    """Return whether neurons vary by more than the rounding of their sums; bool, as `norms`.

    Parameters
    ----------
    norms, mean
        Norm of each centred neuron, and its mean about the pilot shift.
    n, shift
        Number of frames, and the pilot shift.
    """
    floor = torch.maximum(CONSTANT * (shift + mean).abs(), NEXT_TO_SHIFT * mean.abs())
    return norms > (torch.as_tensor(n).sqrt() * floor).clamp(min=torch.finfo(torch.float64).tiny)


def submatrix(matrix: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the rows and columns of two masks; the matrix itself if both select everything."""
    if not rows.all():
        matrix = matrix[rows]
    return matrix if columns.all() else matrix[:, columns]
