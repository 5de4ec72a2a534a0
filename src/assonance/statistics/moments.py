"""Additive first and second moments of several layers seen at the same frames."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Self

import torch
from torch import Tensor

from assonance.statistics.layer import SMALL
from assonance.statistics.order import in_order
from assonance.utils.cores import Map
from assonance.utils.memory import Scratch

# Frames worth adding at once: products of fewer are slow, and float32 sums of more less precise.
CHUNK_FRAMES = 4096
# Columns of a layer's product with itself that are made at once: only those from the first of
# them on, since what is left of them is the same as what is above.
_STRIP = 192


class Moments:
    """Counts, sums and products of named layers, added up chunk by chunk in float64.

    A fixed *pilot shift* per neuron is taken off before anything is summed. Covariances do not
    depend on it, their precision does: without it, a mean of 10³ standard deviations costs six
    digits of every covariance. Moments can be merged only when they were made with one shift.

    Frames in float32 are multiplied in float32, a chunk at a time, and added up in float64; but a
    layer's product with itself is made in float64 throughout: its small eigenvalues, by which the
    measures divide, would drown in the rounding of float32. Frames in float64 are multiplied in
    float64, and so are those of two small layers.

    Parameters
    ----------
    shift
        Layer name to the shift of its neurons, shape (D,); its length is the layer's width.
    pairs
        The layer pairs whose products are wanted; one order of the two is enough. Each layer's
        product with itself is always kept.
    precise
        Multiply frames in float32 in float64 too.

    Attributes
    ----------
    n : int
        Frames seen.
    exact : bool
        Whether all products were made in float64, however wide the layers.
    unit : float
        Rounding of the frames' own values, as a share of them.
    sums : dict
        Layer name to Σ(x − shift), shape (D,).
    """

    def __init__(
        self,
        shift: Mapping[str, Tensor],
        pairs: Iterable[tuple[str, str]],
        *,
        precise: bool = False,
    ) -> None:
        self.precise = precise
        self.shift = {name: value.to(torch.float64) for name, value in shift.items()}
        own = ((name, name) for name in self.shift)
        self.n = 0
        self.exact = True
        self.unit = torch.finfo(torch.float64).eps
        self.sums = {name: torch.zeros_like(value) for name, value in self.shift.items()}
        # Of a layer with itself, what lies below the diagonal strips is filled in on demand.
        self._mirrored: set[str] = set()
        self._products = {
            (a, b): self.sums[a].new_zeros(len(self.sums[a]), len(self.sums[b]))
            for a, b in in_order(self.shift, chain(pairs, own))
        }

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The pairs whose products are kept, in order."""
        return list(self._products)

    def update(
        self,
        *utterances: Mapping[str, Tensor],
        share: Map = map,
        scratch: Scratch | None = None,
    ) -> None:
        """Add a chunk of frames.

        Parameters
        ----------
        utterances
            Each layer name to activations, shape (T, D), the same T for every layer, float32 or
            float64; not changed.
        share
            A `map` that may call its function from several threads.
        scratch
            Memory to use again from chunk to chunk.

        Raises
        ------
        ValueError
            When the layers do not have the same number of frames.
        """
        for frames in utterances:
            lengths = {len(frames[name]) for name in self.shift}
            if len(lengths) != 1:
                counts = sorted(lengths)
                raise ValueError(f"layers of one chunk have different frame counts: {counts}")
            self.n += lengths.pop()
            types = {frames[name].dtype for name in self.shift}
            self.exact &= self.precise or types == {torch.float64}
            self.unit = max(self.unit, *(torch.finfo(each).eps for each in types))
        self._mirrored.clear()
        memory = scratch or Scratch()

        def own(name: str) -> Tensor:
            return self._own(name, [frames[name] for frames in utterances], memory)

        centred = dict(zip(self.shift, share(own, self.shift), strict=True))

        def cross(pair: tuple[str, str]) -> None:
            a, b = (centred[name] for name in pair)
            if a.dtype != b.dtype:
                a, b = a.to(torch.float32), b.to(torch.float32)
            made = torch.mm(a.T, b, out=memory.like(a, a.shape[1], b.shape[1]))
            self._products[pair].add_(made)

        list(share(cross, [pair for pair in self._products if pair[0] != pair[1]]))

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
        if not same or self._products.keys() != other._products.keys():
            raise ValueError("moments of different layers, pairs or shifts cannot be merged")
        result = type(self)(self.shift, self._products, precise=self.precise)
        result.n = self.n + other.n
        result.exact = self.exact and other.exact
        result.unit = max(self.unit, other.unit)
        for name in self.sums:
            result.sums[name] = self.sums[name] + other.sums[name]
        for pair in self._products:
            torch.add(self._products[pair], other._products[pair], out=result._products[pair])
        return result

    def product(self, a: str, b: str) -> Tensor:
        """Σ(x − shift)(y − shift)ᵀ of layers a (rows) and b (columns), whichever order is kept."""
        if a == b and a not in self._mirrored:
            own = self._products[a, a]
            for start in range(0, len(own), _STRIP):
                strip = own[start : start + _STRIP, start:]
                strip[:, :_STRIP] = strip[:, :_STRIP].triu() + strip[:, :_STRIP].triu(1).T
                own[start:, start : start + _STRIP] = strip.T.clone()
            self._mirrored.add(a)
        return self._products[a, b] if (a, b) in self._products else self._products[b, a].T

    def _own(self, name: str, parts: Sequence[Tensor], scratch: Scratch) -> Tensor:
        """Add a layer's own sums; return its frames about the shift, as precise as they came."""
        shift, product = self.shift[name], self._products[name, name]
        exact = scratch.like(shift, sum(map(len, parts)), len(shift))
        start = 0
        for part in parts:
            exact[start : start + len(part)].copy_(part)
            start += len(part)
        exact -= shift
        self.sums[name] += exact.sum(0)
        for start in range(0, len(shift), _STRIP):
            strip = exact[:, start : start + _STRIP]
            product[start : start + _STRIP, start:].addmm_(strip.T, exact[:, start:])
        kept = exact if self.precise or len(shift) <= SMALL else parts[0]
        return scratch.like(kept, *exact.shape, key=name).copy_(exact)
