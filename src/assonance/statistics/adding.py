"""Add up tables one after the other, so that no bit depends on how many values they have."""

from collections.abc import Sequence

import torch
from torch import Tensor

# Rows that are added up at once, so that their sum stays in the processor's cache.
_ROWS = 64


def add_up(matrices: Sequence[Tensor]) -> Tensor:
    """Add up matrices of one shape in float64, one after the other.

    Parameters
    ----------
    matrices
        Float32 or float64, (M, N) each.
    """
    first, *others = matrices
    if not others:
        return first.to(torch.float64)
    if first.stride(0) < first.stride(1):
        return add_up([each.T for each in matrices]).T
    total = torch.empty_like(first, dtype=torch.float64)
    rows = _ROWS if total.device.type == "cpu" else max(1, len(total))
    for start in range(0, len(total), rows):
        strip = total[start : start + rows].copy_(first[start : start + rows])
        for each in others:
            strip += each[start : start + rows]
    return total


def add_others(values: Sequence[Tensor] | Tensor) -> Tensor:
    """Add up the values of all other groups, for each group.

    Nothing is subtracted: what varies in the group left out alone leaves no rounding.

    Parameters
    ----------
    values
        Those of each group, (...) each.

    Returns
    -------
    Tensor
        Shape (G, ...).
    """
    own = torch.stack([*values])
    nothing = torch.zeros_like(own[:1])
    before = torch.cat([nothing, own[:-1].cumsum(0)])
    after = torch.cat([own[1:].flip(0).cumsum(0).flip(0), nothing])
    return before + after
