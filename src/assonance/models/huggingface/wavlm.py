"""Compute WavLM's attention maps per head; transformers returns only their mean over heads."""

from functools import partial
from typing import Any

import torch
from torch import Tensor


def separate_heads(encoder: torch.nn.Module) -> None:
    """Make every block of a WavLM encoder compute its attention per head, with the same weights.

    The outputs of the blocks do not change. Attention weights are returned per head, and the output
    projection is called as a module, so that hooks on it receive the outputs of the heads.

    Parameters
    ----------
    encoder
        In evaluation mode, because dropout is not applied. Changed in place.
    """
    for block in encoder.get_submodule("encoder.layers").children():
        attention: Any = block.get_submodule("attention")
        attention.torch_multi_head_self_attention = partial(_attend, attention)


def _attend(
    attention: Any, hidden: Tensor, mask: Tensor | None, position_bias: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute multi-head attention as torch does: outputs (B, T, D) and weights (B, H, T, T)."""
    batch, length, width = hidden.shape

    def by_head(projected: Tensor) -> Tensor:
        return projected.view(batch, length, attention.num_heads, -1).transpose(1, 2)

    query = by_head(attention.q_proj(hidden)) * attention.scaling
    key, value = (by_head(project(hidden)) for project in (attention.k_proj, attention.v_proj))
    scores = query @ key.mT + position_bias.view(batch, attention.num_heads, length, length)
    if mask is not None:
        scores = scores.masked_fill(mask.ne(1)[:, None, None], float("-inf"))
    weights = torch.nn.functional.softmax(scores, dim=-1)
    outputs = (weights @ value).transpose(1, 2).reshape(batch, length, width)
    return attention.out_proj(outputs), weights
