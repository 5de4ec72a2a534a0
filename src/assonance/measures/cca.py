"""Canonical correlations: of all directions, of those with most variance, and held out."""

import math

import scipy.linalg
import torch
from torch import Tensor

from assonance.measures.registry import (
    STANDARDISED,
    Invariance,
    Settings,
    measure,
)
from assonance.statistics import Fold, LayerStatistics, Pair

LINEAR: tuple[Invariance, ...] = (*STANDARDISED, "orthogonal", "linear")


@measure(
    title="Mean CCA",
    level="layer",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=LINEAR,
    source="Hotelling 1936; Kornblith et al. 2019, section 5.2",
)
def cca_mean(pair: Pair, settings: Settings) -> float:
    """Mean canonical correlation of all directions of both layers, none cut off.

    As many as the layer of the lower rank has. In sample, and not smooth where a correlation is
    0: no honest interval exists near its floor.
    """
    if not min(pair.whitened.shape):
        return float("nan")
    _, correlations, _ = _svd(pair.whitened)
    return float(correlations.clamp(max=1).mean())


@measure(
    title="Mean squared CCA",
    level="layer",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=LINEAR,
    source="Kornblith et al. 2019, section 5.2, R²_CCA; Yanai 1974",
)
def cca_r2(pair: Pair, settings: Settings) -> float:
    """Mean squared canonical correlation of all directions of both layers, none cut off.

    As many as the layer of the lower rank has. The sum of squares of the whitened
    cross-correlations: smooth where a correlation is 0, unlike `cca_mean`.
    """
    count = min(pair.whitened.shape)
    return min(float(pair.whitened.square().sum()) / count, 1.0) if count else float("nan")


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
    _, correlations, _ = _canonical(pair, settings)
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
    left, correlations, _ = _canonical(pair, settings)
    return _weighted(pair.x, left, correlations)


@measure(
    title="PWCCA, both ways",
    level="layer",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=("translation", "scale", "permutation"),
    source="Morcos et al. 2018, averaged over both directions",
)
def pwcca_mean(pair: Pair, settings: Settings) -> float:
    """Mean of PWCCA with the row layer's weights and with the column layer's."""
    left, correlations, right = _canonical(pair, settings)
    ways = ((pair.x, left), (pair.y, right))
    return sum(_weighted(layer, directions, correlations) for layer, directions in ways) / 2


@measure(
    title="CCA, held out",
    level="layer",
    needs="folds",
    symmetric=True,
    range=(-1.0, 1.0),
    invariances=STANDARDISED,
    source="assonance: design of held-out measures by folds of moments; Bilenko & Gallant 2016",
)
def cca_heldout(pair: Pair, settings: Settings) -> float:
    """Mean correlation, in unseen utterances, of the canonical directions of all others.

    Directions of the training folds, cut as for `svcca`. The k-th pair of each fold is taken
    together: products about the training means, by the training deviations, summed over folds.
    As many pairs as every fold's training has. Around 0 where nothing is shared.
    """
    parts = [_unseen(fold, settings) for fold in pair.folds]
    count = min(part.shape[1] for part in parts)
    if not count:
        return float("nan")
    covariance, rows, columns = torch.stack([part[:, :count] for part in parts]).sum(0)
    scale = (rows * columns).sqrt().clamp(min=torch.finfo(torch.float64).tiny)
    return float((covariance / scale).clamp(-1, 1).mean())


def _canonical(pair: Pair, settings: Settings) -> tuple[Tensor, Tensor, Tensor]:
    """Canonical directions of x (Kx, K), correlations (K,), directions of y (Ky, K); in order."""
    rows, columns = (
        layer.rank_of_variance(settings.variance, settings.cut) for layer in (pair.x, pair.y)
    )
    whitened = pair.whitened[:rows, :columns]
    left, correlations, right = _svd(whitened)
    return left, correlations.clamp(max=1), right.T


def _svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Thin singular value decomposition that always comes to an end."""
    try:
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        # Layers that are nearly one have nearly equal correlations, on which divide and conquer
        # may not converge; plain QR iteration does, in more time.
        parts = scipy.linalg.svd(
            matrix.cpu().numpy(), full_matrices=False, lapack_driver="gesvd", check_finite=False
        )
        left, values, right = (torch.from_numpy(part).to(matrix) for part in parts)
    return left, values, right


def _weighted(layer: LayerStatistics, directions: Tensor, correlations: Tensor) -> float:
    """Mean correlation by how much of the layer, unstandardised, each direction accounts for."""
    if not len(correlations):
        return float("nan")
    values, vectors = layer.spectrum
    kept = len(directions)
    neurons = (values[:kept].sqrt() * vectors[:, :kept]) * layer.norms[layer.varies, None]
    weights = (neurons @ directions).abs().sum(0)
    return float((weights * correlations).sum() / weights.sum())


def _unseen(fold: Fold, settings: Settings) -> Tensor:
    """Σpq, Σp² and Σq² of the held-out frames' projections on each pair of directions; (3, K)."""
    training, held_out = fold.training, fold.held_out
    n = held_out.x.n
    left, _, right = _canonical(training, settings)
    maps, drifts, squares = [], [], []
    sides = ((training.x, held_out.x, left), (training.y, held_out.y, right))
    for seen, unseen, directions in sides:
        varies = seen.varies
        whitening = seen.whitening[:, : len(directions)] @ directions
        # By the training deviation, so that folds of unlike sizes count by their frames.
        each = math.sqrt(seen.n) * whitening / seen.norms[varies, None]
        drift = (unseen.mean - seen.mean)[varies] @ each
        scatter = unseen.scatter[varies][:, varies]
        maps.append(each)
        drifts.append(drift)
        squares.append((each * (scatter @ each)).sum(0) + n * drift.square())
    cross = held_out.cross[training.x.varies][:, training.y.varies]
    products = (maps[0] * (cross @ maps[1])).sum(0) + n * drifts[0] * drifts[1]
    return torch.stack([products, *squares])
