"""Attention maps of models with different frame rates, brought onto one grid of frames."""

import torch
from torch import Tensor


def on_grid(maps: Tensor, frames: int) -> Tensor:
    """Bring maps onto a coarser grid that spans the same time.

    Queries are averaged and keys summed, so that rows still sum to one; a frame that two frames of
    the grid share is parted between them.

    Parameters
    ----------
    maps
        Shape (H, T, T).
    frames
        Frames of the grid, at most T.

    Returns
    -------
    Tensor
        Shape (H, frames, frames); the maps themselves where they have as many frames.
    """
    length = maps.shape[-1]
    if frames == length:
        return maps
    edges = torch.arange(length + 1, dtype=torch.float64) * (frames / length)
    places = torch.arange(frames, dtype=torch.float64)[:, None]
    # How much of each frame lies in each frame of the grid; columns sum to one.
    inside = (edges[1:].clamp(max=places + 1) - edges[:-1].clamp(min=places)).clamp(min=0)
    shares = (inside * (length / frames)).to(maps.dtype)
    return (shares * (frames / length)) @ maps @ shares.T
