"""Add up large matrices in float64."""

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
