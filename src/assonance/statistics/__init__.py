"""Mergeable sums over frames and heads, and the statistics read off them."""

from assonance.statistics.blocks import BlockSums, weighted_blocks
from assonance.statistics.folds import FoldedMoments, assign_folds
from assonance.statistics.grid import on_grid
from assonance.statistics.head_shapes import HeadShapes
from assonance.statistics.heads import HeadPair, HeadSums, weighted_heads
from assonance.statistics.heldout import Fold
from assonance.statistics.hsic import BlockPair, Hsic
from assonance.statistics.layer import LayerStatistics
from assonance.statistics.moments import CHUNK_FRAMES, Moments
from assonance.statistics.pair import Pair
from assonance.statistics.parts import (
    Crossed,
    PartedMoments,
    assign_parts,
    halves,
    replicate_weights,
)
from assonance.statistics.sample import KernelSample, sample_indices
from assonance.statistics.stack import StackedPair

__all__ = [
    "CHUNK_FRAMES",
    "BlockPair",
    "BlockSums",
    "Crossed",
    "Fold",
    "FoldedMoments",
    "HeadPair",
    "HeadShapes",
    "HeadSums",
    "Hsic",
    "KernelSample",
    "LayerStatistics",
    "Moments",
    "Pair",
    "PartedMoments",
    "StackedPair",
    "assign_folds",
    "assign_parts",
    "halves",
    "on_grid",
    "replicate_weights",
    "sample_indices",
    "weighted_blocks",
    "weighted_heads",
]
