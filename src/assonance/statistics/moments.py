"""Additive first and second moments of several layers seen at the same frames."""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
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
Ends = tuple[str, str]


class Moments:
    """Counts, sums and products of named layers, added up chunk by chunk in float64.

    A fixed *pilot shift* per neuron is taken off before anything is summed. Covariances do not
    depend on it, their precision does: without it, a mean of 10³ standard deviations costs six
    digits of every covariance. Moments can be merged only when they were made with one shift.

    Frames in float32 are multiplied in float32, a chunk at a time, and added up in float64; but a
    layer's product with itself is made in float64 throughout: its small eigenvalues, by which the
    measures divide, would drown in the rounding of float32. Two layers are multiplied in float64
    where either has frames in float64, is small or is named as exact: which other layers there are
    has no say in it.

    Parameters
    ----------
    shift
        Layer name to the shift of its neurons, shape (D,); its length is the layer's width.
    pairs
        The layer pairs whose products are wanted; one order of the two is enough. Each layer's
        product with itself is always kept.
    exact
        Layers whose frames in float32 are multiplied in float64 too.

    Attributes
    ----------
    n : int
        Frames seen.
    exact : set of str
        Layers of which all products were made in float64, because of their frames or by name.
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
        exact: Collection[str] = (),
    ) -> None:
        self._named = frozenset(exact)
        self.shift = {name: value.to(torch.float64) for name, value in shift.items()}
        own = ((name, name) for name in self.shift)
        self.n = 0
        self.exact: Set[str] = frozenset(self.shift)
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
            came = {name: frames[name].dtype for name in self.shift}
            doubles = {name for name, each in came.items() if each == torch.float64}
            self.exact &= self._named | doubles
            self.unit = max(self.unit, *(torch.finfo(each).eps for each in came.values()))
        self._mirrored.clear()
        memory = scratch or Scratch()
        types = self._product_types()
        copies: dict[str, set[torch.dtype]] = {name: set() for name in self.shift}
        for pair, each in types.items():
            for name in pair:
                copies[name].add(each)

        def own(name: str) -> dict[torch.dtype, Tensor]:
            parts = [frames[name] for frames in utterances]
            return self._own(name, parts, copies[name], memory)

        centred = dict(zip(self.shift, share(own, self.shift), strict=True))

        def cross(pair: tuple[str, str]) -> None:
            a, b = (centred[name][types[pair]] for name in pair)
            made = torch.mm(a.T, b, out=memory.like(a, a.shape[1], b.shape[1]))
            self._products[pair].add_(made)

        list(share(cross, types))

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
        result = type(self)(self.shift, self._products, exact=self._named)
        result.n = self.n + other.n
        result.exact = self.exact & other.exact
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

    def _product_types(self) -> dict[Ends, torch.dtype]:
        """In what two different layers are multiplied: float64 where either asks for it."""
        doubled = {
            name for name, of in self.shift.items() if name in self.exact or len(of) <= SMALL
        }
        return {
            (a, b): torch.float64 if a in doubled or b in doubled else torch.float32
            for a, b in self._products
            if a != b
        }

    def _own(
        self, name: str, parts: Sequence[Tensor], types: Iterable[torch.dtype], scratch: Scratch
    ) -> dict[torch.dtype, Tensor]:
        """Add a layer's own sums; return its frames about the shift in each type."""
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
        return {
            each: scratch.like(shift.to(each), *exact.shape, key=name).copy_(exact)
            for each in types
        }
