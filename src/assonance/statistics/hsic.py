"""Compute unbiased estimates of HSIC between linear kernels from sums over blocks of frames."""

import math
from collections.abc import Sequence
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

    def hsic(self, counts: Sequence[Sum]) -> Sum:
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


@dataclass(frozen=True)
class PairSums(Generic[Sum]):
    """The sums of two layers that estimates over frames and over utterances have in common.

    C = Σxyᵀ, S = Σx and T = Σy are of all frames. For utterance u, C_u, s_u and t_u are of its own.

    Attributes
    ----------
    total, ends, x_total, y_total
        ‖C‖², SᵀCT, ‖S‖² and ‖T‖².
    tables
        Σ‖x‖²‖y‖² over frames; over utterances Σ‖C_u‖², Σ s_uᵀC_u t_u and Σ‖s_u‖²‖t_u‖².
    x_norms, y_norms
        Σ‖x‖² over frames and Σ‖s_u‖² over utterances; and of y.
    x_ends, y_ends
        Σ Sᵀx‖y‖² over frames; over utterances Σ SᵀC_u t_u and Σ Sᵀs_u‖t_u‖². And of y.
    """

    total: Sum
    ends: Sum
    x_total: Sum
    y_total: Sum
    tables: Sequence[Sum]
    x_norms: Sequence[Sum]
    y_norms: Sequence[Sum]
    x_ends: Sequence[Sum]
    y_ends: Sequence[Sum]

    @property
    def over_frames(self) -> HsicSums[Sum]:
        """Sums over blocks of one frame, where Σs_u t_uᵀ is C."""
        return self._over(
            0, (0, 0, 0), (0, 0), mixed=self.total, between=self.total, joint=self.ends
        )

    def over_utterances(self, *, mixed: Sum, between: Sum, joint: Sum) -> HsicSums[Sum]:
        """Return the sums over utterances, of which some are of M = Σs_u t_uᵀ; see `HsicSums`."""
        return self._over(1, (1, 2, 3), (1, 2), mixed=mixed, between=between, joint=joint)

    def _over(
        self, norms: int, tables: Sequence[int], ends: Sequence[int], **outer: Sum
    ) -> HsicSums[Sum]:
        within, chain, squares = (self.tables[place] for place in tables)
        x_end, x_weighted = (self.x_ends[place] for place in ends)
        y_end, y_weighted = (self.y_ends[place] for place in ends)
        return HsicSums(
            total=self.total,
            within=within,
            ends=self.ends,
            x_end=x_end,
            y_end=y_end,
            chain=chain,
            x_total=self.x_total,
            y_total=self.y_total,
            x_squares=self.x_norms[norms],
            y_squares=self.y_norms[norms],
            x_weighted=x_weighted,
            y_weighted=y_weighted,
            squares=squares,
            **outer,
        )
