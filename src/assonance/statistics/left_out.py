"""Compute correlations of two layers with each jackknife group left out."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from assonance.statistics.layer_groups import LayerGroups

# Directions of another basis that are tried with each group left out.
_CANDIDATES = 32


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


def rotated_norms(layer: LayerGroups, cross: Tensor, rotations: Sequence[Tensor]) -> list[Tensor]:
    """Compute the norms of the directions of a standardised layer in other bases.

    Parameters
    ----------
    layer, cross
        The layer, and its `LayerGroups.own_cross`.
    rotations
        Orthogonal matrices (V, V), V the neurons that vary.

    Returns
    -------
    list of Tensor
        For each basis, with each group left out in turn, and last of all frames; (G + 1, V).
    """
    varies = layer.inverse_norms > 0
    bases = [each.to(cross) for each in rotations]
    product = torch.empty_like(bases[0])
    norms: list[list[Tensor]] = [[] for _ in bases]
    for table in correlations_without(layer, layer, cross):
        own = table if varies.all() else table[varies][:, varies]
        for basis, found in zip(bases, norms, strict=True):
            torch.mm(own, basis, out=product)
            found.append(product.mul_(basis).sum(0).clamp(min=0).sqrt())
    return [torch.stack(each) for each in norms]


def strongest_rotated(tables: Tensor, rotation: Tensor, norms: Tensor) -> Tensor:
    """Find each neuron's highest absolute correlation with the directions of another basis.

    Which direction is the best hardly depends on the group that is left out. With each group left
    out, only the directions are tried that are best in all frames. All are tried for a neuron
    where the next of them comes closer than correlations change by leaving a group out.

    Parameters
    ----------
    tables
        Correlations of neurons with those of a layer, with each group left out in turn, and last
        of all frames; (G + 1, S, V).
    rotation
        An orthogonal matrix, (V, V).
    norms
        Norms of the directions of the layer in that basis; see `rotated_norms`. (G + 1, V).

    Returns
    -------
    Tensor
        Shape (G + 1, S).
    """
    basis, norms = rotation.to(tables), norms.to(tables)
    if len(basis) <= 2 * _CANDIDATES:
        return _strongest(tables, basis, norms)
    whole = (tables[-1] @ basis).div_(norms[-1]).abs_()
    values, directions = whole.topk(_CANDIDATES + 1)
    chosen = directions[:, :-1]
    scale = norms.T[chosen].transpose(1, 2)
    found = tables.transpose(0, 1) @ basis.T[chosen].transpose(1, 2)
    found = found.div_(scale).abs_()  # (S, G + 1, candidates)
    best = found.amax(2)
    change = (found - values[:, None, :-1]).abs_().amax((1, 2))
    close = best.amin(1) - values[:, -1] <= change
    best[close] = _strongest(tables[:, close], basis, norms).T
    return best.T


def _strongest(tables: Tensor, basis: Tensor, norms: Tensor) -> Tensor:
    return (tables @ basis).div_(norms[:, None]).abs_().amax(2)


def _correlate(
    products: Tensor, count: float, x: tuple[Tensor, Tensor], y: tuple[Tensor, Tensor]
) -> Tensor:
    """Turn products about the pilot shifts into correlations, in place; from means and norms."""
    (x_mean, x_scale), (y_mean, y_scale) = (
        (mean.to(products), torch.where(norms > 0, 1 / norms, 0.0).to(products))
        for mean, norms in (x, y)
    )
    return products.addr_(x_mean, y_mean, alpha=-count).mul_(x_scale[:, None]).mul_(y_scale)
