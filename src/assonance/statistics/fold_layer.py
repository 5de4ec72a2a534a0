"""Training and held-out frames of two layers, and the regression from the one to the other."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from assonance.statistics.layer import LayerStatistics
from assonance.statistics.lazy import lazy, once


class FoldLayer:
    """One layer's training frames and held-out frames, and what predicting from it takes.

    Everything is about the training means and in units of the neurons' norms over all frames;
    neurons that are constant in training are 0 throughout.

    Parameters
    ----------
    whole, training, held_out
        Statistics of all frames, of those of the other folds, and of the fold's own.
    """

    def __init__(
        self, whole: LayerStatistics, training: LayerStatistics, held_out: LayerStatistics
    ) -> None:
        self.whole = whole
        self.training = training
        self.held_out = held_out

    @lazy
    def units(self) -> Tensor:
        """One over the norm of each neuron over all frames, 0 for a constant one; (D,)."""
        return torch.where(self.whole.varies, 1 / self.whole.norms, 0.0)

    @lazy
    def drift(self) -> Tensor:
        """Held-out mean less training mean, (D,), in the layer's own units."""
        return self.held_out.mean - self.training.mean

    @lazy
    def variance(self) -> Tensor:
        """Σx² of the held-out frames; (D,)."""
        variance = self.held_out.norms.square() + self.held_out.n * self.drift.square()
        return variance * self.units.square()

    @lazy
    def scatter(self) -> Tensor:
        """Σyyᵀ of the held-out frames, as precise as `inverse`; (D, D)."""
        drift = self.drift
        scatter = torch.addr(self.held_out.scatter, drift, drift, alpha=self.held_out.n)
        scatter = (scatter * self.units[:, None]).mul_(self.units)
        return scatter.to(self.inverse.dtype)

    @lazy
    def inverse(self) -> Tensor:
        """Inverse of Σyyᵀ of the training frames, 0 for neurons that are constant there; (D, D).

        float32 where the training layer's own products may be, and that is precise enough.
        """
        training = self.training
        scale = 1 / (training.norms * self.units)[training.varies]
        inverse = (training.inverse * scale[:, None]).mul_(scale)
        if not training.varies.all():
            everywhere = inverse.new_zeros(self.whole.scatter.shape)
            everywhere[torch.outer(training.varies, training.varies)] = inverse.flatten()
            inverse = everywhere
        return inverse.to(training.inverse_type(training.product_type))


class Products:
    """Σ(x − shift)(y − shift)ᵀ of two layers, by fold, and what is made of them for all folds.

    Parameters
    ----------
    parts
        Of each fold, shape (Dx, Dy).
    x, y
        The two layers in each fold.
    """

    def __init__(
        self, parts: Sequence[Tensor], x: Sequence[FoldLayer], y: Sequence[FoldLayer]
    ) -> None:
        self.parts = parts
        self.x = x
        self.y = y

    def swapped(self) -> "Products":
        """Return the same with rows and columns exchanged."""
        return Products([part.T for part in self.parts], self.y, self.x)

    def centred(self, fold: int) -> tuple[Tensor, Tensor]:
        """Of the training frames and of the held-out frames, each about their own means."""
        total = once(self, "total", lambda: reduce(torch.add, self.parts))
        x, y = self.x[fold], self.y[fold]
        # For a neuron that varies in the held-out fold alone the difference is rounding: its
        # statistics of training say that it does not vary.
        others, own = total - self.parts[fold], self.parts[fold]
        return (
            torch.addr(others, x.training.mean, y.training.mean, alpha=-x.training.n),
            torch.addr(own, x.held_out.mean, y.held_out.mean, alpha=-x.held_out.n),
        )

    def standardised(self, fold: int, precision: torch.dtype) -> tuple[Tensor, Tensor]:
        """Of both about the training means, in units of the neurons' norms over all frames."""
        parts, total = once(self, precision, lambda: self._scaled(precision))
        x, y = self.x[fold], self.y[fold]
        means = [
            (mean * layer.units).to(precision)
            for layer in (x, y)
            for mean in (layer.training.mean, layer.held_out.mean, layer.drift)
        ]
        seen = (total - parts[fold]).addr_(means[0], means[3], alpha=-x.training.n)
        unseen = torch.addr(parts[fold], means[1], means[4], alpha=-x.held_out.n)
        return seen, unseen.addr_(means[2], means[5], alpha=x.held_out.n)

    def _scaled(self, precision: torch.dtype) -> tuple[list[Tensor], Tensor]:
        rows, columns = self.x[0].units[:, None], self.y[0].units
        parts = [(part * rows).mul_(columns).to(precision) for part in self.parts]
        return parts, reduce(torch.add, parts)
