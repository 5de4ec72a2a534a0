"""Compute unbiased estimates of HSIC between linear kernels from sums over blocks of frames."""

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

# One number, or one of each of several sets of blocks, (G,).
Sum = TypeVar("Sum", float, Tensor)


@dataclass(frozen=True)
class Hsic:
    """Estimates of the Hilbert–Schmidt independence criterion of two layers, linear kernels.

    Attributes
    ----------
    xy, xx, yy
        HSIC of x with y, of x with itself and of y with itself; NaN for fewer than four blocks.
    """

    xy: float
    xx: float
    yy: float

    def swapped(self) -> "Hsic":
        """Return the estimates with x and y exchanged."""
        return Hsic(self.xy, self.yy, self.xx)

    @property
    def alignment(self) -> float:
        """CKA, HSIC(X, Y)/√(HSIC(X, X)·HSIC(Y, Y)); NaN if xx or yy is not positive."""
        if not (self.xx > 0 and self.yy > 0):
            return float("nan")
        return self.xy / math.sqrt(self.xx * self.yy)


@dataclass(frozen=True)
class BlockPair:
    """Unbiased HSIC estimates for a pair of layers.

    Attributes
    ----------
    frames
        Over tuples of distinct frames (Song et al. 2012). Unbiased if frames are independent.
    utterances
        Over tuples of frames from distinct utterances. Unbiased however the frames of an utterance
        depend on each other. None if the sums were not kept by utterance.
    """

    frames: Hsic
    utterances: Hsic | None = None

    def swapped(self) -> "BlockPair":
        """Return the estimates with x and y exchanged."""
        return BlockPair(self.frames.swapped(), self.utterances and self.utterances.swapped())


@dataclass(frozen=True)
class Powers:
    """Power sums Σn, Σn², Σn³ and Σn⁴ over blocks of n frames."""

    first: int = 0
    second: int = 0
    third: int = 0
    fourth: int = 0

    def merge(self, other: "Powers") -> "Powers":
        """Return the sums over the blocks of both."""
        return Powers(
            self.first + other.first,
            self.second + other.second,
            self.third + other.third,
            self.fourth + other.fourth,
        )

    def repeated(self, times: int) -> "Powers":
        """Return the sums over the same blocks with every frame repeated `times` times."""
        return Powers(
            self.first * times,
            self.second * times**2,
            self.third * times**3,
            self.fourth * times**4,
        )

    def tuples(self) -> tuple[int, int, int]:
        """Count the ordered pairs, triples and quadruples of frames from distinct blocks."""
        n, n2, n3, n4 = self.first, self.second, self.third, self.fourth
        two = n**2 - n2
        three = n**3 - 3 * n * n2 + 2 * n3
        four = two**2 - 4 * (n2 * n**2 - 2 * n * n3 + n4) + 2 * (n2**2 - n4)
        return two, three, four

    @property
    def counts(self) -> tuple[float, float, float]:
        """The same as floats, by which sums are divided; NaN for fewer than four blocks."""
        two, three, four = self.tuples()
        return (two, three, four) if four > 0 else (math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class HsicSums(Generic[Sum]):
    """The sums that an HSIC estimate is computed from.

    For block u with frames X_u and Y_u: s_u = X_uᵀ1, t_u = Y_uᵀ1 and C_u = X_uᵀY_u.
    """

    total: Sum  # ‖C‖², C = ΣC_u
    within: Sum  # Σ‖C_u‖²
    ends: Sum  # SᵀCT, S = Σs_u, T = Σt_u
    x_end: Sum  # Σ SᵀC_u t_u
    y_end: Sum  # Σ s_uᵀC_u T
    chain: Sum  # Σ s_uᵀC_u t_u
    mixed: Sum  # ⟨C, M⟩, M = Σs_u t_uᵀ
    between: Sum  # ‖M‖²
    x_total: Sum  # ‖S‖²
    y_total: Sum  # ‖T‖²
    x_squares: Sum  # Σ‖s_u‖²
    y_squares: Sum  # Σ‖t_u‖²
    joint: Sum  # SᵀMT
    x_weighted: Sum  # Σ Sᵀs_u‖t_u‖²
    y_weighted: Sum  # Σ ‖s_u‖² t_uᵀT
    squares: Sum  # Σ‖s_u‖²‖t_u‖²

    def hsic(self, counts: tuple[Sum, Sum, Sum]) -> Sum:
        """Compute mean K_ij L_ij + mean K_ij L_qr − 2·mean K_ij L_iq.

        Each mean is over indices of distinct blocks.

        Parameters
        ----------
        counts
            Number of pairs, triples and quadruples; see `Powers.counts`.
        """
        two, three, four = counts
        pairs = self.total - self.within
        triples = self.ends - self.x_end - self.y_end + 2 * self.chain - self.mixed
        rows = self.joint - self.x_weighted - self.y_weighted + self.squares
        product = (self.x_total - self.x_squares) * (self.y_total - self.y_squares)
        quadruples = product - 4 * rows + 2 * (self.between - self.squares)
        return pairs / two - 2 * triples / three + quadruples / four
