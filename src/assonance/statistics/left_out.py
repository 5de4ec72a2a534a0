"""Compute correlations of two layers with each jackknife group left out."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from assonance.statistics.layer_groups import LayerGroups
from assonance.statistics.quadratic import lower_half, quadratic_forms

# Directions of another basis that are tried with each group left out.
_CANDIDATES = 32
# Correlations computed at once: many groups of small layers, and few enough to stay in the cache.
_AT_ONCE = 2**20


def correlations_without(
    x: LayerGroups, y: LayerGroups, cross: Tensor
) -> Iterator[tuple[slice, Tensor]]:
    """Yield correlations with each group left out in turn, and last those of all frames.

    Parameters
    ----------
    x, y
        The row and the column layer.
    cross
        Their `LayerGroups.cross`; (G + 1, Dx, Dy).

    Yields
    ------
    places : slice
        Some of the groups, of which the last is none; from 0 to G.
    tables : Tensor
        For each of them correlations, (Dx, Dy), 0 for constant neurons. Overwritten by the next.
    """
    sides = [_left_out(each, cross) for each in (x, y)]
    counts = torch.cat([x.counts.sum() - x.counts, x.counts.sum()[None]]).to(cross)
    size = max(1, _AT_ONCE // cross[0].numel())
    buffer = torch.empty_like(cross[:size])
    for places in (slice(start, start + size) for start in range(0, len(cross), size)):
        tables = buffer[: len(cross[places])]
        own = cross[:-1][places]
        torch.sub(cross[-1], own, out=tables[: len(own)])
        tables[len(own) :] = cross[-1]
        (x_mean, x_scale), (y_mean, y_scale) = ([each[places] for each in side] for side in sides)
        level = -counts[places, None] * x_mean
        tables.baddbmm_(level[:, :, None], y_mean[:, None])
        yield places, tables.mul_(x_scale[:, :, None]).mul_(y_scale[:, None])


def _left_out(layer: LayerGroups, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return means and inverse norms with each group left out, and last of all frames.

    Of neurons divided by their norms over all frames; (G + 1, D) each.
    """
    mean = layer.sums.sum(0) / layer.counts.sum()
    norms = torch.cat([layer.norms_without, (layer.inverse_norms > 0).to(mean)[None]])
    means = torch.cat([layer.means_without, mean[None]])
    return means.to(like), torch.where(norms > 0, 1 / norms, 0.0).to(like)


def squares_without(x: LayerGroups, y: LayerGroups, places: slice, tables: Tensor) -> Tensor:
    """Add up the squares of all cross-products, and of all correlations, without some groups.

    Parameters
    ----------
    x, y
        The row and the column layer.
    places, tables
        Groups, and correlations without each; see `correlations_without`.

    Returns
    -------
    Tensor
        One column for each group, (2, K), float64; none for all frames.
    """
    norms = [each.norms_without[places] * each.all_frames.norms for each in (x, y)]
    # Largest norms are taken out, so that no float32 value is extreme.
    tiny = torch.finfo(torch.float64).tiny
    scales = [each.amax(1).clamp(min=tiny) for each in norms]
    rows, columns = (
        (each / scale[:, None]).square() for each, scale in zip(norms, scales, strict=True)
    )
    weights = torch.stack([columns, torch.ones_like(columns)], 2).to(tables)
    sums = torch.bmm(tables[: len(rows)].square(), weights).to(torch.float64)
    scale = (scales[0] * scales[1]).square()
    return torch.stack([torch.linalg.vecdot(rows, sums[..., 0]) * scale, sums[..., 1].sum(1)])


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
    bases = [each.T.to(cross).contiguous() for each in rotations]
    norms: list[list[Tensor]] = [[] for _ in bases]
    for _, tables in correlations_without(layer, layer, cross):
        half = lower_half(tables if varies.all() else tables[:, varies][..., varies])
        for basis, found in zip(bases, norms, strict=True):
            found.append(quadratic_forms(basis, half).clamp(min=0).sqrt())
    return [torch.cat(each) for each in norms]


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
