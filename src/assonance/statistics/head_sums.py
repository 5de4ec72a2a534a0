"""Sums over utterances of what every attention head has in common with every other."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from assonance.statistics.head_kernels import add_log_sums, standardise
from assonance.statistics.order import in_order

# Values of all heads together that are worked on at once: few enough to stay in the cache, and for
# kernels, which go through every map whole each time, as many as memory bears.
_BLOCK, _KERNEL_BLOCK = 2**21, 2**24


# Columns of a product taken at once: float32 sums of so many still have their digits.
_COLUMNS = 8192


# Rows of a product computed at once: what is below the diagonal is not, but for these.
_PANEL = 48


# A float32 softmax leaves the rows of a map this close to summing to one, and half precision too.
_ROW_SUM_TOLERANCE = 0.02


@dataclass(frozen=True)
class HeadPair:
    """Sums for the heads of two layers, rows of one and columns of the other.

    Every table has shape (Hx, Hy); measures are their ratios. An utterance in which a head is
    broken (see `HeadSums.broken`) is in none of that head's sums.

    Attributes
    ----------
    utterances, rows
        How many maps and how many of their rows (query frames) were added.
    frobenius
        Σ over utterances of ‖A − B‖.
    frobenius_normalized
        Σ over utterances of ‖A − B‖/√(2T), the share of the largest distance there is.
    correlation
        Σ over rows of the two rows' correlation over keys, where it is defined.
    pearson
        The same with covariances over T and deviations over T − 1: each times (T − 1)/T.
    correlated
        Rows where that correlation is defined: neither row constant.
    divergence
        Σ over rows of the Jensen–Shannon divergence in nats.
    alignment
        Σ over utterances of the CKA of the two maps, where it is defined.
    aligned
        Utterances where that is defined: neither map the same for all queries.
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
    """Additive comparisons of attention heads, one utterance's maps at a time.

    Parameters
    ----------
    heads
        Layer name to its number of heads; the order in which heads are stacked.
    pairs
        The layer pairs wanted; one order of the two is enough. Divergences of others stay 0.
    divergences, kernels
        Whether to compute `HeadPair.divergence`; `HeadPair.alignment` and `aligned`. They cost
        more than all the rest, and are 0 where they are not computed.

    Attributes
    ----------
    tables
        The tables of `HeadPair`, of all heads by all heads, float64, shape (N, N), symmetric.
    broken
        Utterances in which a head's map was not finite or its rows did not sum to one; (N,).
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
        """Give the place of every layer's heads among all."""
        places, start = {}, 0
        for name, count in self.heads.items():
            places[name] = slice(start, start + count)
            start += count
        return places

    def update(self, stack: Tensor) -> Tensor:
        """Add the maps of one utterance.

        Parameters
        ----------
        stack
            Attention after the softmax of the heads of all layers in order, shape (N, T, T),
            float32 or float64, rows summing to one; not changed. What is broken (not finite, or
            rows that do not sum to one) is counted and left out of its heads' sums. Sums of
            float32 maps are good to about 1e-6, of float64 maps to 1e-12.

        Returns
        -------
        Tensor
            Which heads' maps are whole, bool, shape (N,).

        Raises
        ------
        ValueError
            When the shape is another.
        """
        count, length = sum(self.heads.values()), stack.shape[-1]
        if stack.shape != (count, length, length) or not length:
            raise ValueError(f"maps of {count} heads must be (N, T, T); got {tuple(stack.shape)}")
        whole, tables = self._of(stack)
        both = torch.outer(whole, whole)
        self.broken += ~whole
        self.tables["utterances"] += both
        self.tables["rows"] += length * both
        for name, table in tables.items():
            self.tables[name] += torch.where(both, table, 0)
        return whole

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
        """Return the sums of layers a (rows) and b (columns), either way round."""
        row, col = (self.slices()[name] for name in (a, b))
        return HeadPair(**{name: table[row, col] for name, table in self.tables.items()})

    def _of(self, stack: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Which maps are whole, and the tables of one utterance; nothing where a map is broken."""
        count, length = len(stack), stack.shape[-1]
        inner, correlation, correlated, logs = torch.zeros(4, count, count, dtype=torch.float64)
        whole = torch.ones(count, dtype=torch.bool)
        blocks = torch.split(stack, max(1, _BLOCK // (count * length)), 1)
        # Memory of this size costs more to get than to use: it is got once.
        scratch = torch.empty(2, blocks[0].numel(), dtype=stack.dtype)
        for block in blocks:
            rows, unit = (each[: block.numel()].view(block.shape) for each in scratch)
            rows.copy_(block)
            sums, varies = torch.empty(2, *rows.shape[:2], dtype=torch.float64)
            standardise(rows.numpy(), _rounding(stack), unit.numpy(), sums.numpy(), varies.numpy())
            # NaN is near nothing.
            whole &= ((sums - 1).abs() < _ROW_SUM_TOLERANCE).all(1)
            _add_products(correlation, unit.flatten(1))
            _add_products(correlated, varies)
            if self.divergences:
                self._add_log_sums(logs, rows.flatten(1))
            # The same shift for all leaves their differences, and what maps of nearly even
            # attention have in common no longer drowns them.
            _add_products(inner, rows.sub_(1 / length).flatten(1))
        correlation, correlated = _symmetric(correlation), _symmetric(correlated)
        # A head is itself in every row that varies, whatever the rounding.
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
        return whole, tables

    def _add_log_sums(self, table: Tensor, rows: Tensor) -> None:
        """Add what divergences are made of, for the pairs asked for and every head with itself."""
        places = self.slices()
        values, out = rows.numpy(), table.numpy()
        for a, b in dict.fromkeys([*((name, name) for name in self.heads), *self.pairs]):
            x, y = places[a], places[b]
            add_log_sums(values[x], values[y], out[x, y])


def weighted_heads(parts: Sequence[HeadSums], weights: Sequence[int]) -> HeadSums:
    """Return sums over the utterances of all parts, some more than once, some not at all.

    Parameters
    ----------
    parts
        Over the same heads and pairs; not changed.
    weights
        How often the utterances of each count.
    """
    result = HeadSums(
        parts[0].heads,
        parts[0].pairs,
        all(part.divergences for part in parts),
        all(part.kernels for part in parts),
    )
    for part, times in zip(parts, weights, strict=True):
        if times:
            for name, table in result.tables.items():
                table.add_(part.tables[name], alpha=int(times))
            result.broken.add_(part.broken, alpha=int(times))
    return result


def _alignments(stack: Tensor, squares: Tensor) -> dict[str, Tensor]:
    """CKA of every two maps, queries taken as examples and keys as features.

    `squares` are the maps' squared norms.
    """
    count, length = len(stack), stack.shape[-1]
    products = torch.zeros(count, count, dtype=torch.float64)
    spread = torch.zeros(count, dtype=torch.float64)
    # One map at a time: no second copy of them all.
    mean = torch.stack([one.mean(0, dtype=torch.float64) for one in stack]).to(stack.dtype)
    for rows in torch.split(stack, max(1, _KERNEL_BLOCK // (count * length)), 1):
        centred = rows - mean[:, None]
        spread += torch.stack([one.square().sum(dtype=torch.float64) for one in centred])
        # Rows of the centred maps' Gram matrices.
        kernel = torch.bmm(centred, stack.mT).sub_(centred @ mean[..., None])
        _add_products(products, kernel.flatten(1))
    # A map that is the same for all queries has no kernel but rounding.
    differs = spread > _rounding(stack) ** 2 * squares
    products = _symmetric(products)
    norm = products.diagonal().sqrt()
    aligned = torch.outer(differs, differs)
    alignment = torch.where(aligned, products / torch.outer(norm, norm), 0).clamp(0, 1)
    alignment.diagonal().copy_(differs)
    return {"alignment": alignment, "aligned": aligned.to(torch.float64)}


def _distances(inner: Tensor, stack: Tensor) -> Tensor:
    """Frobenius norms of A − B from the maps' inner products; exactly 0 from itself."""
    squares = inner.diagonal()
    norms = squares[:, None] + squares
    squared = (norms - 2 * inner).fill_diagonal_(0)
    # A difference of large numbers loses the digits of a small one: those are taken apart.
    lost = squared < torch.finfo(stack.dtype).eps ** (1 / 3) * norms
    for i, j in lost.triu(1).nonzero().tolist():
        squared[i, j] = squared[j, i] = (stack[i].to(torch.float64) - stack[j]).square().sum()
    return squared.sqrt()


def _rounding(stack: Tensor) -> float:
    """Share of a number below which a difference says nothing."""
    return 16 * torch.finfo(stack.dtype).eps


def _add_products(table: Tensor, rows: Tensor) -> None:
    """Add the inner products of every two rows, on and above the diagonal."""
    for columns in torch.split(rows, _COLUMNS, 1):
        for start in range(0, len(rows), _PANEL):
            panel = columns[start : start + _PANEL]
            table[start : start + _PANEL, start:] += panel @ columns[start:].T


def _symmetric(upper: Tensor) -> Tensor:
    """Copy what is above the diagonal below it."""
    return upper.triu() + upper.triu(1).T
