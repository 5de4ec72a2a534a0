"""Resample attention maps of models with different frame rates onto one grid of frames."""

import torch
from torch import Tensor


def on_grid(maps: Tensor, frames: int) -> Tensor:
    """Resample maps onto a coarser grid over the same time.

    Queries are averaged and keys summed, so that rows still sum to 1. A frame that overlaps two
    cells of the grid is split between them in proportion to the overlap.

    Parameters
    ----------
    maps
        Attention maps, shape (H, T, T).
    frames
        Number of frames of the grid, at most T.

    Returns
    -------
    Tensor
        Shape (H, frames, frames); `maps` itself if `frames` is T.
    """
    length = maps.shape[-1]
    if frames == length:
        return maps
    edges = torch.arange(length + 1, dtype=torch.float64) * (frames / length)
    cells = torch.arange(frames, dtype=torch.float64)[:, None]
    overlap = (edges[1:].clamp(max=cells + 1) - edges[:-1].clamp(min=cells)).clamp(min=0)
    # The share of each frame in each cell; columns sum to 1.
    weights = (overlap * (length / frames)).to(maps.dtype)
    return (weights * (frames / length)) @ maps @ weights.T
