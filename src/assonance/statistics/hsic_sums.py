"""Additive sums for alignments whose frames must differ, or lie in different utterances."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from assonance.statistics.hsic import BlockPair, Hsic, HsicSums, Powers
from assonance.statistics.order import in_order
from assonance.statistics.outer_sums import OuterSums, weighted_outer

# Rows of an utterance's Gram matrices made at once: those of all layers should stay in the
# processor's cache, and what lies beyond the diagonal block is never computed.
ROWS_AT_ONCE = 128


# Data whose mean is nearer to zero than this share of their deviation are about their mean.
CENTRED = 1e-7


@dataclass(frozen=True)
class UtteranceTerms:
    """What `HsicBlockSums` adds for one utterance.

    Attributes
    ----------
    length
        Frames.
    sums
        Σx of each layer, (D,).
    norms
        Σ‖x‖² of each layer, (L,).
    tables
        For every pair Σ‖x‖²‖y‖² and, where utterances are told apart, ‖C‖² and sᵀCt; (4, P), the
        last row 0.
    vectors
        Of each layer Σ x‖y‖² with every layer y and, where utterances are told apart, C t;
        (1 or 2, D, L).
    """

    length: int
    sums: list[Tensor]
    norms: Tensor
    tables: Tensor
    vectors: list[Tensor]


class HsicBlockSums:
    """Sums over utterances for two U-statistics of HSIC, linear in the corpus.

    The HSIC of kernels K = XXᵀ and L = YYᵀ is estimated by mean K_ij L_ij + mean K_ij L_qr −
    2·mean K_ij L_iq. Where the frames i, j, q, r only need to differ, this is the estimator of
    Song et al. 2012; where all must lie in different utterances, frames that depend on their
    neighbours do not count as agreement. No Gram matrix of more than one utterance is made:
    ‖C_u‖² = ΣK_u∘L_u and s_uᵀC_u t_u = (K_u1)ᵀ(L_u1) come from the utterance's own.

    Data are taken about `shift`. The estimate from different frames does not depend on it. That
    from different utterances does, except where all are equally long, and is defined for data
    about their mean over all frames: `shift` should be that mean. No correction at the end could
    make up for another: it needs Σn_u C_u and Σn_u² C_u, two more products of all pairs of layers.

    Arithmetic is done in float64 for frames in float64, otherwise in float32 with what is summed
    over frames added up in float64; that errs by some 1e-7 of the largest sum. About the mean,
    what is found for a pair does not depend, to the last bit, on the other layers.

    Parameters
    ----------
    shift
        Layer name to the mean of its neurons over all frames, shape (D,).
    pairs
        The layer pairs wanted; one order of the two is enough.
    utterances
        Whether utterances are told apart. Without, updates may be any chunk of frames, and cost
        little.

    Attributes
    ----------
    n : int
        Frames seen.
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
        self._number = {pair: number for number, pair in enumerate(self.pairs)}
        widths = {name: len(value) for name, value in self.shift.items()}
        self._float32 = {name: _two_float32(value) for name, value in self.shift.items()}
        count, like = len(widths), next(iter(self.shift.values()))
        self._powers = Powers()
        self._sums = {name: torch.zeros_like(value) for name, value in self.shift.items()}
        # For every pair, of frames: Σ‖x‖²‖y‖²; of utterances: Σ‖C_u‖², Σ s_uᵀC_u t_u,
        # Σ‖s_u‖²‖t_u‖².
        self._tables = like.new_zeros(4, len(self.pairs))
        # Of frames: Σ‖x‖². Of utterances: Σ‖s_u‖².
        self._norms = like.new_zeros(2, count)
        # For every other layer y, of frames: Σ x‖y‖². Of utterances: ΣC_u t_u, Σ s_u‖t_u‖².
        self._vectors = {name: like.new_zeros(3, width, count) for name, width in widths.items()}
        # Σ s_u t_uᵀ.
        self._between = OuterSums(list(widths), self.pairs)
        self._own: dict[str, tuple[float, float]] = {}

    @property
    def n(self) -> int:
        """Frames seen."""
        return self._powers.first

    def update(self, frames: Mapping[str, Tensor]) -> None:
        """Add the frames of one utterance.

        Parameters
        ----------
        frames
            Layer name to activations, shape (T, D), the same T for every layer; not changed.

        Raises
        ------
        ValueError
            When the layers do not have the same number of frames.
        """
        self.add(self.summed(frames))

    def summed(self, frames: Mapping[str, Tensor]) -> "UtteranceTerms":
        """Sum over the frames of one utterance, without adding them; from any thread.

        Parameters and errors are those of `update`.
        """
        lengths = {len(frames[name]) for name in self.shift}
        if len(lengths) != 1:
            counts = sorted(lengths)
            raise ValueError(f"layers of one utterance have different frame counts: {counts}")
        exact = any(frames[name].dtype == torch.float64 for name in self.shift)
        layers = [self._centre(name, frames[name], exact) for name in self.shift]
        sums = [layer.sum(0) for layer in layers]
        norms = [torch.linalg.vecdot(layer, layer) for layer in layers]
        tables = self._tables.new_zeros(self._tables.shape)
        tables[0] = self._dots(norms)
        factors = [*norms]
        if self.utterances:
            chains = [layer @ of for layer, of in zip(layers, sums, strict=True)]
            factors += chains
            for grams in _grams(layers):
                tables[1] += self._dots(grams)
            tables[2] = self._dots(chains)
        factor = torch.stack(factors, 1)
        return UtteranceTerms(
            length=lengths.pop(),
            sums=[of.to(torch.float64) for of in sums],
            norms=torch.stack([of.sum(dtype=torch.float64) for of in norms]),
            tables=tables,
            vectors=[
                (layer.T @ factor).view(layer.shape[1], -1, len(layers)).movedim(1, 0)
                for layer in layers
            ],
        )

    def add(self, block: "UtteranceTerms") -> None:
        """Add what `summed` made of one utterance."""
        if not block.length:
            return
        self._own = {}
        length = block.length
        self._powers = self._powers.plus(Powers(length, length**2, length**3, length**4))
        self._tables += block.tables
        self._norms[0] += block.norms
        for name, of, vectors in zip(self.shift, block.sums, block.vectors, strict=True):
            self._sums[name] += of
            self._vectors[name][: len(vectors)] += vectors
        if self.utterances:
            self._add_sums(block.sums)

    def _add_weighted(self, part: "HsicBlockSums", times: int) -> None:
        """Add the utterances of another, each frame as often as `times` says.

        Every sum grows by the power of `times` to which it holds the frames of one utterance.
        """
        one, two, three, four = (float(times**power) for power in range(1, 5))
        # Of different frames, those drawn twice are not: what is made of them is not known.
        frames = 1.0 if times == 1 else math.nan
        vectors = self._tables.new_tensor([frames, two, three])[:, None, None]
        self._powers = self._powers.plus(part._powers.times(times))
        self._tables += part._tables * part._tables.new_tensor([frames, two, three, four])[:, None]
        self._norms += part._norms * part._norms.new_tensor([one, two])[:, None]
        for name in self.shift:
            self._sums[name].add_(part._sums[name], alpha=one)
            self._vectors[name] += part._vectors[name] * vectors

    def pair(
        self, a: str, b: str, cross: Tensor, x_scatter: Tensor, y_scatter: Tensor
    ) -> BlockPair:
        """Estimate HSIC of layers a (rows) and b (columns).

        Parameters
        ----------
        a, b
            A pair wanted, in either order.
        cross
            Σ(x − mean)(y − mean)ᵀ over the same frames, shape (Dx, Dy).
        x_scatter, y_scatter
            Σ(x − mean)(x − mean)ᵀ of each layer, shape (D, D).

        Returns
        -------
        BlockPair
            With NaN for fewer than four frames, or utterances: there are no four that differ.

        Raises
        ------
        KeyError
            When the pair was not wanted.
        """
        own = []
        for name, scatter in ((a, x_scatter), (b, y_scatter)):
            if name not in self._own:
                self._own[name] = self._hsic(name, name, scatter)
            own.append(self._own[name])
        both = own[0] if a == b else self._hsic(a, b, cross)
        of_frames, of_utterances = (
            Hsic(*values) for values in zip(both, own[0], own[1], strict=True)
        )
        return BlockPair(of_frames, of_utterances if self.utterances else None)

    def _hsic(self, a: str, b: str, cross: Tensor) -> tuple[float, float]:
        """From different frames, and from different utterances."""
        n, i, j = self.n, self.index[a], self.index[b]
        number = self._number[(a, b) if i <= j else (b, a)]
        if not n:
            return float("nan"), float("nan")
        s, t = self._total(a), self._total(b)
        x_total, y_total = float(s @ s), float(t @ t)
        ends = float(s @ cross @ t)
        whole = float(cross.square().sum()) + 2 * ends / n + x_total * y_total / n**2
        ends += x_total * y_total / n
        x_ends = (self._vectors[a][..., j] @ s).tolist()
        y_ends = (self._vectors[b][..., i] @ t).tolist()
        tables = self._tables[:, number].tolist()
        of_frames = HsicSums(
            whole=whole,
            within=tables[0],
            ends=ends,
            x_end=x_ends[0],
            y_end=y_ends[0],
            chain=tables[0],
            mixed=whole,
            between=whole,
            x_total=x_total,
            y_total=y_total,
            x_squares=float(self._norms[0, i]),
            y_squares=float(self._norms[0, j]),
            joint=ends,
            x_weighted=x_ends[0],
            y_weighted=y_ends[0],
            squares=tables[0],
        ).hsic(Powers(n, n, n, n))
        if not self.utterances:
            return of_frames, float("nan")
        between = self._between.product(a, b)
        joint = float(s @ between @ t)
        of_utterances = HsicSums(
            whole=whole,
            within=tables[1],
            ends=ends,
            x_end=x_ends[1],
            y_end=y_ends[1],
            chain=tables[2],
            mixed=float(torch.dot(cross.flatten(), between.flatten())) + joint / n,
            between=float(between.square().sum()),
            x_total=x_total,
            y_total=y_total,
            x_squares=float(self._norms[1, i]),
            y_squares=float(self._norms[1, j]),
            joint=joint,
            x_weighted=x_ends[2],
            y_weighted=y_ends[2],
            squares=tables[3],
        ).hsic(self._powers)
        return of_frames, of_utterances

    def _total(self, name: str) -> Tensor:
        """Σx, (D,), and 0 where what is left of the mean is rounding."""
        total = self._sums[name]
        scatter = float(self._norms[0, self.index[name]])
        return total if float(total @ total) > CENTRED**2 * self.n * scatter else total * 0

    def _dots(self, rows: list[Tensor]) -> Tensor:
        """Scalar products of the layers' rows for every pair, in float64; (P,).

        One after the other, though a product of matrices would be a little faster: its bits
        depend on how many rows there are.
        """
        exact = [row.to(torch.float64) for row in rows]
        index = self.index
        return torch.stack([torch.dot(exact[index[a]], exact[index[b]]) for a, b in self.pairs])

    def _add_sums(self, sums: list[Tensor]) -> None:
        """Take in the sums of one utterance's frames, (D,) a layer."""
        squares = torch.stack([of @ of for of in sums])
        self._tables[3] += self._dots(list(squares[:, None]))
        self._norms[1] += squares
        for name, of in zip(self.shift, sums, strict=True):
            self._vectors[name][2] += torch.outer(of, squares)
        self._between.add(sums)

    def _centre(self, name: str, frames: Tensor, exact: bool) -> Tensor:
        if exact:
            return frames.to(torch.float64) - self.shift[name]
        # The rest of the mean that float32 cannot hold is taken off as well: with means of 10³
        # deviations it is no rounding of the difference.
        high, low = self._float32[name]
        return (frames.to(torch.float32) - high).sub_(low)


def weighted_blocks(parts: Sequence[HsicBlockSums], weights: Sequence[int]) -> HsicBlockSums:
    """Return sums over the utterances of all parts, some more than once, some not at all.

    An utterance that counts more than once has each of its frames so many times: it is still one
    utterance, and its frames are not held against each other. What `BlockPair.frames` is made of
    is NaN then.

    Parameters
    ----------
    parts
        Made with the same shift, layers and pairs; not changed.
    weights
        How often the utterances of each count.

    Raises
    ------
    ValueError
        When they were made with different shifts, layers or pairs.
    """
    first = parts[0]
    for part in parts[1:]:
        same = first.shift.keys() == part.shift.keys() and all(
            torch.equal(value, part.shift[name]) for name, value in first.shift.items()
        )
        if not same or first.pairs != part.pairs or first.utterances != part.utterances:
            raise ValueError("sums of different layers, pairs or shifts cannot be merged")
    result = HsicBlockSums(first.shift, first.pairs, utterances=first.utterances)
    for part, times in zip(parts, weights, strict=True):
        if times:
            result._add_weighted(part, int(times))
    result._between = weighted_outer([part._between for part in parts], weights)
    return result


def _two_float32(values: Tensor) -> tuple[Tensor, Tensor]:
    """Split float64 into a float32 and its remainder in float32."""
    high = values.to(torch.float32)
    return high, (values - high).to(torch.float32)


def _grams(layers: list[Tensor]) -> Iterator[list[Tensor]]:
    """Rows of the Gram matrix of every layer's frames, made so that ΣK∘L is the sum of their dots.

    Gram matrices are symmetric: of each only the blocks up to the diagonal are made, and what lies
    before it is counted twice.
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
