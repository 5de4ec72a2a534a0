"""One layer's moments, and what all its pairs share: its spectrum and factors."""

import math

import torch
from torch import Tensor

from assonance.statistics.lazy import lazy

# A neuron whose deviation is below this share of its distance from zero does not vary: float32
# cannot tell its values apart, and what is left is the rounding of the sums.
CONSTANT = 1e-12
# Sums about a shift cannot tell a smaller deviation than this share of its distance from the mean.
NEXT_TO_SHIFT = 1e-6
# Layers up to this width are dealt with in float64 in any case: float32 would save little.
SMALL = 256
# Variance of a direction, in squared units of the last place of its neurons' values, up to which
# it is the rounding of whoever computed them.
_ROUNDED = 4.0
# A neuron of which less than this share of its variance is its own, unexplained by neurons before
# it, makes the inverse of the correlations too large to be trusted without their eigenvalues.
_OWN = 1e-8
# Mean inflation of a slope's variance up to which float32 is precise enough.
_INFLATION = 300.0
# The same for products of a layer with others, and how many neurons must share its deviation: the
# bounds that docs/architecture.md derives under "Precision" come from these two.
_MOST_INFLATION = 100.0
_LEAST_SHARING = 10.0


class LayerStatistics:
    """One layer's mean and scatter, and the factors that the measures share.

    Parameters
    ----------
    n
        Frames.
    mean
        Mean of each neuron about the pilot shift, shape (D,).
    scatter
        Σ(x − mean)(x − mean)ᵀ, shape (D, D).
    shift
        The pilot shift, shape (D,).
    exact
        Whether all products of the layer were made in float64. Otherwise more are made in float32,
        where that costs no more than 10⁻⁷ and saves time.
    unit
        Rounding of the frames' own values, as a share of them: what vanishes next to it is left
        out.
    part_of
        The same layer at more frames, these among them. What depends on each other exactly there
        does so here, and need not be found again.
    """

    def __init__(
        self,
        n: int,
        mean: Tensor,
        scatter: Tensor,
        shift: Tensor,
        *,
        exact: bool = True,
        unit: float = torch.finfo(torch.float64).eps,
        part_of: "LayerStatistics | None" = None,
    ) -> None:
        self.n = n
        self.mean = mean
        self.scatter = scatter
        self.shift = shift
        self.exact = exact
        self.unit = unit
        self.part_of = part_of

    @lazy
    def norms(self) -> Tensor:
        """Norm of each centred neuron over the frames, √Σ(x − mean)²; shape (D,)."""
        return self.scatter.diagonal().clamp(min=0).sqrt()

    @lazy
    def varies(self) -> Tensor:
        """Which neurons are not constant; bool, shape (D,)."""
        values, sums = (self.shift + self.mean).abs(), self.mean.abs()
        floor = math.sqrt(self.n) * torch.maximum(CONSTANT * values, NEXT_TO_SHIFT * sums)
        return self.norms > floor.clamp(min=torch.finfo(torch.float64).tiny)

    @lazy
    def correlation(self) -> Tensor:
        """Pearson correlations between the neurons that vary; shape (V, V)."""
        inverse = 1 / self.norms[self.varies]
        return (among(self.scatter, self.varies, self.varies) * inverse[:, None]).mul_(inverse)

    @lazy
    def spectrum(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues (K,), largest first, and eigenvectors (V, K) of the correlations.

        Only directions that can be told from rounding are kept: that of the sums, V·ε of the
        largest eigenvalue, and that of the frames themselves where they were float32; and no more
        of them than frames allow.
        """
        values, vectors, kept = self._eigen
        return values[:kept], vectors[:, :kept].contiguous()

    @lazy
    def dependence(self) -> Tensor:
        """Directions of the standardised neurons that are told from rounding no more; (V, M)."""
        _, vectors, kept = self._eigen
        return vectors[:, kept:]

    @lazy
    def _eigen(self) -> tuple[Tensor, Tensor, int]:
        """All eigenvalues, largest first, and eigenvectors; how many are told from rounding."""
        values, vectors = torch.linalg.eigh(self.correlation)
        values, vectors = values.flip(0), vectors.flip(1)
        if not len(values):
            return values, vectors, 0
        told_apart = values > self._rounding(vectors, values[0])
        # Values fall and are cut at the first that is none, so that no direction is skipped.
        return values, vectors, min(int(told_apart.long().cumprod(0).sum()), self.n - 1)

    @lazy
    def whitening(self) -> Tensor:
        """V×K matrix taking standardised neurons to uncorrelated directions of norm one."""
        values, vectors = self.spectrum
        return vectors / values.sqrt()

    @lazy
    def inverse(self) -> Tensor:
        """Inverse of the correlations of the neurons that vary; (V, V).

        The pseudo-inverse where there are fewer directions than neurons.
        """
        inverse = self._inverted(self.correlation)
        if inverse is None:
            inverse = self._inverted_within()
        if inverse is None:
            inverse = self.whitening @ self.whitening.T
        return inverse

    def inverse_type(self, precision: torch.dtype) -> torch.dtype:
        """Give the precision, or float64 where the inverse is too large for it.

        Products with it then err by no more than 10⁻⁷ of a neuron's variance.
        """
        return precision if self._inflation <= _INFLATION else torch.float64

    @lazy
    def delicate(self) -> bool:
        """Whether rounding in float32 could reach the sixth decimal of a score of this layer.

        It does where neurons nearly depend on each other, since measures divide by what is left
        of them, or where a few neurons have nearly all the deviation, since PWCCA weights by it
        and rounding then has no others to average over.
        """
        norms = self.norms[self.varies]
        if not len(norms):
            return False
        shares = norms / norms.max()
        sharing = float(shares.sum().square() / shares.square().sum())
        return sharing < _LEAST_SHARING or self._inflation > _MOST_INFLATION

    @lazy
    def _inflation(self) -> float:
        """Mean inflation of a slope's variance by the other neurons."""
        return float(self.inverse.diagonal().mean()) if len(self.inverse) else 0.0

    def _inverted_within(self) -> Tensor | None:
        """Pseudo-inverse where exactly those directions vanish that do at more frames.

        With orthonormal N along them, C⁺ = (C + NNᵀ)⁻¹ − NNᵀ, which takes no eigenvalues.
        """
        more = self.part_of
        if more is None or not torch.equal(more.varies, self.varies):
            return None
        # A sum of neurons that is constant at all frames is so at these.
        directions = more.dependence * (self.norms / more.norms)[self.varies, None]
        directions = torch.linalg.qr(directions)[0]
        left = (directions * (self.correlation @ directions)).sum(0)
        if not len(left) or bool((left > self._rounding(directions, len(self.correlation))).any()):
            return None
        projection = directions @ directions.T
        inverse = self._inverted(self.correlation + projection)
        return None if inverse is None else inverse - projection

    @staticmethod
    def _inverted(correlation: Tensor) -> Tensor | None:
        """Inverse by Cholesky's factor; None where that cannot be trusted."""
        factor, failed = torch.linalg.cholesky_ex(correlation)
        if not len(factor) or failed or bool((factor.diagonal().square() <= _OWN).any()):
            return None
        return torch.cholesky_inverse(factor)

    @lazy
    def loadings(self) -> Tensor:
        """Correlations of the neurons with the whitened directions; (V, K)."""
        values, vectors = self.spectrum
        return vectors * values.sqrt()

    @property
    def product_type(self) -> torch.dtype:
        """In what products of bounded entries are made."""
        return torch.float64 if self.exact or len(self.mean) <= SMALL else torch.float32

    def rank_of_variance(self, share: float, cut: str) -> int:
        """How many leading directions of the standardised neurons a cut keeps.

        Parameters
        ----------
        share
            Share of the variance, between 0 and 1.
        cut
            ``"reach"`` keeps the fewest directions that reach the share; ``"below"`` those whose
            cumulative share stays below it, so that the one which crosses is dropped.
        """
        values, _ = self.spectrum
        below = int((values.cumsum(0) < share * values.sum()).sum())
        return below if cut == "below" else min(below + 1, len(values))

    def _rounding(self, vectors: Tensor, largest: Tensor | float) -> Tensor:
        """Variance of each direction that is nothing but rounding; (K,).

        That of sums whose largest eigenvalue is given, and that of the frames' own values.
        """
        of_sums = len(vectors) * torch.finfo(vectors.dtype).eps * largest
        mean, norms = (self.shift + self.mean)[self.varies], self.norms[self.varies]
        of_neurons = self.unit**2 * (1 + self.n * (mean / norms).square())
        of_frames = _ROUNDED * (vectors.square() * of_neurons[:, None]).sum(0)
        return of_frames.clamp(min=of_sums)


def among(matrix: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Rows and columns of a matrix by two masks; the matrix itself where all are wanted."""
    if not rows.all():
        matrix = matrix[rows]
    return matrix if columns.all() else matrix[:, columns]
