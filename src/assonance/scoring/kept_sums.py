"""Decide which sums of a layer are kept while its pairs are scored, and estimate their memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from assonance.inference.resampling import Resampling
from assonance.measures import Measure
from assonance.scoring.frame_source import FrameSource
from assonance.scoring.held_alignments import ALIGNED
from assonance.settings import Settings

# Number of matrices of a layer's width squared, in float64, that are kept with its sums: scatter,
# correlations, eigenvectors, whitening, loadings, and random bases in float32.
_FACTORS = 7
# For each fold, in float32: the inverse of the training frames' scatter, and the scatter of the
# held-out frames. And in float64, until they are let go: both scatters.
_FOLD_TABLES = 1
_FOLD_SCATTERS = 2
_FLOAT64 = 8


@dataclass(frozen=True)
class KeptSums:
    """Which sums and factors a layer keeps while its pairs are scored.

    Attributes
    ----------
    groups, folds
        Number of jackknife groups whose sums are kept, and number of folds.
    sampled, kernels
        Number of sampled frames, and of matrices of sampled frames squared that each layer keeps.
    held
        Whether intervals of regressions hold their coefficients; see `HeldScores`.
    lean
        Whether a layer lets go of its products with itself; see `lets_go`.
    """

    groups: int
    folds: int
    sampled: int = 0
    kernels: int = 0
    held: bool = False
    lean: bool = False

    @classmethod
    def of(
        cls,
        source: FrameSource,
        measures: Sequence[Measure],
        settings: Settings,
        resampling: Resampling,
    ) -> Self:
        """Return those of a `FramePass` of the same. No frame is read."""
        return cls(
            groups=resampling.groups,
            folds=resampling.folds,
            sampled=min(sum(source.sizes), settings.sample_frames),
            kernels=sum(each.needs == "sample" for each in measures),
            held=is_held(settings, resampling),
            lean=lets_go(measures, settings, resampling),
        )

    def layer(self, width: int) -> float:
        """Estimate the bytes that the sums, factors and kernels of a layer take in a tile.

        Parameters
        ----------
        width
            Its number of neurons.
        """
        return _FLOAT64 * (self._kept * width**2 + self.kernels * self.sampled**2)

    def at_work(self, width: int) -> float:
        """Estimate the bytes that a layer takes besides while its tables are computed.

        Parameters
        ----------
        width
            As for `layer`.
        """
        return _FLOAT64 * (self._tables + self._products - self._kept) * width**2

    @property
    def _kept(self) -> int:
        """Number of matrices that stay: first the groups' products, then what is made of them."""
        if self.lean:
            return max(self.groups, self._tables)
        return self._tables + self._products

    @property
    def _tables(self) -> int:
        """Number of matrices that pairs of a layer with others need."""
        folds = _FOLD_TABLES * self.folds if self.folds > 1 else 0
        return _FACTORS + folds + (self.groups // 2 if self.held else 0)

    @property
    def _products(self) -> int:
        """Number of matrices that these are computed from."""
        folds = _FOLD_SCATTERS * self.folds if self.folds > 1 else 0
        return self.groups + folds + (self.folds if self.groups > self.folds else 0)


def is_held(settings: Settings, resampling: Resampling) -> bool:
    """Return whether intervals of regressions hold their coefficients; see `FramePass.held`."""
    exact = settings.refit or settings.bootstrap is not None
    return bool(resampling.weights) and resampling.folds > 2 and not exact


def lets_go(measures: Sequence[Measure], settings: Settings, resampling: Resampling) -> bool:
    """Return whether no pair of two layers needs the products of either with itself.

    They are needed where replicates are fitted again, and by measures that decompose the training
    frames of each fold.
    """
    if any(each.needs == "folds" and not each.rowwise for each in measures):
        return False
    replicated = [each for each in measures if each.replicated(settings)]
    fitted = any(not each.rowwise and each.name not in ALIGNED for each in replicated)
    return not resampling.weights or (is_held(settings, resampling) and not fitted)
