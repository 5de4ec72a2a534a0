"""Singular value decompositions that always come to an end."""

import scipy.linalg
import torch
from torch import Tensor

# Singular values below this share of the largest are found again in float64: they are the roots of
# eigenvalues, which float32 gives only to within 10⁻⁷ of the largest.
_SMALL = 0.05


def svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Thin singular value decomposition, the largest first.

    A float32 matrix is taken apart by the eigenvectors of its product with itself, several times
    faster than by its own decomposition; small singular values and their vectors are found again
    in float64 in the space that is left, so that the values err by about 10⁻⁷ of the largest.

    Parameters
    ----------
    matrix
        Shape (M, N), float32 or float64, both at least 1.

    Returns
    -------
    tuple of Tensor
        Left vectors (M, K), values (K,) in float64, right vectors (N, K), K = min(M, N).
    """
    if matrix.dtype == torch.float64:
        return _exact(matrix)
    if matrix.shape[0] < matrix.shape[1]:
        left, values, right = svd(matrix.T)
        return right, values, left
    squares, right = torch.linalg.eigh(matrix.T @ matrix)
    right = right.flip(1)
    roots = squares.flip(0).clamp(min=0).sqrt()
    large = int((roots > _SMALL * roots[0]).sum())
    if 2 * large < len(roots):
        left, values, right = _exact(matrix.to(torch.float64))
        return left.to(matrix), values, right.to(matrix)
    left = matrix @ right[:, :large]
    values = torch.linalg.vector_norm(left, dim=0)
    left /= values
    values = values.to(torch.float64)
    if large == len(roots):
        return left, values, right
    rest = right[:, large:].to(torch.float64)
    image = matrix.to(torch.float64) @ rest
    found = left.to(torch.float64)
    for _ in range(2):  # once leaves as much of the large as float32 rounds them by
        image -= found @ (found.T @ image)
    basis, triangle = torch.linalg.qr(image)
    turned, small, across = _exact(triangle)
    return (
        torch.cat([left, (basis @ turned).to(matrix)], 1),
        torch.cat([values, small]),
        torch.cat([right[:, :large], (rest @ across).to(matrix)], 1),
    )


def _exact(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    try:
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        # Layers that are nearly one have nearly equal correlations, on which divide and conquer
        # may not converge; plain QR iteration does, in more time.
        parts = scipy.linalg.svd(
            matrix.cpu().numpy(), full_matrices=False, lapack_driver="gesvd", check_finite=False
        )
        left, values, right = (torch.from_numpy(part).to(matrix) for part in parts)
    return left, values, right.T
