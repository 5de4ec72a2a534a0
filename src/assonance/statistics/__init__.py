"""Add up mergeable sums over frames and heads, and compute statistics from them."""

from assonance.statistics.folds import FoldedMoments
from assonance.statistics.head_grid import on_grid
from assonance.statistics.head_maps import HeadMaps, UtteranceMaps
from assonance.statistics.head_profiles import HeadProfiles
from assonance.statistics.head_sums import (
    HeadPair,
    HeadSums,
    count_rows,
    sample_queries,
    weighted_heads,
)
from assonance.statistics.hsic import BlockPair, Hsic
from assonance.statistics.hsic_sums import HsicBlockSums, weighted_blocks
from assonance.statistics.kernel_sample import KernelSample, sample_indices
from assonance.statistics.layer import LayerStatistics
from assonance.statistics.moment_views import GroupedMoments, ShiftedProducts, halves
from assonance.statistics.moments import CHUNK_FRAMES, Moments
from assonance.statistics.pair import Fold, Pair
from assonance.statistics.stack import StackedPair

__all__ = [
    "CHUNK_FRAMES",
    "BlockPair",
    "Fold",
    "FoldedMoments",
    "GroupedMoments",
    "HeadMaps",
    "HeadPair",
    "HeadProfiles",
    "HeadSums",
    "Hsic",
    "HsicBlockSums",
    "KernelSample",
    "LayerStatistics",
    "Moments",
    "Pair",
    "ShiftedProducts",
    "StackedPair",
    "UtteranceMaps",
    "count_rows",
    "halves",
    "on_grid",
    "sample_indices",
    "sample_queries",
    "weighted_blocks",
    "weighted_heads",
]
