"""Replicates of linear CKA, from correlations with each jackknife group left out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from assonance.scoring.replicates import ReplicateScores
from assonance.statistics import Hsic, HsicBlockSums
from assonance.statistics.cross import ScaledCross
from assonance.statistics.layer_groups import LayerGroups
from assonance.statistics.left_out import correlations_without

# Measures whose replicates are computed here.
ALIGNED = ("cka", "cka_standardized", "cka_debiased", "cka_utterance")


@dataclass(frozen=True)
class AlignedTerms:
    """Terms of two layers with one group left out.

    Attributes
    ----------
    covariance, correlation
        Sums of squares of all cross-products, and of all correlations.
    hsic
        Over distinct frames, and over distinct utterances; NaN if no measure needs it.
    """

    covariance: float
    correlation: float
    hsic: tuple[float, float]


class HeldAlignments:
    """Replicates of linear CKAs by the jackknife, all from one table of correlations a group.

    Parameters
    ----------
    names
        Measures that are replicated; those not among `ALIGNED` are passed over.
    replicates
        Receives the replicates.
    own
        Terms of layers with themselves, to which those of further layers are added.
    """

    def __init__(
        self,
        names: Sequence[str],
        replicates: ReplicateScores,
        own: dict[str, list[AlignedTerms]],
    ) -> None:
        self.names = [name for name in ALIGNED if name in names]
        self._replicates = replicates
        self._own = own

    def lacks(self, layer: LayerGroups) -> bool:
        """Return whether a layer is to be compared with itself first."""
        return bool(self.names) and layer.name not in self._own

    def prepare(self, layer: LayerGroups, cross: Tensor, blocks: Sequence[HsicBlockSums]) -> None:
        """Compare a layer with itself, unless it was.

        Parameters
        ----------
        layer, cross, blocks
            The layer, its `LayerGroups.own_cross`, and sums with each group left out; empty if no
            measure needs them.
        """
        if self.lacks(layer):
            tables = correlations_without(layer, layer, cross)
            groups = range(len(layer.counts))
            self._own[layer.name] = [
                _terms(layer, layer, group, table, blocks)
                for group, table in zip(groups, tables, strict=False)
            ]

    def add(
        self,
        x: LayerGroups,
        y: LayerGroups,
        group: int,
        table: Tensor,
        blocks: Sequence[HsicBlockSums],
    ) -> None:
        """Add the replicates of a pair of layers without one group.

        Parameters
        ----------
        x, y, group
            The layers, and the group left out.
        table
            Their correlations in all other groups, (Dx, Dy).
        blocks
            As for `prepare`.
        """
        if not self.names:
            return
        both = _terms(x, y, group, table, blocks)
        own = [self._own[layer.name][group] for layer in (x, y)]
        varies = all(bool(layer.norms_without[group].any()) for layer in (x, y))
        frames, utterances = (
            Hsic(both.hsic[kind], *(each.hsic[kind] for each in own)).alignment for kind in (0, 1)
        )
        values = {
            "cka": _ratio(both.covariance, *(each.covariance for each in own)),
            "cka_standardized": _ratio(both.correlation, *(each.correlation for each in own)),
            "cka_debiased": frames if varies else math.nan,
            "cka_utterance": utterances if varies else math.nan,
        }
        index = self._replicates.index
        i, j = index[x.name], index[y.name]
        for name in self.names:
            for cell in ((i, j), (j, i)):
                self._replicates.tables[name][*cell, group] = values[name]


def _terms(
    x: LayerGroups, y: LayerGroups, group: int, table: Tensor, blocks: Sequence[HsicBlockSums]
) -> AlignedTerms:
    norms = (each.norms_without[group] * each.all_frames.norms for each in (x, y))
    cross = ScaledCross(table, *norms)
    hsic = blocks[group].hsic(x.name, y.name, cross) if blocks else (math.nan, math.nan)
    return AlignedTerms(*cross.both_squares, hsic)


def _ratio(value: float, one: float, other: float) -> float:
    scale = math.sqrt(one) * math.sqrt(other)
    return value / scale if scale > np.finfo(np.float64).tiny else math.nan
