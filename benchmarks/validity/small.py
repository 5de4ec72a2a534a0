"""Scores of many small layers at once, as assonance gives them a pair at a time.

A simulation takes thousands of comparisons of small layers, of which assonance would spend most on
starting out. Here all pairs and all replicates are one batch of numpy products, written from the
definitions; `agree` holds them against assonance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement

import numpy as np
import torch
from numpy.typing import NDArray

from assonance import similarity_matrix
from assonance.inference.held import HeldEstimate, held_r, held_r2, matched
from assonance.inference.resampling import assign_groups, replicate_weights
from assonance.measures import MEASURES as MEASURES_OF
from assonance.measures import find
from assonance.measures.neurons import rotations
from assonance.scoring.head_scores import head_replicates, head_scores
from assonance.settings import Settings
from assonance.statistics import HeadSums, weighted_heads
from benchmarks.validity.series import groups as utterance_of
from benchmarks.validity.series import lengths

Array = NDArray[np.float64]
FOLDS = 5
MEASURES = (
    *("cka_utterance", "linreg_heldout", "linreg_heldout_r", "maxcorr", "maxcorr_rotated"),
    *("linreg", "linreg_r2", "cca_r2", "cka", "maxcorr_heldout"),
)


@dataclass(frozen=True)
class Scored:
    """Scores of layers against layers.

    Attributes
    ----------
    scores
        By measure, shape (L, L).
    replicates
        Without each group in turn, or of groups drawn, shape (L, L, R).
    draws
        `maxcorr_rotated` in each basis, shape (L, L, R); None where it was not asked for.
    """

    scores: Mapping[str, Array]
    replicates: Mapping[str, Array]
    draws: Array | None = None


def score_layers(
    frames: Array,
    sizes: NDArray[np.int64],
    measures: Sequence[str],
    *,
    groups: int,
    seed: int,
    bases: int = 1,
    draws: int | None = None,
    refit: bool = False,
    units: Sequence[int] | None = None,
) -> Scored:
    """Score layers of one width.

    Parameters
    ----------
    frames
        Shape (N, L, D): utterances one after the other.
    sizes
        Frames of each utterance.
    measures
        Of `MEASURES`.
    groups, seed, bases, draws, refit
        Groups of utterances, what draws, random bases, draws of the bootstrap, and whether the
        jackknife fits again, as in assonance's settings.
    units
        Speaker of each utterance; every utterance is its own by default.
    """
    parts, folds = assign_groups(
        sizes.tolist(), units or range(len(sizes)), folds=FOLDS, groups=groups, seed=seed
    )
    # All groups, then the replicates.
    kept = np.vstack([np.ones(len(folds)), replicate_weights(folds.tolist(), draws, seed)])
    sums = _Sums(frames - frames.mean(0), sizes, parts, kept)
    found: dict[str, Array] = {}
    in_bases = None
    if "cka_utterance" in measures:
        found["cka_utterance"] = sums.cka()
    if {"linreg_heldout", "linreg_heldout_r"} & set(measures):
        found["linreg_heldout"], found["linreg_heldout_r"] = sums.regression(folds)
    if {"maxcorr", "maxcorr_rotated", "linreg", "linreg_r2", "cca_r2"} & set(measures):
        correlation = sums.correlation()
        found["maxcorr"] = np.abs(correlation).max(4).mean(2)
    if {"linreg", "linreg_r2", "cca_r2"} & set(measures):
        explained, found["cca_r2"] = _explained(correlation)
        found["linreg"], found["linreg_r2"] = np.sqrt(explained).mean(-1), explained.mean(-1)
    if "cka" in measures:
        shared = np.square(sums.scatter()).sum((2, 4))
        own = np.sqrt(np.einsum("rii->ri", shared))
        found["cka"] = shared / own[:, :, None] / own[:, None]
    if "maxcorr_rotated" in measures:
        each = _in_bases(correlation, bases, seed)
        found["maxcorr_rotated"] = each.mean((0, -1))
        in_bases = each[:, 0].mean(-1).transpose(1, 2, 0)
        if draws is None and not refit:
            turns = np.arange(each.shape[-1]) % min(2, bases)
            taken = np.take_along_axis(each, turns[None, None, None, None], 0)[0].mean(-1)
            found["maxcorr_rotated"] = found["maxcorr_rotated"][:1] + taken - taken[:1]
            found["maxcorr_rotated"][0] = each[:, 0].mean((0, -1))
    held_out = sums.matched(folds) if {"maxcorr", "maxcorr_heldout"} & set(measures) else None
    if held_out is not None:
        found["maxcorr_heldout"] = held_out[None]
    replicates = {name: found[name][1:].transpose(1, 2, 0) for name in measures}
    if draws is None and not refit and held_out is not None:
        score, best = found["maxcorr"][0], found["maxcorr"][1:]
        of_layer = matched(score, best, held_out).replicates(score)
        replicates["maxcorr"] = of_layer.transpose(1, 2, 0)
    if draws is None and not refit and any(MEASURES_OF[name].regression for name in measures):
        held = held_r2(*sums.held(folds))
        kinds = {"r2": held, "r": held_r(held)}
        for name in measures:
            kind = MEASURES_OF[name].regression
            if kind:
                replicates[name] = _of_layer(kinds[kind], found[name][0])
    return Scored({name: found[name][0] for name in measures}, replicates, in_bases)


def _of_layer(held: HeldEstimate, score: Array) -> Array:
    """Average replicates over neurons, all of which are sampled; (L, L, G)."""
    each = np.broadcast_to(score[..., None], held.estimate.shape)
    layer = held.of_layer(score, each)  # type: ignore[arg-type]
    return np.moveaxis(layer.replicates(score), 0, -1)


def score_heads(
    maps: Array, layers: int, sizes: NDArray[np.int64], *, groups: int, seed: int
) -> Scored:
    """Score layers of attention heads by `attn_pearson`.

    Parameters
    ----------
    maps
        Shape (U, H, T, T): attention of all heads in each utterance, layer after layer.
    layers
        How many layers the heads belong to.
    sizes, groups, seed
        What utterances are shared out by, and as in `score_layers`.
    """
    parts, folds = assign_groups(
        sizes.tolist(), range(len(sizes)), folds=FOLDS, groups=groups, seed=seed
    )
    kept = np.vstack([np.ones(len(folds)), 1 - np.eye(len(folds))])
    rows = maps - maps.mean(-1, keepdims=True)
    rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
    each = np.einsum("uhqk,ugqk->uhg", rows, rows, optimize=True) / maps.shape[-1]
    # As published, covariances over n and deviations over n − 1.
    each *= (maps.shape[-1] - 1) / maps.shape[-1]
    weights = kept[:, parts]
    tables = np.einsum("ru,uhg->rhg", weights, each) / weights.sum(1)[:, None, None]
    heads = maps.shape[1] // layers
    tables = tables.reshape(len(kept), layers, heads, layers, heads)
    found = tables.max(4).mean(2)
    return Scored({"attn_pearson": found[0]}, {"attn_pearson": found[1:].transpose(1, 2, 0)})


def agree(tolerance: float = 1e-9) -> None:
    """See that assonance gives the same scores, replicates and draws, a pair at a time."""
    rng = np.random.default_rng(0)
    layers, width, groups, bases, seed = 3, 6, 10, 3, 4
    sizes = lengths(rng, 30, 40)
    labels = [f"layer {number}" for number in range(layers)]
    settings = Settings("small", groups=groups, rotations=bases, seed=seed)
    frames = rng.standard_normal((sum(sizes), layers, width))
    frames += rng.standard_normal((sum(sizes), 1, width))
    for draws, refit in ((None, False), (None, True), (40, False)):
        ours = score_layers(
            frames,
            sizes,
            MEASURES,
            groups=groups,
            bases=bases,
            seed=seed,
            draws=draws,
            refit=refit,
        )
        theirs = similarity_matrix(
            {label: frames[:, number] for number, label in enumerate(labels)},
            MEASURES,
            groups=utterance_of(sizes),
            settings=replace(settings, bootstrap=draws, refit=refit),
            intervals=True,
        )
        for name in MEASURES:
            assert np.allclose(ours.scores[name], theirs[name], atol=tolerance)
            if not MEASURES_OF[name].interval:
                continue
            assert np.allclose(ours.replicates[name], theirs[f"{name}_replicates"], atol=tolerance)
    maps = np.exp(rng.standard_normal((len(sizes), 2 * layers, 8, 8)))
    maps /= maps.sum(-1, keepdims=True)
    of_heads = score_heads(maps, layers, sizes, groups=groups, seed=seed)
    heads = dict.fromkeys(labels, 2)
    parts, folds = assign_groups(
        sizes.tolist(), range(len(sizes)), folds=FOLDS, groups=groups, seed=seed
    )
    sums = [HeadSums(heads, combinations_with_replacement(labels, 2)) for _ in range(groups)]
    for part, one in zip(parts, maps, strict=True):
        sums[part].update(torch.split(torch.from_numpy(one), 2))
    replicates = replicate_weights(folds.tolist(), None, seed).tolist()
    chosen = find(["attn_pearson"], ["head"])
    total = weighted_heads(sums, [1] * groups)
    for tables, expected in (
        (of_heads.scores, head_scores(sums, chosen, settings).scores),
        (of_heads.replicates, head_replicates(sums, total, chosen, settings, replicates)),
    ):
        assert np.allclose(tables["attn_pearson"], expected["attn_pearson"], atol=tolerance)


class _Sums:
    """Everything that the measures ask of the frames, for the whole and each replicate.

    Shapes are of R versions (the whole first), L layers and D neurons.
    """

    def __init__(
        self, frames: Array, sizes: NDArray[np.int64], parts: NDArray[np.int64], kept: Array
    ) -> None:
        self.kept = kept
        _, self.layers, self.width = frames.shape
        starts = np.cumsum([0, *sizes])
        self.lengths = sizes.astype(float)
        self.weights = kept[:, parts]
        flat = frames.reshape(len(frames), -1)
        pieces = np.split(flat, starts[1:-1])
        self.s = np.stack([piece.sum(0) for piece in pieces]).reshape(-1, self.layers, self.width)
        products = np.zeros((kept.shape[1], flat.shape[1], flat.shape[1]))
        self.means = np.zeros((kept.shape[1], flat.shape[1]))
        self.counts = np.zeros(kept.shape[1])
        squares, spun = [], []
        for number, piece in enumerate(pieces):
            product = piece.T @ piece
            products[parts[number]] += product
            self.means[parts[number]] += piece.sum(0)
            self.counts[parts[number]] += len(piece)
            blocks = product.reshape(self.layers, self.width, self.layers, self.width)
            squares.append(np.square(blocks).sum((1, 3)))
            spun.append(np.einsum("iajb,jb->ija", blocks, self.s[number]))
        self.products, self.squares, self.spun = products, np.stack(squares), np.stack(spun)

    def _blocks(self, flat: Array) -> Array:
        """Part products of all neurons by layer; (R, L, D, L, D)."""
        return flat.reshape(len(flat), self.layers, self.width, self.layers, self.width)

    def scatter(self) -> Array:
        """Products of all neurons about their means, (R, L, D, L, D)."""
        n = self.kept @ self.counts
        mean = self.kept @ self.means / n[:, None]
        scatter = np.tensordot(self.kept, self.products, 1)
        return self._blocks(scatter - n[:, None, None] * mean[:, :, None] * mean[:, None])

    def correlation(self) -> Array:
        """Correlations of all neurons, (R, L, D, L, D)."""
        scatter = self.scatter()
        norms = np.sqrt(np.einsum("riaia->ria", scatter))
        correlation: Array = scatter / norms[:, :, :, None, None] / norms[:, None, None]
        return correlation

    def regression(self, folds: NDArray[np.int64]) -> tuple[Array, Array]:
        """R² and r of each layer's neurons, predicted from each other in held-out folds."""
        variance = covariance = predicted = np.zeros(1)
        for fold in range(int(folds.max()) + 1):
            own = self.kept * (folds == fold)
            n, m = (weights @ self.counts for weights in (self.kept - own, own))
            seen, unseen = (
                np.tensordot(weights, self.products, 1) for weights in (self.kept - own, own)
            )
            mean = (self.kept - own) @ self.means / n[:, None]
            total = own @ self.means
            seen -= n[:, None, None] * mean[:, :, None] * mean[:, None]
            unseen = unseen - mean[:, :, None] * total[:, None] - total[:, :, None] * mean[:, None]
            unseen += m[:, None, None] * mean[:, :, None] * mean[:, None]
            # (R, L row, L col, D, D) from here on.
            a, b = (self._blocks(each).transpose(0, 1, 3, 2, 4) for each in (seen, unseen))
            diagonal = np.arange(self.layers)
            slopes = a @ np.linalg.inv(a[:, diagonal, diagonal])[:, None]
            variance = variance + np.einsum("riidd->rid", b)[:, :, None]
            covariance = covariance + (b * slopes).sum(-1)
            predicted = predicted + ((slopes @ b[:, diagonal, diagonal][:, None]) * slopes).sum(-1)
        explained = 1 - (variance - 2 * covariance + predicted) / variance
        return explained.mean(-1), (covariance / np.sqrt(variance * predicted)).mean(-1)

    def held(self, folds: NDArray[np.int64]) -> tuple[Array, Array, Array]:
        """Variance and errors by group, (G, L, L, D), and the error of the fits, (L, L, D)."""
        shape = (len(folds), self.layers, self.layers, self.width)
        variance, errors = np.zeros(shape), np.zeros(shape)
        left, whole = np.zeros(shape[1:]), np.zeros(shape[1:])
        diagonal = np.arange(self.layers)
        for fold in range(int(folds.max()) + 1):
            n = self.counts[folds != fold].sum()
            mean = self.means[folds != fold].sum(0) / n
            seen = self.products[folds != fold].sum(0) - n * np.outer(mean, mean)
            a = self._blocks(seen[None])[0].transpose(0, 2, 1, 3)
            slopes = a @ np.linalg.inv(a[diagonal, diagonal])[None]

            def error(b: Array, slopes: Array = slopes) -> tuple[Array, Array]:
                own = np.einsum("iidd->id", b)[:, None] + np.zeros(shape[1:])
                predicted = ((slopes @ b[diagonal, diagonal][None]) * slopes).sum(-1)
                return own, own - 2 * (b * slopes).sum(-1) + predicted

            own, error_of_fit = error(a)
            left, whole = left + error_of_fit, whole + own
            for group in np.flatnonzero(folds == fold):
                total = self.means[group]
                unseen = self.products[group] - np.outer(mean, total) - np.outer(total, mean)
                unseen = unseen + self.counts[group] * np.outer(mean, mean)
                b = self._blocks(unseen[None])[0].transpose(0, 2, 1, 3)
                variance[group], errors[group] = error(b)
        return variance, errors, left / whole

    def matched(self, folds: NDArray[np.int64]) -> Array:
        """Mean correlation with the neurons that other folds chose, (L, L)."""
        n, means = self.counts.sum(), self.means.sum(0)
        norms = np.sqrt(np.diag(self.products.sum(0)) - means**2 / n)
        covariance = np.zeros((self.layers, self.layers, self.width))
        level, square = np.zeros_like(covariance), np.zeros_like(covariance)
        for fold in range(int(folds.max()) + 1):
            own = folds == fold
            count, mean = self.counts[~own].sum(), self.means[~own].sum(0)
            seen = self.products[~own].sum(0) - np.outer(mean, mean) / count
            spread = np.sqrt(np.diag(seen))
            table = self._blocks((seen / np.outer(spread, spread))[None])[0].transpose(0, 2, 1, 3)
            best = np.abs(table).argmax(3)[..., None]
            sign = np.sign(np.take_along_axis(table, best, 3))[..., 0]
            unseen = self.products[own].sum(0) / np.outer(norms, norms)
            products = self._blocks(unseen[None])[0].transpose(0, 2, 1, 3)
            covariance += sign * np.take_along_axis(products, best, 3)[..., 0]
            for target, values, factor in (
                (level, self.means[own].sum(0) / norms, sign),
                (square, np.diag(unseen), 1),
            ):
                columns = np.broadcast_to(values.reshape(1, self.layers, 1, -1), table.shape)
                target += factor * np.take_along_axis(columns, best, 3)[..., 0]
        rows = (means / norms).reshape(self.layers, 1, self.width)
        covariance -= rows * level / n
        return np.asarray((covariance / np.sqrt(square - level**2 / n)).mean(2))

    def cka(self) -> Array:
        """Distinct-utterance CKA, (R, L, L), from the U-statistic in docs/architecture.md."""
        w, s = self.weights, self.s
        # An utterance that counts w times has w times each frame: w to the power of the frames.
        cross = self._blocks(np.tensordot(self.kept, self.products, 1))
        total = np.einsum("ru,uid->rid", w, s)
        outer = np.einsum("ru,uia,ujb->riajb", w**2, s, s, optimize=True)
        spun = np.einsum("ru,uija->rija", w**2, self.spun, optimize=True)
        own = np.einsum("uia,uija->uij", s, self.spun)
        own = np.einsum("ru,uij->rij", w**3, own)
        norms = np.square(s).sum(2)
        first = np.square(cross).sum((2, 4)) - np.einsum("ru,uij->rij", w**2, self.squares)
        through = np.einsum("ria,riajb,rjb->rij", total, cross, total, optimize=True)
        turned = np.einsum("ria,rija->rij", total, spun)
        middle = through - turned - turned.transpose(0, 2, 1) + own
        middle -= (cross * outer).sum((2, 4)) - own
        rows = w[:, :, None] * np.einsum("uia,ria->rui", s, total, optimize=True)
        rows -= w[:, :, None] ** 2 * norms
        whole = rows.sum(1)
        last = whole[:, :, None] * whole[:, None]
        last -= 4 * np.einsum("rui,ruj->rij", rows, rows)
        last += 2 * np.square(outer).sum((2, 4))
        last -= 2 * np.einsum("ru,ui,uj->rij", w**4, norms, norms)
        n = w * self.lengths
        count, square = n.sum(1), (n**2).sum(1)
        of_first = count**2 - square
        rest = (count[:, None] - n) ** 2 - (square[:, None] - n**2)
        of_middle = (n * rest).sum(1)
        rows_n = n * (count[:, None] - n)
        of_last = rows_n.sum(1) ** 2 - 4 * (rows_n**2).sum(1)
        of_last += 2 * (square**2 - (n**4).sum(1))
        hsic = (
            first / of_first[:, None, None]
            + last / of_last[:, None, None]
            - 2 * middle / of_middle[:, None, None]
        )
        scale = np.sqrt(np.einsum("rii->ri", hsic))
        cka: Array = hsic / scale[:, :, None] / scale[:, None]
        return cka


def _explained(correlation: Array) -> tuple[Array, Array]:
    """R² of each neuron from each layer, (R, L, L, D), and mean squared canonical correlation."""
    own = np.linalg.inv(np.einsum("riaib->riab", correlation))
    pairs = correlation.transpose(0, 1, 3, 2, 4)
    slopes = pairs @ own[:, None]
    explained = (slopes * pairs).sum(-1)
    # tr(Rxx⁻¹ Rxy Ryy⁻¹ Ryx)
    whole = (own[:, :, None] * (slopes @ pairs.swapaxes(3, 4))).sum((3, 4))
    return explained, whole / correlation.shape[2]


def _in_bases(correlation: Array, bases: int, seed: int) -> Array:
    """MaxCorr of each neuron with the column layer in random bases, (bases, R, L, L, D)."""
    width = correlation.shape[2]
    own = np.einsum("riaib->riab", correlation)
    pairs = correlation.transpose(0, 1, 3, 2, 4)
    found = []
    for rotation in rotations(width, bases, seed):
        q = rotation.numpy()
        scale = np.sqrt((q * (own @ q)).sum(2))
        table = (pairs @ q) / scale[:, None, :, None, :]
        found.append(np.abs(table).max(4))
    return np.stack(found)
