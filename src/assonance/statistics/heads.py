"""Sums over utterances of what every attention head has in common with every other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from assonance.statistics.order import in_order

# Smaller probabilities are taken as 0 in the entropy: a float32 softmax leaves denormals whose
# logarithm some libraries give as −inf.
SMALLEST_PROBABILITY = 1e-37
# Squared distances from a product lose half the digits when two maps nearly agree; below this
# share of the squared norms they are taken from the difference itself.
NEARLY_EQUAL = 1e-5
# Heads whose entropies are computed at once: their maps should stay in the processor's cache.
HEADS_AT_ONCE = 4


@dataclass(frozen=True)
class HeadPair:
    """Sums for the heads of two layers, rows of one and columns of the other.

    Every table has shape (Hx, Hy); measures are their ratios.

    Attributes
    ----------
    utterances, rows
        How many maps and how many of their rows (query frames) were added.
    frobenius
        Σ over utterances of ‖A − B‖.
    pearson
        Σ over rows of the two rows' correlation over keys (covariance over T, deviations over
        T − 1), where it is defined.
    correlated
        Rows where that correlation is defined: neither row constant.
    divergence
        Σ over rows of the Jensen–Shannon divergence in nats.
    """

    utterances: int
    rows: int
    frobenius: Tensor
    pearson: Tensor
    correlated: Tensor
    divergence: Tensor

    def swapped(self) -> "HeadPair":
        """Return the same sums with rows and columns exchanged."""
        tables = ("frobenius", "pearson", "correlated", "divergence")
        return replace(self, **{name: getattr(self, name).T for name in tables})


class HeadSums:
    """Additive comparisons of attention heads, one utterance's maps at a time.

    Parameters
    ----------
    heads
        Layer name to its number of heads.
    pairs
        The layer pairs wanted; one order of the two is enough.
    """

    def __init__(self, heads: Mapping[str, int], pairs: Iterable[tuple[str, str]]) -> None:
        self.heads = dict(heads)
        self.sums = {
            (a, b): HeadPair(0, 0, *torch.zeros(4, heads[a], heads[b], dtype=torch.float64))
            for a, b in in_order(heads, pairs)
        }

    def update(self, maps: Mapping[str, Tensor]) -> None:
        """Add the maps of one utterance.

        Parameters
        ----------
        maps
            Layer name to attention after the softmax, shape (H, T, T), rows summing to one; the
            same T for every layer; not changed.

        Raises
        ------
        ValueError
            When the layers do not have the same number of frames.
        """
        lengths = {maps[name].shape[-1] for name in self.heads}
        if len(lengths) != 1:
            raise ValueError(f"maps of one utterance have different sizes: {sorted(lengths)}")
        features = {name: _Maps(maps[name]) for name in self.heads}
        # One for all pairs: large blocks of memory cost more to get than to use.
        scratch = torch.empty(2, HEADS_AT_ONCE, lengths.pop() ** 2, dtype=torch.float64)
        for (a, b), old in self.sums.items():
            x, y = features[a], features[b]
            self.sums[a, b] = HeadPair(
                old.utterances + 1,
                old.rows + x.rows,
                old.frobenius + x.distance(y),
                old.pearson + x.standardised @ y.standardised.T / x.rows,
                old.correlated + x.defined @ y.defined.T,
                old.divergence + x.divergence(y, scratch),
            )

    def merge(self, other: "HeadSums") -> "HeadSums":
        """Return the sums over the utterances of both; neither is changed."""
        if self.heads != other.heads or self.sums.keys() != other.sums.keys():
            raise ValueError("sums over different heads or pairs cannot be merged")
        result = HeadSums(self.heads, self.sums)
        for pair, one in self.sums.items():
            two = other.sums[pair]
            result.sums[pair] = HeadPair(
                one.utterances + two.utterances,
                one.rows + two.rows,
                one.frobenius + two.frobenius,
                one.pearson + two.pearson,
                one.correlated + two.correlated,
                one.divergence + two.divergence,
            )
        return result

    def pair(self, a: str, b: str) -> HeadPair:
        """Return the sums of layers a (rows) and b (columns), whichever order is kept."""
        return self.sums[a, b] if (a, b) in self.sums else self.sums[b, a].swapped()


class _Maps:
    """One layer's maps of one utterance, in the forms that the comparisons share."""

    def __init__(self, maps: Tensor) -> None:
        maps = maps.to(torch.float64)
        self.rows = maps.shape[1]
        self.flat = maps.flatten(1)
        self.squares = (self.flat**2).sum(1)
        deviation = maps.std(2, keepdim=True) if self.rows > 1 else torch.zeros_like(maps)
        varies = deviation > 1e-12 * maps.abs().amax(2, keepdim=True)
        centred = maps - maps.mean(2, keepdim=True)
        self.standardised = torch.where(varies, centred / deviation, 0.0).flatten(1)
        self.defined = varies[..., 0].to(torch.float64)
        self.probabilities = torch.where(self.flat < SMALLEST_PROBABILITY, 0.0, self.flat)
        self.entropy = -torch.xlogy(self.probabilities, self.probabilities).sum(1)

    def distance(self, other: "_Maps") -> Tensor:
        """Frobenius norm of A − B for every two heads; shape (Hx, Hy)."""
        norms = self.squares[:, None] + other.squares
        squared = norms - 2 * self.flat @ other.flat.T
        for i, j in (squared < NEARLY_EQUAL * norms).nonzero().tolist():
            squared[i, j] = ((self.flat[i] - other.flat[j]) ** 2).sum()
        return squared.sqrt()

    def divergence(self, other: "_Maps", scratch: Tensor) -> Tensor:
        """Jensen–Shannon divergence in nats, summed over rows, for every two heads; (Hx, Hy)."""
        mixed = torch.empty(len(self.flat), len(other.flat), dtype=torch.float64)
        for i, one in enumerate(self.probabilities):
            for start in range(0, len(other.flat), HEADS_AT_ONCE):
                block = other.probabilities[start : start + HEADS_AT_ONCE]
                middle, logarithm = scratch[:, : len(block)]
                torch.add(block, one, out=middle).mul_(0.5)
                # 0·log 0 is 0; log is twice as fast as xlogy, which looks at every value.
                torch.clamp(middle, min=SMALLEST_PROBABILITY, out=logarithm).log_()
                mixed[i, start : start + len(block)] = -torch.linalg.vecdot(middle, logarithm)
        return (mixed - (self.entropy[:, None] + other.entropy) / 2).clamp(min=0)
