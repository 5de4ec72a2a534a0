"""Add up comparisons of every two attention heads over utterances."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from assonance.statistics.head_kernels import add_log_sums, standardise
from assonance.statistics.order import in_order

# Values of all heads that are processed at once. The first is few enough for the cache. The second
# is for kernels, each block of which needs all of every map: as many as memory allows.
_BLOCK, _KERNEL_BLOCK = 2**21, 2**24
# Columns of a product that are multiplied at once: few enough that float32 sums keep their digits.
_COLUMNS = 8192
# Rows of a symmetric product that are computed at once, each from its diagonal block on.
_PANEL = 48
# Rows of a valid map sum to 1 within this, after a softmax in float32 or half precision.
_ROW_SUM_TOLERANCE = 0.02


@dataclass(frozen=True)
class HeadPair:
    """Sums for the heads of one layer (rows) and the heads of another (columns).

    Every table has shape (Hx, Hy); measures are ratios of tables. An utterance in which a head's
    map is broken (see `HeadSums.broken`) is left out of that head's sums.

    Attributes
    ----------
    utterances, rows
        Number of maps, and of their rows (query frames), added.
    frobenius
        Σ over utterances of ‖A − B‖.
    frobenius_normalized
        Σ over utterances of ‖A − B‖/√(2T), the distance relative to its maximum.
    correlation
        Σ over rows of the correlation of the two rows over keys, where it is defined.
    pearson
        Σ over the same rows of the correlation times (T − 1)/T: covariances are divided by T and
        variances by T − 1.
    correlated
        Number of rows where the correlation is defined: neither row is constant.
    divergence
        Σ over rows of the Jensen–Shannon divergence in nats.
    alignment
        Σ over utterances of the CKA of the two maps, where it is defined.
    aligned
        Number of utterances where the CKA is defined: neither map is the same for all queries.
    """

    utterances: Tensor
    rows: Tensor
    frobenius: Tensor
    frobenius_normalized: Tensor
    correlation: Tensor
    pearson: Tensor
    correlated: Tensor
    divergence: Tensor
    alignment: Tensor
    aligned: Tensor


_TABLES = tuple(HeadPair.__dataclass_fields__)


@dataclass
class HeadSums:
    """Mergeable comparisons of every two attention heads, one utterance's maps at a time.

    Parameters
    ----------
    heads
        Number of heads by layer name, in the order in which heads are stacked.
    pairs
        Layer pairs to compare, each in either order. Divergences of other pairs stay 0.
    divergences, kernels
        Whether to compute `HeadPair.divergence`, and `HeadPair.alignment` and `HeadPair.aligned`.
        These cost more than all other tables. They are 0 if not computed.

    Attributes
    ----------
    tables
        The tables of `HeadPair` for all N heads, float64, shape (N, N), symmetric.
    broken
        Number of utterances in which each head's map was broken: not finite, or with rows that do
        not sum to 1; (N,).
    """

    heads: Mapping[str, int]
    pairs: Iterable[tuple[str, str]]
    divergences: bool = True
    kernels: bool = True
    tables: dict[str, Tensor] = field(init=False)
    broken: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.heads = dict(self.heads)
        self.pairs = in_order(self.heads, self.pairs)
        count = sum(self.heads.values())
        self.tables = {name: torch.zeros(count, count, dtype=torch.float64) for name in _TABLES}
        self.broken = torch.zeros(count, dtype=torch.int64)

    def slices(self) -> dict[str, slice]:
        """Return where the heads of each layer are in the stack of all heads."""
        slices, start = {}, 0
        for name, count in self.heads.items():
            slices[name] = slice(start, start + count)
            start += count
        return slices

    def update(self, stack: Tensor) -> Tensor:
        """Add the maps of one utterance.

        Parameters
        ----------
        stack
            Attention after the softmax, the heads of all layers in order, shape (N, T, T), float32
            or float64, with rows that sum to 1; not changed. Broken maps are counted and left out
            of their heads' sums. Sums of float32 maps are precise to about 1e-6, of float64 maps
            to 1e-12.

        Returns
        -------
        Tensor
            Whether each head's map is valid, that is, not broken; bool, shape (N,).

        Raises
        ------
        ValueError
            If the stack has another shape.
        """
        count, length = sum(self.heads.values()), stack.shape[-1]
        if stack.shape != (count, length, length) or not length:
            raise ValueError(f"maps of {count} heads must be (N, T, T); got {tuple(stack.shape)}")
        valid, tables = self._compare(stack)
        both = torch.outer(valid, valid)
        self.broken += ~valid
        self.tables["utterances"] += both
        self.tables["rows"] += length * both
        for name, table in tables.items():
            self.tables[name] += torch.where(both, table, 0)
        return valid

    def merge(self, other: "HeadSums") -> "HeadSums":
        """Return the sums over the utterances of both; neither is changed."""
        if (self.heads, self.pairs) != (other.heads, other.pairs):
            raise ValueError("sums over different heads or pairs cannot be merged")
        return weighted_heads([self, other], [1, 1])

    @property
    def total(self) -> HeadPair:
        """The sums of all heads by all heads."""
        return HeadPair(**self.tables)

    def pair(self, a: str, b: str) -> HeadPair:
        """Return the sums of layers a (rows) and b (columns), in either order."""
        row, col = (self.slices()[name] for name in (a, b))
        return HeadPair(**{name: table[row, col] for name, table in self.tables.items()})

    def _compare(self, stack: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return which maps are valid and the tables of one utterance, undefined for others."""
        count, length = len(stack), stack.shape[-1]
        inner, correlation, correlated, logs = torch.zeros(4, count, count, dtype=torch.float64)
        valid = torch.ones(count, dtype=torch.bool)
        blocks = torch.split(stack, max(1, _BLOCK // (count * length)), 1)
        # Allocated once: allocating blocks of this size costs more than using them.
        scratch = torch.empty(2, blocks[0].numel(), dtype=stack.dtype)
        for block in blocks:
            rows, scaled = (each[: block.numel()].view(block.shape) for each in scratch)
            rows.copy_(block)
            sums, varies = torch.empty(2, *rows.shape[:2], dtype=torch.float64)
            standardise(
                rows.numpy(), _rounding(stack), scaled.numpy(), sums.numpy(), varies.numpy()
            )
            # False for NaN too.
            valid &= ((sums - 1).abs() < _ROW_SUM_TOLERANCE).all(1)
            _add_products(correlation, scaled.flatten(1))
            _add_products(correlated, varies)
            if self.divergences:
                self._add_log_sums(logs, rows.flatten(1))
            # Subtracting the same from all maps keeps their differences, and keeps the digits of
            # nearly even attention.
            _add_products(inner, rows.sub_(1 / length).flatten(1))
        correlation, correlated = _symmetric(correlation), _symmetric(correlated)
        # A row's correlation with itself is exactly 1, without rounding.
        correlation.diagonal().copy_(correlated.diagonal())
        correlation = torch.minimum(torch.maximum(correlation, -correlated), correlated)
        distance = _distances(_symmetric(inner), stack)
        own = logs.diagonal()
        divergence = (own[:, None] + own) / 4 - _symmetric(logs) / 2
        tables = {
            "frobenius": distance,
            "frobenius_normalized": distance / (2 * length) ** 0.5,
            "correlation": correlation,
            "pearson": correlation * ((length - 1) / length),
            "correlated": correlated,
            "divergence": divergence.clamp(0, length * math.log(2)),
        }
        if self.kernels:
            tables |= _alignments(stack, inner.diagonal() + 1)
        return valid, tables

    def _add_log_sums(self, table: Tensor, rows: Tensor) -> None:
        """Add Σ(p + q)·log(p + q), for divergences, of the given pairs and each layer itself."""
        slices = self.slices()
        values, out = rows.numpy(), table.numpy()
        for a, b in dict.fromkeys([*((name, name) for name in self.heads), *self.pairs]):
            x, y = slices[a], slices[b]
            add_log_sums(values[x], values[y], out[x, y])


def weighted_heads(groups: Sequence[HeadSums], weights: Sequence[int]) -> HeadSums:
    """Compute the sums over the utterances of all jackknife groups, counted by weight.

    Parameters
    ----------
    groups
        Sums for the same heads and pairs; not changed.
    weights
        How often the utterances of each group count; 0 leaves them out.
    """
    result = HeadSums(
        groups[0].heads,
        groups[0].pairs,
        all(group.divergences for group in groups),
        all(group.kernels for group in groups),
    )
    for group, weight in zip(groups, weights, strict=True):
        if weight:
            for name, table in result.tables.items():
                table.add_(group.tables[name], alpha=int(weight))
            result.broken.add_(group.broken, alpha=int(weight))
    return result


def _alignments(stack: Tensor, squares: Tensor) -> dict[str, Tensor]:
    """Compute the CKA of every two maps, with queries as examples and keys as features.

    Parameters
    ----------
    stack
        Maps, shape (N, T, T).
    squares
        Squared norms of the maps, shape (N,).
    """
    count, length = len(stack), stack.shape[-1]
    products = torch.zeros(count, count, dtype=torch.float64)
    variance = torch.zeros(count, dtype=torch.float64)
    # One map at a time, so that the stack is never copied whole.
    mean = torch.stack([each.mean(0, dtype=torch.float64) for each in stack]).to(stack.dtype)
    for rows in torch.split(stack, max(1, _KERNEL_BLOCK // (count * length)), 1):
        centred = rows - mean[:, None]
        variance += torch.stack([each.square().sum(dtype=torch.float64) for each in centred])
        # Rows of the centred maps' Gram matrices.
        kernel = torch.bmm(centred, stack.mT).sub_(centred @ mean[..., None])
        _add_products(products, kernel.flatten(1))
    # The kernel of a map that is the same for all queries is rounding.
    differs = variance > _rounding(stack) ** 2 * squares
    products = _symmetric(products)
    norm = products.diagonal().sqrt()
    aligned = torch.outer(differs, differs)
    alignment = torch.where(aligned, products / torch.outer(norm, norm), 0).clamp(0, 1)
    alignment.diagonal().copy_(differs)
    return {"alignment": alignment, "aligned": aligned.to(torch.float64)}


def _distances(inner: Tensor, stack: Tensor) -> Tensor:
    """Compute the norms of A − B from the maps' inner products; exactly 0 on the diagonal."""
    squares = inner.diagonal()
    norms = squares[:, None] + squares
    squared = (norms - 2 * inner).fill_diagonal_(0)
    # Small distances lose their digits in this difference: compute them from the maps.
    lost = squared < torch.finfo(stack.dtype).eps ** (1 / 3) * norms
    for i, j in lost.triu(1).nonzero().tolist():
        squared[i, j] = squared[j, i] = (stack[i].to(torch.float64) - stack[j]).square().sum()
    return squared.sqrt()


def _rounding(stack: Tensor) -> float:
    """Return the relative difference below which values of the maps count as equal."""
    return 16 * torch.finfo(stack.dtype).eps


def _add_products(table: Tensor, rows: Tensor) -> None:
    """Add the inner products of every two rows, on and above the diagonal, to a table."""
    for columns in torch.split(rows, _COLUMNS, 1):
        for start in range(0, len(rows), _PANEL):
            panel = columns[start : start + _PANEL]
            table[start : start + _PANEL, start:] += panel @ columns[start:].T


def _symmetric(upper: Tensor) -> Tensor:
    """Return the symmetric matrix with this upper triangle."""
    return upper.triu() + upper.triu(1).T
