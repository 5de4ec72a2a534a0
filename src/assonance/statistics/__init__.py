"""Mergeable sums over frames and heads, and the statistics read off them."""

from assonance.statistics.blocks import BlockPair, BlockSums, Hsic
from assonance.statistics.folds import FoldedMoments, assign_folds
from assonance.statistics.heads import HeadPair, HeadSums
from assonance.statistics.moments import Moments
from assonance.statistics.pair import Fold, LayerStatistics, Pair
from assonance.statistics.sample import KernelSample, sample_indices

__all__ = [
    "BlockPair",
    "BlockSums",
    "Fold",
    "FoldedMoments",
    "HeadPair",
    "HeadSums",
    "Hsic",
    "KernelSample",
    "LayerStatistics",
    "Moments",
    "Pair",
    "assign_folds",
    "sample_indices",
]
