"""Measure canonical correlations: of all directions, of the leading ones, and held out."""

import math

import torch
from torch import Tensor

from assonance.measures.registry import STANDARDISED, Invariance, LayerScore, measure
from assonance.settings import Settings
from assonance.statistics import Fold, LayerStatistics, Pair
from assonance.statistics.layer import submatrix

LINEAR: tuple[Invariance, ...] = (*STANDARDISED, "orthogonal", "linear", "column linear")


@measure(
    title="Mean CCA",
    level="layer",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=LINEAR,
    source="Hotelling 1936; Kornblith et al. 2019, section 5.2",
    smooth=False,
)
def cca_mean(pair: Pair, settings: Settings) -> LayerScore:
    """Compute the mean canonical correlation of all directions of both layers.

    Their number is the lower of the two ranks. In sample. The mean has a kink where a correlation
    is 0, so no honest interval exists near its floor.
    """
    return _mean(_canonical(pair, *pair.whitened.shape)[1])


@measure(
    title="Mean squared CCA",
    level="layer",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=LINEAR,
    source="Kornblith et al. 2019, section 5.2, R²_CCA; Yanai 1974",
    smooth=False,
)
def cca_r2(pair: Pair, settings: Settings) -> LayerScore:
    """Compute the mean squared canonical correlation of all directions of both layers.

    Their number is the lower of the two ranks. In sample; the bias grows with the number of
    directions over that of independent frames, and correcting it to first order leaves too much of
    it for an honest interval (docs/validity.md). `linreg_heldout` has one.
    """
    count = min(pair.whitened.shape)
    total = float(pair.whitened.square().sum())
    return LayerScore(min(total / count, 1.0) if count else float("nan"), count)


@measure(
    title="SVCCA",
    level="layer",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=STANDARDISED,
    source="Raghu et al. 2017; El Kheir et al. 2024",
    smooth=False,
)
def svcca(pair: Pair, settings: Settings) -> LayerScore:
    """Compute the mean canonical correlation of the leading directions of the standardised layers.

    `settings.variance` and `settings.cut` determine their number. In sample. The mean has a kink
    where a correlation is 0, so no honest interval exists near its floor.
    """
    return _mean(_leading(pair, settings)[1])


@measure(
    title="PWCCA",
    level="layer",
    needs="moments",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=("translation", "scale", "neuron sign", "permutation"),
    source="Morcos et al. 2018; El Kheir et al. 2024",
    smooth=False,
)
def pwcca(pair: Pair, settings: Settings) -> LayerScore:
    """Compute the mean of canonical correlations weighted by their share of the row layer.

    The directions are those of `svcca`. The weight of a canonical direction h is Σ|hᵀz| over the
    row layer's centred, unstandardised neurons z. In sample; no honest interval exists (see
    `svcca`). Where canonical correlations are equal, as 1 for directions that both layers contain,
    their directions and so the weights are not determined: reordering neurons then moves the score
    by up to about .01.
    """
    left, correlations, _ = _leading(pair, settings)
    return LayerScore(_weighted(pair.x, left, correlations), len(correlations))


@measure(
    title="PWCCA, both ways",
    level="layer",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=("translation", "scale", "neuron sign", "permutation"),
    source="Morcos et al. 2018, averaged over both directions",
    smooth=False,
)
def pwcca_mean(pair: Pair, settings: Settings) -> LayerScore:
    """Compute the mean of PWCCA weighted by the row layer and by the column layer.

    No honest interval exists (see `svcca`); equal correlations leave the weights undetermined (see
    `pwcca`).
    """
    left, correlations, right = _leading(pair, settings)
    ways = ((pair.x, left), (pair.y, right))
    both = sum(_weighted(layer, directions, correlations) for layer, directions in ways)
    return LayerScore(both / 2, len(correlations))


@measure(
    title="CCA, held out",
    level="layer",
    needs="folds",
    least_groups=2,
    symmetric=True,
    range=(-1.0, 1.0),
    invariances=STANDARDISED,
    source="assonance: design of held-out measures by folds of moments; Bilenko & Gallant 2016",
)
def cca_heldout(pair: Pair, settings: Settings) -> LayerScore:
    """Compute the mean correlation, on held-out folds, of the training folds' canonical directions.

    The directions are those of `svcca` on the training folds. The k-th pairs of all folds are
    pooled: products about the training means, divided by the training deviations, are summed over
    folds. Their number is the smallest over folds. About 0 for layers that share nothing.
    """
    parts = [_unseen(fold, settings) for fold in pair.folds]
    count = min((part.shape[1] for part in parts), default=0)
    if not count:
        return LayerScore(float("nan"), 0)
    covariance, rows, columns = torch.stack([part[:, :count] for part in parts]).sum(0)
    scale = (rows * columns).sqrt().clamp(min=torch.finfo(torch.float64).tiny)
    return LayerScore(float((covariance / scale).clamp(-1, 1).mean()), count)


def _leading(pair: Pair, settings: Settings) -> tuple[Tensor, Tensor, Tensor]:
    """Return the canonical correlations of the directions that the settings keep."""
    rows, columns = (
        layer.rank_of_variance(settings.variance, settings.cut) for layer in (pair.x, pair.y)
    )
    return _canonical(pair, rows, columns)


def _canonical(pair: Pair, rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return `Pair.canonical`, or empty tensors if no direction is left."""
    if not (rows and columns):
        nothing = pair.cross.new_empty
        return nothing(rows, 0), nothing(0), nothing(columns, 0)
    return pair.canonical(rows, columns)


def _mean(correlations: Tensor) -> LayerScore:
    count = len(correlations)
    return LayerScore(float(correlations.mean()) if count else float("nan"), count)


def _weighted(layer: LayerStatistics, directions: Tensor, correlations: Tensor) -> float:
    """Average correlations, weighted by each direction's share of the unstandardised layer."""
    if not len(correlations):
        return float("nan")
    # Shares are averaged over all neurons, so float32 moves the mean by less than 10⁻⁷.
    dtype = layer.product_dtype
    loadings = layer.loadings[:, : len(directions)].to(dtype)
    shares = (loadings @ directions.to(dtype)).abs_().to(torch.float64)
    norms = layer.norms[layer.varies]
    weights = (norms / norms.max()) @ shares
    return float((weights * correlations).sum() / weights.sum())


def _unseen(fold: Fold, settings: Settings) -> Tensor:
    """Compute Σpq, Σp² and Σq² of the held-out projections on each direction pair; shape (3, K)."""
    training, held_out = fold.training, fold.held_out
    n = held_out.x.n
    left, _, right = _leading(training, settings)
    maps, drifts, squares = [], [], []
    sides = ((training.x, held_out.x, left), (training.y, held_out.y, right))
    for seen, unseen, directions in sides:
        varies = seen.varies
        whitening = seen.whitening[:, : len(directions)] @ directions
        # Divided by the training deviation, so that folds of different sizes count by their frames.
        each = math.sqrt(seen.n) * whitening / seen.norms[varies, None]
        drift = (unseen.mean - seen.mean)[varies] @ each
        scatter = submatrix(unseen.scatter, varies, varies)
        maps.append(each)
        drifts.append(drift)
        squares.append((each * (scatter @ each)).sum(0) + n * drift.square())
    cross = submatrix(held_out.cross, training.x.varies, training.y.varies)
    products = (maps[0] * (cross @ maps[1])).sum(0) + n * drifts[0] * drifts[1]
    return torch.stack([products, *squares])
