"""Replicates of linear CKA, from correlations with each jackknife group left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from assonance.scoring.replicates import ReplicateScores
from assonance.statistics.hsic_left_out import HsicLeftOut
from assonance.statistics.layer_groups import LayerGroups
from assonance.statistics.left_out import correlations_without, squares_without

# Measures whose replicates are computed here.
ALIGNED = ("cka", "cka_standardized", "cka_debiased", "cka_utterance")


@dataclass(frozen=True)
class AlignedTerms:
    """Terms of two layers with each group left out.

    Attributes
    ----------
    squares
        Sums of squares of all cross-products, and of all correlations; (2, G).
    hsic
        Over distinct frames, and over distinct utterances, (2, G); NaN if no measure needs it.
    """

    squares: Tensor
    hsic: Tensor

    @classmethod
    def of(
        cls,
        x: LayerGroups,
        y: LayerGroups,
        cross: Tensor,
        squares: Tensor,
        sums: HsicLeftOut | None,
    ) -> "AlignedTerms":
        """Compute the terms from the squares; see `HeldAlignments.add`."""
        if sums is None:
            return cls(squares, torch.full_like(squares, torch.nan))
        return cls(squares, sums.estimates(x, y, cross, squares[0]))


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
        own: dict[str, AlignedTerms],
    ) -> None:
        self.names = [name for name in ALIGNED if name in names]
        self._replicates = replicates
        self._own = own

    def lacks(self, layer: LayerGroups) -> bool:
        """Return whether a layer is to be compared with itself first."""
        return bool(self.names) and layer.name not in self._own

    def prepare(self, layer: LayerGroups, cross: Tensor, sums: HsicLeftOut | None) -> None:
        """Compare a layer with itself, unless it was.

        Parameters
        ----------
        layer, cross, sums
            The layer, its `LayerGroups.own_cross`, and sums over utterances; None if no measure
            needs them.
        """
        if self.lacks(layer):
            squares = torch.cat(
                [
                    squares_without(layer, layer, places, tables)
                    for places, tables in correlations_without(layer, layer, cross)
                ],
                1,
            )
            self._own[layer.name] = AlignedTerms.of(layer, layer, cross, squares, sums)

    def add(
        self,
        x: LayerGroups,
        y: LayerGroups,
        cross: Tensor,
        squares: Tensor,
        sums: HsicLeftOut | None,
    ) -> None:
        """Add the replicates of a pair of layers.

        Parameters
        ----------
        x, y, cross
            The layers, and their `LayerGroups.cross`.
        squares
            Sums of squares of their cross-products and correlations without each group, (2, G); see
            `squares_without`.
        sums
            As for `prepare`.
        """
        if not self.names:
            return
        both = AlignedTerms.of(x, y, cross, squares, sums)
        one, other = (self._own[layer.name] for layer in (x, y))
        varies = x.norms_without.any(1) & y.norms_without.any(1)
        cka = _ratio(both.squares, one.squares, other.squares)
        unbiased = _ratio(both.hsic, one.hsic, other.hsic).where(varies, torch.nan)
        values = dict(zip(ALIGNED, (*cka, *unbiased), strict=True))
        index = self._replicates.index
        i, j = index[x.name], index[y.name]
        for name in self.names:
            for cell in ((i, j), (j, i)):
                self._replicates.tables[name][cell] = values[name].cpu().numpy()


def _ratio(both: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Divide by the geometric mean; NaN unless it is positive."""
    scale = one.clamp(min=0).sqrt() * other.clamp(min=0).sqrt()
    return (both / scale).where(scale > np.finfo(np.float64).tiny, torch.nan)
