"""Canonical correlations of the directions that carry most of each layer's variance."""

import torch
from torch import Tensor

from assonance.measures.registry import STANDARDISED, Settings, measure
from assonance.statistics import Pair


@measure(
    title="SVCCA",
    level="layer",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=STANDARDISED,
    source="Raghu et al. 2017; El Kheir et al. 2024",
)
def svcca(pair: Pair, settings: Settings) -> float:
    """Mean canonical correlation of the leading directions of the standardised layers.

    How many are kept: `settings.variance` and `settings.cut`. In sample, and not smooth where a
    correlation is 0: no honest interval exists near its floor.
    """
    _, correlations = _canonical(pair, settings)
    return float(correlations.mean()) if len(correlations) else float("nan")


@measure(
    title="PWCCA",
    level="layer",
    needs="moments",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=("translation", "scale", "permutation"),
    source="Morcos et al. 2018; El Kheir et al. 2024",
)
def pwcca(pair: Pair, settings: Settings) -> float:
    """Canonical correlations weighted by how much of the row layer each direction accounts for.

    Cut as for `svcca`; the weight of a canonical direction h is Σ|hᵀz| over the row layer's
    centred neurons z, unstandardised.
    """
    left, correlations = _canonical(pair, settings)
    if not len(correlations):
        return float("nan")
    values, vectors = pair.x.spectrum
    kept = len(left)
    neurons = (values[:kept].sqrt() * vectors[:, :kept]) * pair.x.norms[pair.x.varies, None]
    weights = (neurons @ left).abs().sum(0)
    return float((weights * correlations).sum() / weights.sum())


def _canonical(pair: Pair, settings: Settings) -> tuple[Tensor, Tensor]:
    """Left singular vectors and canonical correlations, in one order; (Kx, K) and (K,)."""
    rows, columns = (
        layer.rank_of_variance(settings.variance, settings.cut) for layer in (pair.x, pair.y)
    )
    left, correlations, _ = torch.linalg.svd(pair.whitened[:rows, :columns], full_matrices=False)
    return left, correlations.clamp(max=1)
