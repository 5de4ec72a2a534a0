"""Compute quadratic forms vᵀSv of many vectors from one half of a symmetric matrix."""

import torch
from torch import Tensor

# Columns that are multiplied at once: the fewer, the less of the other half is computed, and the
# slower each product is.
_BLOCK = 192


def lower_half(matrix: Tensor) -> Tensor:
    """Change a symmetric matrix in place into one of the same quadratic forms, and return it.

    It is 0 above its diagonal blocks, and entries below these blocks count twice.

    Parameters
    ----------
    matrix
        Shape (..., D, D).
    """
    width = matrix.shape[-1]
    for start in range(0, width, _BLOCK):
        stop = min(start + _BLOCK, width)
        matrix[..., :start, start:stop] = 0
        matrix[..., stop:, start:stop] *= 2
    return matrix


def quadratic_forms(vectors: Tensor, half: Tensor, dim: int = -1) -> Tensor:
    """Compute vᵀSv of every vector.

    Parameters
    ----------
    vectors
        Shape (N, D), or (D, N).
    half
        `lower_half` of S, (D, D); or of several for rows of vectors, (..., D, D).
    dim
        Along which the vectors lie: −1 for the rows of a matrix, 0 for its columns.

    Returns
    -------
    Tensor
        Shape (..., N), float64.
    """
    forms = vectors.new_zeros(*half.shape[:-2], vectors.shape[1 + dim], dtype=torch.float64)
    for start in range(0, half.shape[-1], _BLOCK):
        columns = slice(start, start + _BLOCK)
        part = half[..., start:, columns]
        if dim:
            products = (vectors[:, start:] @ part).mul_(vectors[:, columns])
        else:
            products = (part.T @ vectors[start:]).mul_(vectors[columns])
        forms += products.sum(dim)
    return forms
