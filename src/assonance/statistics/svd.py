"""Singular value decompositions that always come to an end."""

import scipy.linalg
import torch
from torch import Tensor

# Singular values below this share of the largest are found again: they are the roots of
# eigenvalues, which are known only to within 10⁻¹⁶ of the largest.
_SMALL = 0.05
# Up to so many singular values LAPACK's own decomposition takes no time to speak of.
_FEW = 256


def svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Thin singular value decomposition, the largest first.

    A large matrix is taken apart by the eigenvectors of its product with itself, which is faster
    than its own decomposition; small singular values and their vectors are found again in the
    space that is left, so that no value errs by more than about 10⁻¹³ of the largest.

    Parameters
    ----------
    matrix
        Shape (M, N), float64, both at least 1.

    Returns
    -------
    tuple of Tensor
        Left vectors (M, K), values (K,), right vectors (N, K), K = min(M, N).
    """
    if min(matrix.shape) <= _FEW:
        return _exact(matrix)
    if matrix.shape[0] < matrix.shape[1]:
        left, values, right = svd(matrix.T)
        return right, values, left
    squares, right = torch.linalg.eigh(matrix.T @ matrix)
    right = right.flip(1)
    roots = squares.flip(0).clamp(min=0).sqrt()
    large = int((roots > _SMALL * roots[0]).sum())
    if 2 * large < len(roots):
        return _exact(matrix)
    left = matrix @ right[:, :large]
    values = torch.linalg.vector_norm(left, dim=0)
    left /= values
    if large == len(roots):
        return left, values, right
    rest = right[:, large:]
    image = matrix @ rest
    for _ in range(2):  # once leaves as much of the large as they are rounded by
        image -= left @ (left.T @ image)
    basis, triangle = torch.linalg.qr(image)
    turned, small, across = _exact(triangle)
    return (
        torch.cat([left, basis @ turned], 1),
        torch.cat([values, small]),
        torch.cat([right[:, :large], rest @ across], 1),
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
