"""Neuron against neuron: how well the best single match does, and what chance alone gives."""

import torch

from assonance.measures.registry import STANDARDISED, NeuronScores, Settings, measure, spread
from assonance.statistics import LayerStatistics, Pair


@measure(
    title="MaxCorr",
    level="neuron",
    needs="moments",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=STANDARDISED,
    source="Wu et al. 2020 (MaxCorr); El Kheir et al. 2024 (neuronsim)",
)
def maxcorr(pair: Pair, settings: Settings) -> NeuronScores:
    """Absolute correlation of each neuron with its best match in the other layer.

    The matched neuron is the first of the best. In sample; see `maxcorr_rotated` for what a
    shared space in unrelated bases gives.
    """
    varies = pair.x.varies
    if not pair.y.varies.any():
        return NeuronScores(torch.full_like(pair.x.norms, torch.nan), varies.long() * 0 - 1)
    best = pair.correlation.abs().max(1)
    columns = pair.y.varies.nonzero()[:, 0]
    match = varies.long() * 0 - 1
    match[varies] = columns[best.indices]
    return NeuronScores(spread(best.values, varies), match)


@measure(
    title="MinCorr",
    level="neuron",
    needs="moments",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=STANDARDISED,
    source="Wu et al. 2020 (MinCorr)",
    across="min",
)
def mincorr(pair: Pair, settings: Settings) -> NeuronScores:
    """MaxCorr with whichever other layer matches the neuron worst: the consensus neurons."""
    return maxcorr(pair, settings)


@measure(
    title="MaxCorr, rotated",
    level="neuron",
    needs="moments",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=("translation", "scale", "neuron scale"),
    source="assonance: the rotation null",
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
    best = [
        (pair.correlation @ basis).abs().amax(1)
        for basis in rotated_bases(pair.y, settings.rotations, settings.seed)
    ]
    return NeuronScores(spread(torch.stack(best).mean(0).clamp(max=1), varies))


def rotated_bases(layer: LayerStatistics, count: int, seed: int) -> list[torch.Tensor]:
    """Random orthonormal bases of the standardised layer, each direction scaled to norm one.

    Returns
    -------
    list of Tensor
        `count` matrices of shape (V, V), V the neurons that vary; a function of V and the seed
        up to the scale, so that every layer of one width meets the same rotations.
    """
    width = len(layer.correlation)
    generator = torch.Generator().manual_seed(seed)
    bases = []
    for _ in range(count):
        normal = torch.randn(width, width, generator=generator, dtype=torch.float64)
        q, r = torch.linalg.qr(normal)
        # The signs make the draw uniform over the orthogonal group (Mezzadri 2007).
        q = (q * r.diagonal().sign()).to(layer.correlation)
        bases.append(q / (q * (layer.correlation @ q)).sum(0).sqrt())
    return bases
