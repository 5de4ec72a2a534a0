"""Mergeable sums for unbiased CKA.

Over tuples of distinct frames (Song et al. 2012), or of frames from distinct utterances.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from assonance.statistics.hsic import BlockPair, Hsic, PairSums, Powers
from assonance.statistics.moments import two_float32
from assonance.statistics.order import in_order
from assonance.statistics.outer_sums import OuterSums, weighted_outer

# Rows of an utterance's Gram matrices computed at once: few enough that those of all layers stay in
# the processor's cache.
ROWS_AT_ONCE = 128
# A mean below this share of the standard deviation is rounding: the data are centred.
CENTRED = 1e-7


@dataclass(frozen=True)
class UtteranceTerms:
    """Terms of one utterance in the sums of `HsicBlockSums`, for L layers and P pairs.

    Attributes
    ----------
    length
        Number of frames.
    sums
        Σx of each layer, (D,).
    norms
        Σ‖x‖² of each layer, (L,).
    tables
        For each pair Σ‖x‖²‖y‖², ‖C‖² and sᵀCt, and a last row of 0; (4, P). ‖C‖² and sᵀCt are 0 if
        sums are not kept by utterance.
    vectors
        For each layer Σ x‖y‖² with every layer y and, if sums are kept by utterance, C t;
        (1 or 2, D, L).
    """

    length: int
    sums: list[Tensor]
    norms: Tensor
    tables: Tensor
    vectors: list[Tensor]


class HsicBlockSums:
    """Mergeable sums for two U-statistics of HSIC, in one pass over the utterances.

    The HSIC of kernels K = XXᵀ and L = YYᵀ is estimated by mean K_ij L_ij + mean K_ij L_qr −
    2·mean K_ij L_iq. If the frames i, j, q, r only have to be distinct, this is the estimator of
    Song et al. 2012. If all must be from distinct utterances, dependence between neighbouring
    frames adds no bias. Gram matrices are computed within utterances only: ‖C_u‖² = ΣK_u∘L_u and
    s_uᵀC_u t_u = (K_u1)ᵀ(L_u1).

    Frames are taken about `shift`. The estimate over distinct frames does not depend on it. The
    estimate over distinct utterances does, unless all utterances are equally long. It is defined
    for frames about their mean over all frames, so `shift` should be that mean. A later correction
    for another shift would need Σn_u C_u and Σn_u² C_u, two more products for every pair of layers.

    If any layer of an utterance is in float64, all are multiplied in float64. Otherwise all are
    multiplied in float32, with sums over frames in float64; this errs by about 1e-7 of the largest
    sum. If `shift` is the mean and all layers have one dtype, no bit of a pair's estimates depends
    on the other layers.

    Parameters
    ----------
    shift
        Mean of each neuron over all frames, shape (D,), by layer name.
    pairs
        Layer pairs to estimate, each in either order.
    utterances
        Whether to keep sums by utterance. If not, updates may be any chunks of frames, cost little
        and allow only the estimate over distinct frames.

    Attributes
    ----------
    n : int
        Number of frames added.
    """

    def __init__(
        self,
        shift: Mapping[str, Tensor],
        pairs: Iterable[tuple[str, str]],
        *,
        utterances: bool = True,
    ) -> None:
        self.shift = {name: value.to(torch.float64) for name, value in shift.items()}
        self.utterances = utterances
        self.index = {name: number for number, name in enumerate(self.shift)}
        own = ((name, name) for name in self.shift)
        self.pairs = in_order(self.shift, chain(pairs, own))
        self.number = {pair: number for number, pair in enumerate(self.pairs)}
        widths = {name: len(value) for name, value in self.shift.items()}
        self._float32 = {name: two_float32(value) for name, value in self.shift.items()}
        count, like = len(widths), next(iter(self.shift.values()))
        self.powers = Powers()
        self.sums = {name: torch.zeros_like(value) for name, value in self.shift.items()}
        # For each pair: over frames Σ‖x‖²‖y‖²; over utterances Σ‖C_u‖², Σ s_uᵀC_u t_u and
        # Σ‖s_u‖²‖t_u‖².
        self.tables = like.new_zeros(4, len(self.pairs))
        # For each layer: over frames Σ‖x‖²; over utterances Σ‖s_u‖².
        self.norms = like.new_zeros(2, count)
        # With every layer y: over frames Σ x‖y‖²; over utterances ΣC_u t_u and Σ s_u‖t_u‖².
        self.vectors = {name: like.new_zeros(3, width, count) for name, width in widths.items()}
        # For each pair: Σ s_u t_uᵀ over utterances.
        self.outer = OuterSums(list(widths), self.pairs)
        self._own: dict[str, tuple[float, float]] = {}

    @property
    def n(self) -> int:
        """Number of frames added."""
        return self.powers.first

    def update(self, frames: Mapping[str, Tensor]) -> None:
        """Add the frames of one utterance.

        Parameters
        ----------
        frames
            Activations by layer name, shape (T, D), with the same T for every layer; not changed.

        Raises
        ------
        ValueError
            If the layers differ in their number of frames.
        """
        self.add(self.utterance_terms(frames))

    def utterance_terms(self, frames: Mapping[str, Tensor]) -> "UtteranceTerms":
        """Compute the terms of one utterance without adding them; safe from several threads.

        See `update` for parameters and errors.
        """
        lengths = {len(frames[name]) for name in self.shift}
        if len(lengths) != 1:
            counts = sorted(lengths)
            raise ValueError(f"layers of one utterance have different frame counts: {counts}")
        in_float64 = any(frames[name].dtype == torch.float64 for name in self.shift)
        layers = [self._centre(name, frames[name], in_float64) for name in self.shift]
        sums = [layer.sum(0) for layer in layers]
        norms = [torch.linalg.vecdot(layer, layer) for layer in layers]
        tables = self.tables.new_zeros(self.tables.shape)
        tables[0] = self._dots(norms)
        factors = [*norms]
        if self.utterances:
            chains = [layer @ total for layer, total in zip(layers, sums, strict=True)]
            factors += chains
            for grams in _grams(layers):
                tables[1] += self._dots(grams)
            tables[2] = self._dots(chains)
        factor = torch.stack(factors, 1)
        return UtteranceTerms(
            length=lengths.pop(),
            sums=[total.to(torch.float64) for total in sums],
            norms=torch.stack([squares.sum(dtype=torch.float64) for squares in norms]),
            tables=tables,
            vectors=[
                (layer.T @ factor).view(layer.shape[1], -1, len(layers)).movedim(1, 0)
                for layer in layers
            ],
        )

    def add(self, terms: "UtteranceTerms") -> None:
        """Add the terms of one utterance."""
        if not terms.length:
            return
        self._own = {}
        length = terms.length
        self.powers = self.powers.merge(Powers(length, length**2, length**3, length**4))
        self.tables += terms.tables
        self.norms[0] += terms.norms
        for name, total, vectors in zip(self.shift, terms.sums, terms.vectors, strict=True):
            self.sums[name] += total
            self.vectors[name][: len(vectors)] += vectors
        if self.utterances:
            self._add_sums(terms.sums)

    def _add_weighted(self, other: "HsicBlockSums", weight: int) -> None:
        """Add the utterances of another object, with every frame repeated `weight` times.

        A sum in which the frames of an utterance occur to the power p grows by `weight` to the p.
        """
        one, two, three, four = (float(weight**power) for power in range(1, 5))
        # Copies of a frame are not distinct frames: the estimate over frames becomes undefined.
        frames = 1.0 if weight == 1 else math.nan
        vectors = self.tables.new_tensor([frames, two, three])[:, None, None]
        self.powers = self.powers.merge(other.powers.repeated(weight))
        powers = other.tables.new_tensor([frames, two, three, four])
        self.tables += other.tables * powers[:, None]
        self.norms += other.norms * other.norms.new_tensor([one, two])[:, None]
        for name in self.shift:
            self.sums[name].add_(other.sums[name], alpha=one)
            self.vectors[name] += other.vectors[name] * vectors

    def pair(
        self, a: str, b: str, cross: Tensor, x_scatter: Tensor, y_scatter: Tensor
    ) -> BlockPair:
        """Estimate the HSIC of layers a (rows) and b (columns).

        Parameters
        ----------
        a, b
            One of the pairs given at construction, in either order.
        cross
            Σ(x − mean)(y − mean)ᵀ over the same frames, shape (Dx, Dy).
        x_scatter, y_scatter
            Σ(x − mean)(x − mean)ᵀ of each layer, shape (D, D).

        Returns
        -------
        BlockPair
            NaN over frames for fewer than four frames, and over utterances for fewer than four
            utterances.

        Raises
        ------
        KeyError
            If the pair was not given at construction.
        """
        own = []
        for name, scatter in ((a, x_scatter), (b, y_scatter)):
            if name not in self._own:
                self._own[name] = self.hsic(name, name, scatter)
            own.append(self._own[name])
        both = own[0] if a == b else self.hsic(a, b, cross)
        of_frames, of_utterances = (
            Hsic(*values) for values in zip(both, own[0], own[1], strict=True)
        )
        return BlockPair(of_frames, of_utterances if self.utterances else None)

    def hsic(self, a: str, b: str, cross: Tensor) -> tuple[float, float]:
        """Estimate HSIC over distinct frames, and over distinct utterances (NaN if not kept).

        Parameters
        ----------
        a, b, cross
            As for `pair`.
        """
        n, i, j = self.n, self.index[a], self.index[b]
        number = self.number[(a, b) if i <= j else (b, a)]
        if not n:
            return float("nan"), float("nan")
        s, t = self._total(a), self._total(b)
        x_total, y_total = float(s @ s), float(t @ t)
        ends = float(s @ cross @ t)
        total = float(cross.square().sum()) + 2 * ends / n + x_total * y_total / n**2
        ends += x_total * y_total / n
        sums = PairSums(
            total=total,
            ends=ends,
            x_total=x_total,
            y_total=y_total,
            tables=self.tables[:, number].tolist(),
            x_norms=self.norms[:, i].tolist(),
            y_norms=self.norms[:, j].tolist(),
            x_ends=(self.vectors[a][..., j] @ s).tolist(),
            y_ends=(self.vectors[b][..., i] @ t).tolist(),
        )
        of_frames = sums.over_frames.hsic(Powers(n, n, n, n).counts)
        if not self.utterances:
            return of_frames, float("nan")
        outer = self.outer.against(a, b, cross)
        joint = outer.between(s, t)
        over_utterances = sums.over_utterances(
            mixed=outer.inner + joint / n, between=outer.squares, joint=joint
        )
        return of_frames, over_utterances.hsic(self.powers.counts)

    def _total(self, name: str) -> Tensor:
        """Return Σx, (D,), or 0 if the mean is rounding; see `CENTRED`."""
        total = self.sums[name]
        scatter = float(self.norms[0, self.index[name]])
        return total if float(total @ total) > CENTRED**2 * self.n * scatter else total * 0

    def _dots(self, rows: list[Tensor]) -> Tensor:
        """Compute the scalar product of the two layers' rows for each pair, in float64; (P,).

        A matrix product would be slightly faster, but its bits depend on the number of rows.
        """
        doubles = [row.to(torch.float64) for row in rows]
        index = self.index
        return torch.stack([torch.dot(doubles[index[a]], doubles[index[b]]) for a, b in self.pairs])

    def _add_sums(self, sums: list[Tensor]) -> None:
        """Add products of one utterance's sums over frames; one sum, (D,), per layer."""
        squares = torch.stack([total @ total for total in sums])
        self.tables[3] += self._dots(list(squares[:, None]))
        self.norms[1] += squares
        for name, total in zip(self.shift, sums, strict=True):
            self.vectors[name][2] += torch.outer(total, squares)
        self.outer.add(sums)

    def _centre(self, name: str, frames: Tensor, in_float64: bool) -> Tensor:
        if in_float64:
            return frames.to(torch.float64) - self.shift[name]
        # The remainder of the mean in float32 is subtracted as well: for a mean of 10³ standard
        # deviations it exceeds the rounding of the difference.
        high, low = self._float32[name]
        return (frames.to(torch.float32) - high).sub_(low)


def weighted_blocks(groups: Sequence[HsicBlockSums], weights: Sequence[int]) -> HsicBlockSums:
    """Compute the sums over the utterances of all jackknife groups, counted by weight.

    An utterance with weight w remains one utterance, with each frame repeated w times. For a
    weight above 1, `BlockPair.frames` becomes NaN: copies of a frame are not distinct frames.

    Parameters
    ----------
    groups
        Sums about the same shift, for the same layers and pairs; not changed.
    weights
        How often the utterances of each group count; 0 leaves them out.

    Raises
    ------
    ValueError
        If the sums differ in their shifts, layers or pairs.
    """
    first = groups[0]
    for group in groups[1:]:
        same = first.shift.keys() == group.shift.keys() and all(
            torch.equal(value, group.shift[name]) for name, value in first.shift.items()
        )
        if not same or first.pairs != group.pairs or first.utterances != group.utterances:
            raise ValueError("sums of different layers, pairs or shifts cannot be merged")
    result = HsicBlockSums(first.shift, first.pairs, utterances=first.utterances)
    for group, weight in zip(groups, weights, strict=True):
        if weight:
            result._add_weighted(group, int(weight))
    result.outer = weighted_outer([group.outer for group in groups], weights)
    return result


def _grams(layers: list[Tensor]) -> Iterator[list[Tensor]]:
    """Yield blocks of rows of each layer's Gram matrix, whose dot products add up to ΣK∘L.

    Gram matrices are symmetric: columns beyond the diagonal block are not computed, and columns
    before it are scaled by √2 so that they count twice.
    """
    length = len(layers[0])
    for start in range(0, length, ROWS_AT_ONCE):
        stop = min(start + ROWS_AT_ONCE, length)
        grams = []
        for layer in layers:
            gram = (layer[start:stop] @ layer[:stop].T).to(torch.float64)
            gram[:, :start] *= math.sqrt(2)
            grams.append(gram.flatten())
        yield grams
