"""Add up first and second moments of several layers at the same frames."""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from itertools import chain
from typing import Self

import torch
from torch import Tensor

from assonance.statistics.layer import SMALL
from assonance.statistics.order import in_order
from assonance.utils.cores import Map
from assonance.utils.memory import Scratch

# Frames to add at once: fewer make products slow, more make float32 sums less precise.
CHUNK_FRAMES = 4096
# Columns of a layer's product with itself that are computed at once. The product is symmetric:
# each strip of columns is computed from its diagonal block on.
_STRIP = 192
# Rows of the product of two layers that one core computes at once, so that a single pair keeps
# several cores busy.
_ROWS = 384


class Moments:
    """Mergeable counts, sums and products of named layers, added up chunk by chunk in float64.

    A fixed *pilot shift* per neuron is subtracted before anything is summed. Covariances do not
    depend on it, but their precision does: without a shift, a mean of 10³ standard deviations costs
    six digits of every covariance. Only moments about the same shift can be merged.

    A layer's product with itself is always computed in float64: its small eigenvalues, by which
    the measures divide, would be lost in the rounding of float32. The product of two different
    layers is computed in float64 if either has frames in float64, is small or is named in
    `float64_products`. Otherwise it is computed in float32, a chunk at a time, and added up in
    float64; that of a single chunk stays in float32. The choice depends on these two layers alone.

    Parameters
    ----------
    shift
        Pilot shift of each neuron, shape (D,), by layer name.
    pairs
        Layer pairs to multiply, each in either order.
    float64_products
        Names of the layers that are multiplied in float64 although their frames are float32.
    own
        Whether to multiply each layer with itself too, and to sum it. If not, `sums` stays empty.

    Attributes
    ----------
    n : int
        Number of frames added.
    float64_products : set of str
        Names of the layers whose products were all computed in float64, either because of their
        frames or by name.
    epsilon : float
        Machine epsilon of the frames.
    sums : dict
        Σ(x − shift), shape (D,), by layer name.
    """

    def __init__(
        self,
        shift: Mapping[str, Tensor],
        pairs: Iterable[tuple[str, str]],
        *,
        float64_products: Collection[str] = (),
        own: bool = True,
    ) -> None:
        self._named_float64 = frozenset(float64_products)
        self.shift = {name: value.to(torch.float64) for name, value in shift.items()}
        self._own = own
        selves = ((name, name) for name in self.shift) if own else ()
        self.n = 0
        self.float64_products: Set[str] = frozenset(self.shift)
        self.epsilon = torch.finfo(torch.float64).eps
        zeros = {name: torch.zeros_like(value) for name, value in self.shift.items()}
        self.sums = zeros if own else {}
        # The shift in float32, and what is left of it.
        self._float32 = {} if own else {name: two_float32(each) for name, each in shift.items()}
        # Layers whose product with itself has been filled in below the diagonal; done on demand.
        self._mirrored: set[str] = set()
        self._products = {
            (a, b): zeros[a].new_zeros(len(zeros[a]), len(zeros[b])) if a == b else None
            for a, b in in_order(self.shift, chain(pairs, selves))
            if own or a != b
        }

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The pairs that are multiplied, in order."""
        return list(self._products)

    def update(
        self,
        *utterances: Mapping[str, Tensor],
        pool_map: Map = map,
        scratch: Scratch | None = None,
    ) -> None:
        """Add a chunk of frames.

        Parameters
        ----------
        utterances
            For each utterance, activations by layer name, shape (T, D), with the same T for every
            layer, float32 or float64; not changed.
        pool_map
            A `map` that may call its function from several threads.
        scratch
            Buffers to reuse from chunk to chunk.

        Raises
        ------
        ValueError
            If the layers of an utterance differ in their number of frames.
        """
        for frames in utterances:
            lengths = {len(frames[name]) for name in self.shift}
            if len(lengths) != 1:
                counts = sorted(lengths)
                raise ValueError(f"layers of one chunk have different frame counts: {counts}")
            self.n += lengths.pop()
            dtypes = {name: frames[name].dtype for name in self.shift}
            doubles = {name for name, dtype in dtypes.items() if dtype == torch.float64}
            self.float64_products &= self._named_float64 | doubles
            self.epsilon = max(self.epsilon, *(torch.finfo(each).eps for each in dtypes.values()))
        self._mirrored.clear()
        buffers = scratch or Scratch()
        product_dtypes = self._product_dtypes()
        copies: dict[str, set[torch.dtype]] = {name: set() for name in self.shift}
        for pair, dtype in product_dtypes.items():
            for name in pair:
                copies[name].add(dtype)

        def add_layer(name: str) -> dict[torch.dtype, Tensor]:
            chunk = [frames[name] for frames in utterances]
            add = self._add_layer if self._own else self._centred
            return add(name, chunk, copies[name], buffers)

        centred = dict(zip(self.shift, pool_map(add_layer, self.shift), strict=True))

        added = {pair: self._room(pair, dtype) for pair, dtype in product_dtypes.items()}

        def add_rows(part: tuple[tuple[str, str], int]) -> None:
            pair, start = part
            a, b = (centred[name][product_dtypes[pair]] for name in pair)
            a, (total, empty) = a[:, start : start + _ROWS], added[pair]
            rows = total[start : start + _ROWS]
            product = torch.mm(
                a.T, b, out=rows if empty else buffers.like(a, a.shape[1], b.shape[1])
            )
            if not empty:
                rows.add_(product)

        starts = {pair: range(0, len(total), _ROWS) for pair, (total, _) in added.items()}
        list(pool_map(add_rows, [(pair, each) for pair in starts for each in starts[pair]]))

    def merge(self, other: Self) -> Self:
        """Return the moments of the frames of both; neither is changed.

        Raises
        ------
        ValueError
            If the two differ in their shifts, layers or pairs.
        """
        same = self.shift.keys() == other.shift.keys() and all(
            torch.equal(value, other.shift[name]) for name, value in self.shift.items()
        )
        if not same or self._products.keys() != other._products.keys():
            raise ValueError("moments of different layers, pairs or shifts cannot be merged")
        result = type(self)(
            self.shift, self._products, float64_products=self._named_float64, own=self._own
        )
        result.n = self.n + other.n
        result.float64_products = self.float64_products & other.float64_products
        result.epsilon = max(self.epsilon, other.epsilon)
        for name in self.sums:
            result.sums[name] = self.sums[name] + other.sums[name]
        for a, b in self._products:
            both = self.product(a, b).to(torch.float64) + other.product(a, b)
            result._products[a, b] = both
        result._mirrored = {a for a, b in self._products if a == b}
        return result

    def product(self, a: str, b: str) -> Tensor:
        """Return Σ(x − shift)(y − shift)ᵀ of layers a (rows) and b (columns), in either order.

        In float32 if it is the product of a single chunk in float32, otherwise in float64.
        """
        product = self._products[a, b] if (a, b) in self._products else self._products[b, a]
        if product is None:
            return self.shift[a].new_zeros(len(self.shift[a]), len(self.shift[b]))
        if a == b and a not in self._mirrored:
            own = product
            for start in range(0, len(own), _STRIP):
                strip = own[start : start + _STRIP, start:]
                strip[:, :_STRIP] = strip[:, :_STRIP].triu() + strip[:, :_STRIP].triu(1).T
                own[start:, start : start + _STRIP] = strip.T.clone()
            self._mirrored.add(a)
        return product if (a, b) in self._products else product.T

    def let_go(self, name: str) -> None:
        """Let go of the product of a layer with itself."""
        del self._products[name, name]
        self._mirrored.discard(name)

    def _room(self, pair: tuple[str, str], dtype: torch.dtype) -> tuple[Tensor, bool]:
        """Return where the product of a chunk goes, and whether it is the first."""
        total = self._products[pair]
        if total is None:
            a, b = (self.shift[name] for name in pair)
            found = a.new_empty(len(a), len(b), dtype=dtype)
        else:
            found = total.to(torch.float64)
        self._products[pair] = found
        return found, total is None

    def _product_dtypes(self) -> dict[tuple[str, str], torch.dtype]:
        """Return the dtype for the product of each pair of different layers."""
        doubles = {
            name
            for name, shift in self.shift.items()
            if name in self.float64_products or len(shift) <= SMALL
        }
        return {
            (a, b): torch.float64 if a in doubles or b in doubles else torch.float32
            for a, b in self._products
            if a != b
        }

    def _add_layer(
        self, name: str, chunk: Sequence[Tensor], dtypes: Iterable[torch.dtype], scratch: Scratch
    ) -> dict[torch.dtype, Tensor]:
        """Add one layer's sum and product with itself; return its shifted frames in each dtype."""
        shift = self.shift[name]
        shifted = _joined(chunk, shift, scratch)
        shifted -= shift
        self.sums[name] += shifted.sum(0)
        for start in range(0, len(shift) if self._own else 0, _STRIP):
            strip = shifted[:, start : start + _STRIP]
            product = self._products[name, name]
            assert product is not None  # noqa: S101 - zeros from the start
            product[start : start + _STRIP, start:].addmm_(strip.T, shifted[:, start:])
        return {
            dtype: scratch.like(shift.to(dtype), *shifted.shape, key=name).copy_(shifted)
            for dtype in dtypes
        }

    def _centred(
        self, name: str, chunk: Sequence[Tensor], dtypes: Iterable[torch.dtype], scratch: Scratch
    ) -> dict[torch.dtype, Tensor]:
        """Return one layer's shifted frames in each dtype."""
        found = {}
        for dtype in dtypes:
            like = self.shift[name].to(dtype)
            shifted = _joined(chunk, like, scratch, name)
            # The remainder is subtracted too: of a large mean, it exceeds the rounding of the rest.
            for part in (like,) if dtype == torch.float64 else self._float32[name]:
                shifted -= part
            found[dtype] = shifted
        return found


def _joined(
    chunk: Sequence[Tensor], like: Tensor, scratch: Scratch, key: str | None = None
) -> Tensor:
    """Copy the frames of several utterances into one buffer of the type of another tensor."""
    joined = scratch.like(like, sum(map(len, chunk)), len(like), key=key)
    start = 0
    for frames in chunk:
        joined[start : start + len(frames)].copy_(frames)
        start += len(frames)
    return joined


def two_float32(values: Tensor) -> tuple[Tensor, Tensor]:
    """Split float64 values into float32 values and their remainders in float32."""
    high = values.to(torch.float32)
    return high, (values - high).to(torch.float32)
