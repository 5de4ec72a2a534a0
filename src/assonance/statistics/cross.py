"""Describe the cross-products of two centred layers, whole or as correlations with norms apart."""

from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor


class Cross(Protocol):
    """Cross-products C = Σ(x − mean)(y − mean)ᵀ of two layers, as estimates of HSIC need them."""

    @property
    def squares(self) -> float:
        """Sum of the squares of all entries, ‖C‖²."""

    def rows(self, vectors: Tensor) -> Tensor:
        """Return vectors, (K, Dx), times C; (K, Dy), float64."""

    def inner(self, other: Tensor) -> float:
        """Return the inner product of C with a matrix of its shape, float64."""


class WholeCross:
    """Cross-products as they are.

    Parameters
    ----------
    cross
        Shape (Dx, Dy), float64.
    """

    def __init__(self, cross: Tensor) -> None:
        self._cross = cross

    @property
    def squares(self) -> float:
        """See `Cross.squares`."""
        return float(self._cross.square().sum())

    def rows(self, vectors: Tensor) -> Tensor:
        """See `Cross.rows`."""
        return vectors @ self._cross

    def inner(self, other: Tensor) -> float:
        """See `Cross.inner`."""
        return float(torch.dot(self._cross.flatten(), other.flatten()))


class ScaledCross:
    """Cross-products as correlations, often float32, and norms.

    Parameters
    ----------
    table
        Correlations, 0 for constant neurons; (Dx, Dy).
    x, y
        Norm of each centred neuron, float64; (Dx,) and (Dy,).
    """

    def __init__(self, table: Tensor, x: Tensor, y: Tensor) -> None:
        self._table = table
        self._norms = x, y
        # Largest norms are taken out, so that no float32 value is extreme.
        self._scales = [max(float(norms.max()), torch.finfo(norms.dtype).tiny) for norms in (x, y)]

    @property
    def squares(self) -> float:
        """See `Cross.squares`."""
        return self.both_squares[0]

    @cached_property
    def both_squares(self) -> tuple[float, float]:
        """Sums of the squares of all cross-products, and of all correlations."""
        x, y = (
            (norms / scale).square() for norms, scale in zip(self._norms, self._scales, strict=True)
        )
        weights = torch.stack([y, torch.ones_like(y)], 1).to(self._table)
        sums = (self._table.square() @ weights).to(torch.float64)
        scale = (self._scales[0] * self._scales[1]) ** 2
        return float(x @ sums[:, 0]) * scale, float(sums[:, 1].sum())

    def rows(self, vectors: Tensor) -> Tensor:
        """See `Cross.rows`."""
        (x, y), (scale, _) = self._norms, self._scales
        product = (vectors * (x / scale)).to(self._table) @ self._table
        return product.to(torch.float64) * (y * scale)

    def inner(self, other: Tensor) -> float:
        """See `Cross.inner`."""
        x, y = self._norms
        return float((self._table * other).mul_(y).sum(1).dot(x))
