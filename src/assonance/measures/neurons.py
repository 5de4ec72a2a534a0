"""Match single neurons: best matches, one-to-one and soft matchings, and the rotation floor."""

import functools

import torch

from assonance.measures.matching import assignment, transport
from assonance.measures.registry import STANDARDISED, NeuronScores, measure, spread
from assonance.settings import Settings
from assonance.statistics import LayerStatistics, Pair
from assonance.statistics.held_matching import first_true
from assonance.statistics.lazy import once

# Correlations that differ by fewer machine epsilons are equal.
_ROUNDING = 16


@measure(
    title="MaxCorr",
    level="neuron",
    needs="moments",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=STANDARDISED,
    source="Wu et al. 2020 (MaxCorr); El Kheir et al. 2024 (neuronsim)",
    rowwise=True,
)
def maxcorr(pair: Pair, settings: Settings) -> NeuronScores:
    """Compute the absolute correlation of each neuron with its best match in the other layer.

    Of equal matches the first counts. In sample; `maxcorr_rotated` is the floor of a shared space
    in unrelated bases. The maximum of correlations whose true value is 0 is positive, and bias
    correction does not remove that: `maxcorr_heldout` is without it. With coefficients held, half
    of the distance between the two counts as a standard error, so that the interval is honest also
    where little is shared. Intervals with `Settings.refit` or of a bootstrap lack that, and are too
    short there (docs/validity.md).
    """
    return once(pair, "best", lambda: _best(pair))


@measure(
    title="MinCorr",
    level="neuron",
    needs="moments",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=STANDARDISED,
    source="Wu et al. 2020 (MinCorr)",
    across="min",
    rowwise=True,
    smooth=False,
)
def mincorr(pair: Pair, settings: Settings) -> NeuronScores:
    """Compute MaxCorr with the other layer that matches the neuron worst: the consensus neurons.

    A lowest of highest correlations has no honest interval: see `maxcorr`.
    """
    return maxcorr(pair, settings)


@measure(
    title="MaxCorr, held out",
    level="neuron",
    needs="folds",
    least_groups=2,
    symmetric=False,
    range=(-1.0, 1.0),
    invariances=STANDARDISED,
    source="assonance: design of held-out measures by folds of moments; Wu et al. 2020 (MaxCorr)",
    rowwise=True,
    smooth=False,
)
def maxcorr_heldout(pair: Pair, settings: Settings) -> NeuronScores:
    """Compute the correlation of each neuron with the match that other speech chose, held out.

    For each fold, the match and its sign are chosen on all other folds; the correlation is computed
    over the frames of all folds, each with its own match. About 0 where nothing is shared. If all
    folds choose the same match, it is that of `maxcorr`; where several are about equally good, it
    is lower than the truth, as `maxcorr` is higher. It therefore has no interval of its own.
    """
    return NeuronScores(torch.where(pair.x.varies, pair.matched_held_out, torch.nan))


@measure(
    title="MaxCorr, rotated",
    level="neuron",
    needs="moments",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=("translation", "scale", "neuron scale"),
    source="assonance: the rotation null",
    rowwise=True,
)
def maxcorr_rotated(pair: Pair, settings: Settings) -> NeuronScores:
    """Compute MaxCorr with the other layer in random bases: the floor of a shared space.

    The other layer is standardised and multiplied by random orthogonal matrices, which keep its
    space and spectrum but no preferred axes. Scores are averaged over `settings.rotations`
    matrices. Computed from the moments: no frame is rotated.
    """
    varies = pair.x.varies
    if not pair.y.varies.any():
        return NeuronScores(torch.full_like(pair.x.norms, torch.nan))
    chosen = settings.rotations, settings.seed
    bases = once(pair.y, ("rotated", *chosen), lambda: rotated_bases(pair.y, *chosen))
    table = pair.correlation.to(pair.product_dtype)
    best = [(table @ basis.to(table)).abs_().amax(1) for basis in bases]
    each = torch.stack(best).to(torch.float64).clamp(max=1)
    deviations = each.std(0) if len(each) > 1 and each.numel() else torch.zeros_like(each[0])
    return NeuronScores(
        spread(each.mean(0), varies), draws=each.mean(1), deviations=spread(deviations, varies)
    )


@measure(
    title="One-to-one matching",
    level="neuron",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=STANDARDISED,
    source="Li et al. 2016, bipartite matching; on |r| as MaxCorr",
    smooth=False,
)
def one_to_one(pair: Pair, settings: Settings) -> NeuronScores:
    """Compute the absolute correlation of each neuron with its partner in a one-to-one matching.

    The matching has the highest total (the assignment problem). If the row layer is wider, the
    neurons left over have a match of −1 and no score. The mean is therefore over the neurons of
    the narrower layer in either direction. No honest interval exists: see `maxcorr`.
    """
    varies = pair.x.varies
    columns = pair.y.varies.nonzero()[:, 0]
    table = pair.correlation.abs()
    found = assignment(table.cpu().numpy())
    row, column = (torch.from_numpy(each).to(columns) for each in found)
    scores = table.new_full((len(table),), torch.nan)
    partner = columns.new_full((len(table),), -1)
    scores[row], partner[row] = table[row, column], columns[column]
    match = varies.long() * 0 - 1
    match[varies] = partner
    return NeuronScores(spread(scores, varies), match)


@measure(
    title="Soft matching",
    level="neuron",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=STANDARDISED,
    source="Khosla & Williams 2024, correlation score; on |r| as MaxCorr",
    smooth=False,
)
def soft_matching(pair: Pair, settings: Settings) -> NeuronScores:
    """Compute the absolute correlation of each neuron with its partners in a soft matching.

    The soft matching is the transport plan with the highest mean |r| and equal weight on every
    neuron of a layer. For layers of equal width it is the one-to-one matching; otherwise a neuron
    can have several partners. The score is the mean |r| over partners, weighted by the plan. The
    match is the partner with the largest weight; of equal ones, the most correlated. No honest
    interval exists: see `maxcorr`.
    """
    varies = pair.x.varies
    if not varies.any() or not pair.y.varies.any():
        return NeuronScores(torch.full_like(pair.x.norms, torch.nan), varies.long() * 0 - 1)
    table = pair.correlation.abs()
    found = transport(table.cpu().numpy())
    weights = torch.from_numpy(found * len(found)).to(table)
    # Weights come in steps far larger than 1e-9.
    best = (weights + 1e-9 * (weights > 0) * table).argmax(1)
    match = varies.long() * 0 - 1
    match[varies] = pair.y.varies.nonzero()[best, 0]
    return NeuronScores(spread((weights * table).sum(1).clamp(max=1), varies), match)


def _best(pair: Pair) -> NeuronScores:
    varies = pair.x.varies
    if not pair.y.varies.any():
        return NeuronScores(torch.full_like(pair.x.norms, torch.nan), varies.long() * 0 - 1)
    table = pair.correlation.abs()
    best = table.amax(1)
    # Equal neurons can differ by rounding, in another way on each processor.
    equal = table >= best[:, None] - _ROUNDING * torch.finfo(table.dtype).eps
    columns = pair.y.varies.nonzero()[:, 0]
    match = varies.long() * 0 - 1
    match[varies] = columns[first_true(equal)]
    return NeuronScores(spread(best, varies), match)


def rotated_bases(layer: LayerStatistics, count: int, seed: int) -> list[torch.Tensor]:
    """Return random bases of the standardised layer, each direction scaled to unit norm.

    Returns
    -------
    list of Tensor
        `count` matrices of shape (V, V), V the neurons that vary; a function of V and the seed
        up to the scale, so that every layer of one width meets the same rotations. float32 unless
        the layer is exact.
    """
    bases = []
    for rotation in rotations(len(layer.correlation), count, seed):
        q = rotation.to(layer.correlation)
        scale = (q * (layer.correlation @ q)).sum(0).sqrt()
        bases.append((q / scale).to(layer.product_dtype))
    return bases


@functools.lru_cache(maxsize=8)
def rotations(width: int, count: int, seed: int) -> tuple[torch.Tensor, ...]:
    """Draw `count` uniform orthogonal matrices of shape (width, width), float64."""
    generator = torch.Generator().manual_seed(seed)
    drawn = []
    for _ in range(count):
        normal = torch.randn(width, width, generator=generator, dtype=torch.float64)
        q, r = torch.linalg.qr(normal)
        # The signs make the distribution uniform over the orthogonal group (Mezzadri 2007).
        drawn.append(q * r.diagonal().sign())
    return tuple(drawn)
