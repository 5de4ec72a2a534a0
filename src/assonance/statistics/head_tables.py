"""Compare every two attention heads by their maps of one utterance.

Maps are processed in spans of queries, each on one core. Spans depend on the number of heads and
frames alone, and their tables are added in order, so no bit depends on the number of cores.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.statistics.head_kernels import (
    add_log_sums,
    squared_distance,
    standardise,
    take_rows,
)
from assonance.utils.cores import Map

# Spans of an utterance, and the fewest and the most values of all heads in a span: enough to be
# worth a call, and few enough that copies of them fit into memory.
_SPANS, _LEAST, _MOST = 16, 2**20, 2**24
# Values of all heads that are processed at once: few enough for the cache, unless tables of all
# heads by all heads exceed it. Each block adds to these, so it holds as many columns as this many
# times the heads.
_BLOCK, _COLUMNS_A_HEAD = 2**20, 16
# Columns of a product that are multiplied at once: few enough that float32 sums keep their digits.
_COLUMNS = 8192
# Rows of a symmetric product that are computed at once, each from its diagonal block on.
_PANEL = 96
# Names of the sums over every other sampled query, from the first and from the second on.
_HALVES = ("logs of odd", "logs of even")
# Rows of a valid map sum to 1 within this, after a softmax in float32 or half precision.
_ROW_SUM_TOLERANCE = 0.02


@dataclass(frozen=True)
class Utterance:
    """The maps of one utterance, and what to compute of them.

    Attributes
    ----------
    maps
        Attention after the softmax, one a layer, shape (H, T, T), all float32 or all float64.
    slices
        Where the heads of each layer are among all N heads.
    pairs
        Slices of the row and the column heads of each pair of layers, rows first.
    parts
        What to compute.
    queries
        Query frames of which divergences are computed, in order; all if None.
    """

    maps: Sequence[Tensor]
    slices: Sequence[slice]
    pairs: Sequence[tuple[slice, slice]]
    parts: Collection[str]
    queries: NDArray[np.int64] | None = None

    @property
    def heads(self) -> int:
        """Number of heads N."""
        return sum(map(len, self.maps))

    @property
    def length(self) -> int:
        """Number of frames T."""
        return self.maps[0].shape[-1]

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the maps."""
        return self.maps[0].dtype

    def head(self, number: int) -> NDArray[np.floating]:
        """Return the map of one of the N heads."""
        layer = next(at for at, place in enumerate(self.slices) if number < place.stop)
        return self.maps[layer][number - self.slices[layer].start].numpy()

    @property
    def rounding(self) -> float:
        """Relative difference below which values count as equal."""
        return 16 * torch.finfo(self.dtype).eps


def compare(utterance: Utterance, pool_map: Map) -> tuple[Tensor, dict[str, Tensor]]:
    """Compare every two heads by their maps of one utterance.

    Parameters
    ----------
    utterance
        The maps.
    pool_map
        Computes the spans of queries, on several cores if it does.

    Returns
    -------
    tuple
        Whether each head's map is valid, bool, shape (N,); and by name the tables of `HeadPair`
        that the parts give, float64, shape (N, N), symmetric, of no meaning for invalid maps.
    """
    means = _key_means(utterance, pool_map) if "head kernels" in utterance.parts else []
    valid = torch.ones(utterance.heads, dtype=torch.bool)
    sums: dict[str, Tensor] = {}
    for intact, found in pool_map(partial(_span, utterance, means), _spans(utterance)):
        valid &= intact
        for name, table in found.items():
            sums[name] = sums[name].add_(table) if name in sums else table
    tables = {}
    if "head distances" in utterance.parts:
        distance = _distances(_symmetric(sums["inner"]), utterance, pool_map)
        tables["frobenius"] = distance
        tables["frobenius_normalized"] = distance / (2 * utterance.length) ** 0.5
    if "head correlations" in utterance.parts:
        tables |= _correlations(sums["correlation"], sums["correlated"], utterance.length)
    if "head divergences" in utterance.parts:
        tables |= _divergences(sums, utterance)
    if "head kernels" in utterance.parts:
        tables |= _alignments(sums["kernel"], sums["variance"], sums["squares"], utterance.rounding)
    return valid, tables


def _spans(utterance: Utterance) -> Iterator[slice]:
    """Cut the queries into spans."""
    length, count = utterance.length, utterance.heads
    of_all = count * length
    enough = max(math.ceil(length / _SPANS), _LEAST // of_all, _for_tables(count, length))
    rows = min(enough, max(1, _MOST // of_all))
    return (slice(start, min(start + rows, length)) for start in range(0, length, rows))


def _for_tables(heads: int, length: int) -> int:
    """Return how many queries are worth adding to tables of all heads by all heads."""
    return math.ceil(_COLUMNS_A_HEAD * heads / length)


def _span(
    utterance: Utterance, means: Sequence[Tensor], span: slice
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return which maps are valid in a span of queries, and the sums over the span."""
    parts, count, length = utterance.parts, utterance.heads, utterance.length
    valid = torch.ones(count, dtype=torch.bool)
    sums = _Sums(count)
    pairs = np.array([(*_ends(x), *_ends(y)) for x, y in utterance.pairs], dtype=np.int64)
    block = max(1, _BLOCK // (count * length), _for_tables(count, length))
    block = min(block, span.stop - span.start)
    # Allocated once: allocating blocks of this size costs more than using them.
    scratch = torch.empty(2, block * count * length, dtype=utterance.dtype)
    for start in range(span.start, span.stop, block):
        queries = slice(start, min(start + block, span.stop))
        shape = (count, queries.stop - queries.start, length)
        rows, scaled = (each[: math.prod(shape)].view(shape) for each in scratch)
        totals, varies = torch.empty(2, *shape[:2], dtype=torch.float64)
        for place, maps in zip(utterance.slices, utterance.maps, strict=True):
            taken = rows[place].numpy(), totals[place].numpy()
            take_rows(maps.numpy(), queries.start, *taken)
        # False for NaN too.
        valid &= ((totals - 1).abs() < _ROW_SUM_TOLERANCE).all(1)
        if "head correlations" in parts:
            standardise(
                rows.numpy(), totals.numpy(), utterance.rounding, scaled.numpy(), varies.numpy()
            )
            _add_products(sums["correlation"], scaled.flatten(1))
            _add_products(sums["correlated"], varies)
        if "head divergences" in parts:
            for name, chosen in _halves(utterance, queries):
                add_log_sums(rows[:, chosen].flatten(1).numpy(), pairs, sums[name].numpy())
        if "head distances" in parts:
            # Subtracting the same from all maps keeps their differences, and keeps the digits of
            # nearly even attention.
            _add_products(sums["inner"], rows.sub_(1 / length).flatten(1))
    if "head kernels" in parts:
        _add_kernels(sums, utterance, means, span)
    return valid, sums


class _Sums(dict[str, Tensor]):
    """Tables of all heads by all heads, made when they are first used."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __missing__(self, name: str) -> Tensor:
        self[name] = torch.zeros(self._count, self._count, dtype=torch.float64)
        return self[name]


def _ends(place: slice) -> tuple[int, int]:
    return place.start, place.stop


def _correlations(total: Tensor, counts: Tensor, length: int) -> dict[str, Tensor]:
    """Bound sums of correlations by their number, and give a row with itself exactly 1."""
    correlation, correlated = _symmetric(total), _symmetric(counts)
    correlation.diagonal().copy_(correlated.diagonal())
    correlation = torch.minimum(torch.maximum(correlation, -correlated), correlated)
    return {
        "correlation": correlation,
        "pearson": correlation * ((length - 1) / length),
        "correlated": correlated,
    }


def _halves(utterance: Utterance, block: slice) -> Iterator[tuple[str, Any]]:
    """Yield the queries of a block of which divergences are computed: in turn of two halves."""
    if utterance.queries is None:
        yield "logs", slice(None)
        return
    for half, name in enumerate(_HALVES):
        queries = utterance.queries[half::2]
        here = queries[(block.start <= queries) & (queries < block.stop)] - block.start
        if len(here):
            yield name, torch.from_numpy(here)


def _divergences(sums: Mapping[str, Tensor], utterance: Utterance) -> dict[str, Tensor]:
    """Compute divergences summed over all queries, and the variance of sampling some of them."""
    length, queries = utterance.length, utterance.queries
    if queries is None:
        divergence = _divergence(sums["logs"], length)
        return {"divergence": divergence, "divergence_variance": torch.zeros_like(divergence)}
    halves = [_divergence(sums[name], length) for name in _HALVES]
    first, second = (
        divergence * (length / len(queries[half::2])) for half, divergence in enumerate(halves)
    )
    return {
        "divergence": (halves[0] + halves[1]) * (length / len(queries)),
        "divergence_variance": ((first - second) / 2).square(),
    }


def _divergence(logs: Tensor, length: int) -> Tensor:
    """Compute the sum of divergences from Σ(p + q)·log(p + q)."""
    own = logs.diagonal()
    return ((own[:, None] + own) / 4 - _symmetric(logs) / 2).clamp(0, length * math.log(2))


def _distances(inner: Tensor, utterance: Utterance, pool_map: Map) -> Tensor:
    """Compute the norms of A − B from the maps' inner products; exactly 0 on the diagonal."""
    squares = inner.diagonal()
    norms = squares[:, None] + squares
    squared = (norms - 2 * inner).fill_diagonal_(0)
    # Small distances lose their digits in this difference: compute them from the maps.
    lost = squared < torch.finfo(utterance.dtype).eps ** (1 / 3) * norms
    lost = lost.triu(1)
    counts = lost.sum(1)
    others = torch.split(lost.nonzero()[:, 1], counts.tolist())
    rows = counts.nonzero()[:, 0].tolist()

    def exactly(head: int) -> Tensor:
        one = utterance.head(head)
        distances = [squared_distance(one, utterance.head(each)) for each in others[head].tolist()]
        return squared.new_tensor(distances)

    for head, distances in zip(rows, pool_map(exactly, rows), strict=True):
        squared[head, others[head]] = squared[others[head], head] = distances
    return squared.sqrt()


def _key_means(utterance: Utterance, pool_map: Map) -> list[Tensor]:
    """Average the maps of each layer over queries; shapes (H, T)."""

    def mean(maps: Tensor) -> Tensor:
        # One map at a time, so that the maps are never copied whole.
        return torch.stack([each.mean(0, dtype=torch.float64) for each in maps]).to(maps.dtype)

    return list(pool_map(mean, utterance.maps))


def _add_kernels(
    sums: dict[str, Tensor], utterance: Utterance, means: Sequence[Tensor], span: slice
) -> None:
    """Add inner products of some rows of the centred maps' Gram matrices, queries by queries."""
    rows = span.stop - span.start
    kernel = torch.empty(utterance.heads, rows, utterance.length, dtype=utterance.dtype)
    for place, maps, mean in zip(utterance.slices, utterance.maps, means, strict=True):
        centred = maps[:, span] - mean[:, None]
        for name, values in (("variance", centred), ("squares", maps[:, span])):
            norms = torch.stack([each.square().sum(dtype=torch.float64) for each in values])
            sums[name].diagonal()[place] += norms
        torch.bmm(centred, maps.mT, out=kernel[place])
        kernel[place].sub_(centred @ mean[..., None])
    _add_products(sums["kernel"], kernel.flatten(1))


def _alignments(
    products: Tensor, variance: Tensor, squares: Tensor, rounding: float
) -> dict[str, Tensor]:
    """Compute the CKA of every two maps, with queries as examples and keys as features.

    Parameters
    ----------
    products
        Inner products of the centred maps' Gram matrices, on and above the diagonal.
    variance, squares
        On the diagonal, squared norms of the centred maps and of the maps.
    rounding
        Relative difference below which values count as equal.
    """
    # The kernel of a map that is the same for all queries is rounding.
    differs = variance.diagonal() > rounding**2 * squares.diagonal()
    products = _symmetric(products)
    norm = products.diagonal().sqrt()
    aligned = torch.outer(differs, differs)
    alignment = torch.where(aligned, products / torch.outer(norm, norm), 0).clamp(0, 1)
    alignment.diagonal().copy_(differs)
    return {"alignment": alignment, "aligned": aligned.to(torch.float64)}


def _add_products(table: Tensor, rows: Tensor) -> None:
    """Add the inner products of every two rows, on and above the diagonal, to a table."""
    for columns in torch.split(rows, _COLUMNS, 1):
        for start in range(0, len(rows), _PANEL):
            panel = columns[start : start + _PANEL]
            table[start : start + _PANEL, start:] += panel @ columns[start:].T


def _symmetric(upper: Tensor) -> Tensor:
    """Return the symmetric matrix with this upper triangle."""
    return upper.triu() + upper.triu(1).T
