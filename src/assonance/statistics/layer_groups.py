"""Keep the sums of one layer by jackknife group, for replicates that fit nothing again."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from assonance.statistics.adding import add_others
from assonance.statistics.fold_layer import FoldLayer
from assonance.statistics.layer import exceeds_rounding
from assonance.statistics.lazy import lazy
from assonance.statistics.moment_views import GroupedMoments
from assonance.statistics.quadratic import lower_half
from assonance.utils.memory import Scratch


@dataclass(frozen=True)
class Fit:
    """What the regression on one layer, tested on one fold, needs of the training frames.

    Attributes
    ----------
    tested
        Jackknife groups of the fold. The frames of all other groups are the training frames.
    count
        Number of training frames.
    mean
        Mean of each neuron, divided by its norm over all frames; (D,).
    inverse
        Inverse of Σyyᵀ about that mean, of neurons divided by their norms; (D, D).
    """

    tested: Sequence[int]
    count: int
    mean: Tensor
    inverse: Tensor


class LayerGroups:
    """Sums of one layer by jackknife group, divided by the neurons' norms over all frames.

    Parameters
    ----------
    grouped, name
        Moments by jackknife group, and the name of the layer in them.

    Attributes
    ----------
    counts
        Number of frames of each group; (G,).
    sums, squares
        Σx and Σx² about the pilot shift; (G, D).
    """

    def __init__(self, grouped: GroupedMoments, name: str) -> None:
        self.name = name
        self.all_frames = layer = grouped.whole.layer(name)
        self._grouped = grouped
        self.inverse_norms = torch.where(layer.varies, 1 / layer.norms, 0.0)
        own = [group.product(name, name).diagonal() for group in grouped.groups]
        self.counts = layer.mean.new_tensor([group.n for group in grouped.groups])
        self.sums = self.inverse_norms * torch.stack([each.sums[name] for each in grouped.groups])
        self.squares = self.inverse_norms.square() * torch.stack(own)

    @lazy
    def means_without(self) -> Tensor:
        """Means of the neurons with each group left out; (G, D)."""
        return add_others(self.sums) / (self.counts.sum() - self.counts)[:, None]

    @lazy
    def norms_without(self) -> Tensor:
        """Norms of the centred neurons with each group left out, 0 for constant ones; (G, D).

        The squares of the other groups are added up, not subtracted from the total: for a neuron
        that varies in the group left out alone, the difference would be rounding.
        """
        counts = (self.counts.sum() - self.counts)[:, None]
        norms = (
            (add_others(self.squares) - counts * self.means_without.square()).clamp(min=0).sqrt()
        )
        scale = self.all_frames.norms
        varies = exceeds_rounding(
            norms * scale, counts, self.means_without * scale, self.all_frames.shift
        )
        return torch.where(varies & self.all_frames.varies, norms, 0.0)

    @lazy
    def half_scatters(self) -> list[Tensor]:
        """`lower_half` of Σxxᵀ of each tested group about the pilot shift, by fit; (K, D, D).

        In float32, unless products of the layer or with its inverses are in float64.
        """
        dtype = torch.float64 if self.all_frames.float64_products else self.fit_dtype
        scale = self.inverse_norms.to(dtype)
        found = []
        for fit in self.fits:
            groups = [self._grouped.groups[group] for group in fit.tested]
            products = torch.stack(
                [each.product(self.name, self.name).to(dtype) for each in groups]
            )
            found.append(lower_half(products.mul_(scale[:, None]).mul_(scale)))
        return found

    def cross(self, other: "LayerGroups", products: Sequence[Tensor], scratch: Scratch) -> Tensor:
        """Divide the products of each group, and last of all, by both norms; (G + 1, Dx, Dy).

        In float32, unless the products of a layer were computed in float64: replicates change by
        less than 10⁻⁶ through this.

        Parameters
        ----------
        other
            The column layer.
        products
            Σxyᵀ of each group about the pilot shifts; (Dx, Dy) each.
        scratch
            Its buffer of this thread holds the result.
        """
        exact = self.all_frames.float64_products or other.all_frames.float64_products
        x, y = (
            each.inverse_norms.to(torch.float64 if exact else torch.float32)
            for each in (self, other)
        )
        groups = len(self.counts)
        cross = scratch.like(x, (groups + 1) * len(x), len(y)).view(groups + 1, len(x), len(y))
        for target, product in zip(cross, products, strict=False):
            torch.mul(product, x[:, None], out=target).mul_(y)
        torch.sum(cross[:-1], 0, out=cross[-1])
        return cross

    def own_cross(self, scratch: Scratch) -> Tensor:
        """Return the products of each group with the layer itself, as `cross`; (G + 1, D, D)."""
        own = [group.product(self.name, self.name) for group in self._grouped.groups]
        return self.cross(self, own, scratch)

    @lazy
    def fits(self) -> list[Fit]:
        """Fit of each fold, to the groups outside it."""
        folds = self._grouped.fold_of_group
        return [
            Fit(
                [group for group, own in enumerate(folds) if own == fold],
                layer.training.n,
                layer.training.mean * self.inverse_norms,
                layer.inverse,
            )
            for fold, layer in enumerate(self._folds)
        ]

    @lazy
    def fit_dtype(self) -> torch.dtype:
        """Dtype for products with the inverses: float64 where float32 would cost too much."""
        dtypes = {layer.training.inverse_dtype(torch.float32) for layer in self._folds}
        return torch.float64 if torch.float64 in dtypes else torch.float32

    @property
    def _folds(self) -> list[FoldLayer]:
        return self._grouped.whole.fold_layers(self.name)
