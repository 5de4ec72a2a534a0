"""Additive first and second moments of several layers seen at the same frames."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Self

import torch
from torch import Tensor

from assonance.statistics.order import in_order

# Frames worth adding at once: products of fewer are slow.
CHUNK_FRAMES = 4096


class Moments:
    """Counts, sums and products of named layers, added up chunk by chunk in float64.

    A fixed *pilot shift* per neuron is taken off before anything is summed. Covariances do not
    depend on it, their precision does: without it, a mean of 10³ standard deviations costs six
    digits of every covariance. Moments can be merged only when they were made with one shift.

    Parameters
    ----------
    shift
        Layer name to the shift of its neurons, shape (D,); its length is the layer's width.
    pairs
        The layer pairs whose products are wanted; one order of the two is enough. Each layer's
        product with itself is always kept.

    Attributes
    ----------
    n : int
        Frames seen.
    sums : dict
        Layer name to Σ(x − shift), shape (D,).
    products : dict
        Pair of layer names to Σ(x − shift)(y − shift)ᵀ, shape (Dx, Dy).
    """

    def __init__(self, shift: Mapping[str, Tensor], pairs: Iterable[tuple[str, str]]) -> None:
        self.shift = {name: value.to(torch.float64) for name, value in shift.items()}
        own = ((name, name) for name in self.shift)
        self.n = 0
        self.sums = {name: torch.zeros_like(value) for name, value in self.shift.items()}
        self.products = {
            (a, b): self.sums[a].new_zeros(len(self.sums[a]), len(self.sums[b]))
            for a, b in in_order(self.shift, chain(pairs, own))
        }

    def update(self, frames: Mapping[str, Tensor]) -> None:
        """Add a chunk of frames.

        Parameters
        ----------
        frames
            Layer name to activations, shape (T, D), the same T for every layer; not changed.

        Raises
        ------
        ValueError
            When the layers do not have the same number of frames.
        """
        lengths = {len(frames[name]) for name in self.shift}
        if len(lengths) != 1:
            raise ValueError(f"layers of one chunk have different frame counts: {sorted(lengths)}")
        centred = {name: frames[name].to(shift) - shift for name, shift in self.shift.items()}
        self.n += lengths.pop()
        for name, values in centred.items():
            self.sums[name] += values.sum(0)
        for (a, b), product in self.products.items():
            product.addmm_(centred[a].T, centred[b])

    def merge(self, other: Self) -> Self:
        """Return the moments of the frames of both; neither is changed.

        Raises
        ------
        ValueError
            When the two were made with different shifts, layers or pairs.
        """
        same = self.shift.keys() == other.shift.keys() and all(
            torch.equal(value, other.shift[name]) for name, value in self.shift.items()
        )
        if not same or self.products.keys() != other.products.keys():
            raise ValueError("moments of different layers, pairs or shifts cannot be merged")
        result = type(self)(self.shift, self.products)
        result.n = self.n + other.n
        for name in self.sums:
            result.sums[name] = self.sums[name] + other.sums[name]
        for pair in self.products:
            result.products[pair] = self.products[pair] + other.products[pair]
        return result

    def product(self, a: str, b: str) -> Tensor:
        """Σ(x − shift)(y − shift)ᵀ of layers a (rows) and b (columns), whichever order is kept."""
        return self.products[a, b] if (a, b) in self.products else self.products[b, a].T
