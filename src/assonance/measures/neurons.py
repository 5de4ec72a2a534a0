"""Neuron against neuron: how well the best single match does, and what chance alone gives."""

import functools

import torch

from assonance.measures.matching import assignment, transport
from assonance.measures.registry import STANDARDISED, NeuronScores, measure, spread
from assonance.settings import Settings
from assonance.statistics import LayerStatistics, Pair
from assonance.statistics.lazy import once


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
    """Absolute correlation of each neuron with its best match in the other layer.

    The matched neuron is the first of the best. In sample; see `maxcorr_rotated` for what a
    shared space in unrelated bases gives. The best of correlations that are all 0 is above 0,
    however it is corrected: the interval is honest only where neurons share something, and even
    there the jackknife's is a little too short, since a maximum has a kink; the bootstrap's is not
    (see docs/validity.md).
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
)
def mincorr(pair: Pair, settings: Settings) -> NeuronScores:
    """MaxCorr with whichever other layer matches the neuron worst: the consensus neurons.

    The interval is honest only where neurons share something: see `maxcorr`.
    """
    return maxcorr(pair, settings)


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
    """MaxCorr with the other layer in random bases: the floor that a shared subspace gives.

    The other layer is standardised and multiplied by random orthogonal matrices, which keep its
    space and spectrum and leave no preferred axes; the scores are averaged over
    `settings.rotations` of them. Read off the moments: no frame is rotated.
    """
    varies = pair.x.varies
    if not pair.y.varies.any():
        return NeuronScores(torch.full_like(pair.x.norms, torch.nan))
    chosen = settings.rotations, settings.seed
    bases = once(pair.y, ("rotated", *chosen), lambda: rotated_bases(pair.y, *chosen))
    table = pair.correlation.to(pair.product_type)
    best = [(table @ basis.to(table)).abs().amax(1) for basis in bases]
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
)
def one_to_one(pair: Pair, settings: Settings) -> NeuronScores:
    """Absolute correlation of each neuron with its own partner, no partner taken twice.

    The partners are those of the highest total (the assignment problem). Where the row layer has
    more neurons than the other, those left over have no partner, a match of −1 and no score, so
    that the mean is over as many pairs as the narrower layer allows, whichever is the row.
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
)
def soft_matching(pair: Pair, settings: Settings) -> NeuronScores:
    """Absolute correlation of each neuron with its partners, all neurons shared out evenly.

    The transport plan of the highest mean |r| with the same weight on every neuron of a layer:
    in layers of unlike widths a neuron may be shared by several; in layers of one width it is
    one-to-one matching. A neuron's score is its mean |r| with its partners by their weights, its
    match the one of the largest weight, of equal ones the most correlated.
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
    best = pair.correlation.abs().max(1)
    columns = pair.y.varies.nonzero()[:, 0]
    match = varies.long() * 0 - 1
    match[varies] = columns[best.indices]
    return NeuronScores(spread(best.values, varies), match)


def rotated_bases(layer: LayerStatistics, count: int, seed: int) -> list[torch.Tensor]:
    """Random orthonormal bases of the standardised layer, each direction scaled to norm one.

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
        bases.append((q / scale).to(layer.product_type))
    return bases


@functools.lru_cache(maxsize=8)
def rotations(width: int, count: int, seed: int) -> tuple[torch.Tensor, ...]:
    """Draw orthogonal matrices uniformly; `count` of shape (width, width), float64."""
    generator = torch.Generator().manual_seed(seed)
    drawn = []
    for _ in range(count):
        normal = torch.randn(width, width, generator=generator, dtype=torch.float64)
        q, r = torch.linalg.qr(normal)
        # The signs make the draw uniform over the orthogonal group (Mezzadri 2007).
        drawn.append(q * r.diagonal().sign())
    return tuple(drawn)
