"""Compute correlations of two layers with each jackknife group left out."""

from collections.abc import Iterator

import torch
from torch import Tensor

from assonance.statistics.layer_groups import LayerGroups


def correlations_without(x: LayerGroups, y: LayerGroups, cross: Tensor) -> Iterator[Tensor]:
    """Yield correlations with each group left out in turn, and last those of all frames.

    Parameters
    ----------
    x, y
        The row and the column layer.
    cross
        Their `LayerGroups.cross`; (G, Dx, Dy).

    Yields
    ------
    Tensor
        Shape (Dx, Dy), 0 for constant neurons. Each is overwritten by the next.
    """
    total, table = cross.sum(0), torch.empty_like(cross[0])
    for group, own in enumerate(cross):
        torch.sub(total, own, out=table)
        count = float(x.counts.sum() - x.counts[group])
        yield _correlate(
            table,
            count,
            (x.means_without[group], x.norms_without[group]),
            (y.means_without[group], y.norms_without[group]),
        )
    count = float(x.counts.sum())
    sides = [(each.sums.sum(0) / count, (each.inverse_norms > 0).to(each.sums)) for each in (x, y)]
    yield _correlate(total, count, *sides)


def rotated_norms(layer: LayerGroups, rotation: Tensor) -> Tensor:
    """Compute the norms of the directions of a standardised layer in another basis.

    Parameters
    ----------
    layer, rotation
        The layer, and an orthogonal matrix (V, V), V the neurons that vary.

    Returns
    -------
    Tensor
        With each group left out in turn, and last of all frames; (G + 1, V).
    """
    varies = layer.inverse_norms > 0
    cross = layer.own_cross
    q = rotation.to(cross)
    norms = []
    for table in correlations_without(layer, layer, cross):
        own = table if varies.all() else table[varies][:, varies]
        norms.append((own @ q).mul_(q).sum(0).clamp(min=0).sqrt())
    return torch.stack(norms)


def _correlate(
    products: Tensor, count: float, x: tuple[Tensor, Tensor], y: tuple[Tensor, Tensor]
) -> Tensor:
    """Turn products about the pilot shifts into correlations, in place; from means and norms."""
    (x_mean, x_scale), (y_mean, y_scale) = (
        (mean.to(products), torch.where(norms > 0, 1 / norms, 0.0).to(products))
        for mean, norms in (x, y)
    )
    return products.addr_(x_mean, y_mean, alpha=-count).mul_(x_scale[:, None]).mul_(y_scale)
