"""Add up comparisons of every two attention heads over utterances."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.statistics.head_tables import Utterance, compare
from assonance.statistics.order import in_order
from assonance.utils.cores import Map


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
        Σ over rows of the Jensen–Shannon divergence in nats; an estimate if rows were sampled.
    divergence_variance
        Variance of `divergence` by the sampling of rows: from the difference of the estimates of
        either half of the sample, squared, summed over utterances. 0 if all rows were compared.
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
    divergence_variance: Tensor
    alignment: Tensor
    aligned: Tensor


_COUNTS = ("utterances", "rows")
# Query frames of each piece of speech that divergences are computed of, and of all together.
_FEWEST_ROWS, _MOST_ROWS, _ROWS_IN_ALL = 16, 64, 16_384
# The other tables, by the part that gives them.
_TABLES = {
    "head distances": ("frobenius", "frobenius_normalized"),
    "head correlations": ("correlation", "pearson", "correlated"),
    "head divergences": ("divergence", "divergence_variance"),
    "head kernels": ("alignment", "aligned"),
}


@dataclass
class HeadSums:
    """Mergeable comparisons of every two attention heads, one utterance's maps at a time.

    Parameters
    ----------
    heads
        Number of heads by layer name, in the order in which heads are stacked.
    pairs
        Layer pairs to compare, each in either order. Divergences of other pairs stay 0.
    parts
        What to compute; there are no tables of other parts. ``"head distances"``:
        `HeadPair.frobenius` and `HeadPair.frobenius_normalized`; ``"head correlations"``:
        `HeadPair.correlation`, `HeadPair.pearson` and `HeadPair.correlated`;
        ``"head divergences"``: `HeadPair.divergence` and `HeadPair.divergence_variance`;
        ``"head kernels"``: `HeadPair.alignment` and `HeadPair.aligned`.

    Attributes
    ----------
    tables
        The tables of `HeadPair` for all N heads that were requested, float64, shape (N, N),
        symmetric.
    broken
        Number of utterances in which each head's map was broken: not finite, or with rows that do
        not sum to 1; (N,).
    """

    heads: Mapping[str, int]
    pairs: Iterable[tuple[str, str]]
    parts: Collection[str] = tuple(_TABLES)
    tables: dict[str, Tensor] = field(init=False)
    broken: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.heads = dict(self.heads)
        self.pairs = in_order(self.heads, self.pairs)
        count = sum(self.heads.values())
        names = [*_COUNTS]
        for part in _TABLES:
            names += _TABLES[part] if part in self.parts else ()
        self.tables = {name: torch.zeros(count, count, dtype=torch.float64) for name in names}
        self.broken = torch.zeros(count, dtype=torch.int64)

    def slices(self) -> dict[str, slice]:
        """Return where the heads of each layer are in the stack of all heads."""
        slices, start = {}, 0
        for name, count in self.heads.items():
            slices[name] = slice(start, start + count)
            start += count
        return slices

    def compared(self) -> Tensor:
        """Return whether two heads are of a pair of layers to compare; bool, shape (N, N)."""
        number = {name: index for index, name in enumerate(self.heads)}
        ends = np.array([(number[a], number[b]) for a, b in self.pairs], dtype=int).reshape(-1, 2)
        layers = np.zeros((len(number), len(number)), dtype=bool)
        layers[ends[:, 0], ends[:, 1]] = layers[ends[:, 1], ends[:, 0]] = True
        of_head = np.repeat(np.arange(len(number)), list(self.heads.values()))
        return torch.from_numpy(layers[of_head][:, of_head])

    def update(
        self,
        maps: Sequence[Tensor],
        pool_map: Map = map,
        queries: NDArray[np.int64] | None = None,
    ) -> Tensor:
        """Add the maps of one utterance.

        Parameters
        ----------
        maps
            Attention after the softmax, the heads of one layer each, in order, shape (H, T, T),
            all float32 or all float64, with rows that sum to 1; not changed. Broken maps are
            counted and left out of their heads' sums. Sums of float32 maps are precise to about
            1e-6, of float64 maps to 1e-12.
        pool_map
            Compares parts of the maps, on several cores if it does. No bit depends on it.
        queries
            Query frames of which divergences are computed, in order, at least two; see
            `sample_queries`. All if None.

        Returns
        -------
        Tensor
            Whether each head's map is valid, that is, not broken; bool, shape (N,).

        Raises
        ------
        ValueError
            If the maps have other shapes.
        """
        shapes = [tuple(one.shape) for one in maps]
        length = shapes[0][-1] if shapes else 0
        if not length or shapes != [(count, length, length) for count in self.heads.values()]:
            raise ValueError(f"maps of {self.heads} heads must be (H, T, T); got {shapes}")
        places = self.slices()
        # The diagonal of divergences needs each layer's with itself.
        pairs = dict.fromkeys([*((name, name) for name in self.heads), *self.pairs])
        valid, tables = compare(
            Utterance(
                maps,
                list(places.values()),
                [(places[a], places[b]) for a, b in pairs],
                self.parts,
                queries,
            ),
            pool_map,
        )
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
        """The sums of all heads by all heads; 0 where a part was not requested."""
        nothing = torch.zeros((), dtype=torch.float64).expand_as(self.tables["rows"])
        names = HeadPair.__dataclass_fields__
        return HeadPair(**{name: self.tables.get(name, nothing) for name in names})

    def pair(self, a: str, b: str) -> HeadPair:
        """Return the sums of layers a (rows) and b (columns), in either order."""
        row, col = (self.slices()[name] for name in (a, b))
        return HeadPair(**{name: table[row, col] for name, table in vars(self.total).items()})


def count_rows(rows: int | None, pieces: int) -> int:
    """Return of how many query frames of each piece divergences are computed; 0 for all.

    Parameters
    ----------
    rows
        The number that the settings give; None for one that depends on the number of pieces, since
        many pieces need fewer of each for the same precision.
    pieces
        Number of pieces of speech.
    """
    if rows is not None:
        return rows
    return max(_FEWEST_ROWS, min(_MOST_ROWS, math.ceil(_ROWS_IN_ALL / max(1, pieces))))


def sample_queries(length: int, count: int, seed: Sequence[int]) -> NDArray[np.int64] | None:
    """Sample query frames: one at random from each of `count` equal stretches.

    Parameters
    ----------
    length
        Number of frames T.
    count
        Size of the sample, at least two.
    seed
        Seed, of any number of integers.

    Returns
    -------
    ndarray or None
        Frames in order, each drawn `count`/T times in the mean; a frame that two stretches share
        may be in it twice. None, for all frames, if there are no more than `count`.
    """
    if length <= count:
        return None
    places = (np.arange(count) + np.random.default_rng(seed).random(count)) * (length / count)
    return np.minimum(places.astype(np.int64), length - 1)


def weighted_heads(
    groups: Sequence[HeadSums], weights: Sequence[int], total: HeadSums | None = None
) -> HeadSums:
    """Compute the sums over the utterances of all jackknife groups, counted by weight.

    Parameters
    ----------
    groups
        Sums for the same heads and pairs; not changed.
    weights
        How often the utterances of each group count; 0 leaves them out.
    total
        The sums over all groups, if they are known. Few groups that are left out are subtracted
        from it, and the others are not read.
    """
    left_out = [number for number, weight in enumerate(weights) if not weight]
    if total is not None and max(weights) == 1 and len(left_out) < len(weights) / 2:
        groups = [total, *(groups[number] for number in left_out)]
        weights = [1, *(-1 for _ in left_out)]
    first = groups[0]
    parts = [part for part in first.parts if all(part in group.parts for group in groups)]
    result = HeadSums(first.heads, first.pairs, parts)
    for group, weight in zip(groups, weights, strict=True):
        if weight:
            for name, table in result.tables.items():
                table.add_(group.tables[name], alpha=int(weight))
            result.broken.add_(group.broken, alpha=int(weight))
    return result
