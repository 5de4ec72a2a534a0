"""Compute singular value decompositions that are fast for large matrices and always converge."""

import scipy.linalg
import torch
from torch import Tensor

# Singular values below this share of the largest are computed a second time. As roots of
# eigenvalues, which are precise to 10⁻¹⁶ of the largest eigenvalue, they are not precise enough.
_SMALL = 0.05
# Up to this many singular values, LAPACK's own decomposition is fast enough.
_FEW = 256


def svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the thin singular value decomposition, largest values first.

    A large matrix is decomposed by the eigenvectors of MᵀM, which is faster than LAPACK's own
    decomposition. Small singular values and their vectors are then computed again in the
    orthogonal complement of the large ones, so that no value errs by more than about 10⁻¹³ of the
    largest.

    Parameters
    ----------
    matrix
        Shape (M, N), float64, both at least 1.

    Returns
    -------
    tuple of Tensor
        Left vectors (M, K), values (K,) and right vectors (N, K) with K = min(M, N).
    """
    if min(matrix.shape) <= _FEW:
        return _lapack(matrix)
    if matrix.shape[0] < matrix.shape[1]:
        left, values, right = svd(matrix.T)
        return right, values, left
    squares, right = torch.linalg.eigh(matrix.T @ matrix)
    right = right.flip(1)
    roots = squares.flip(0).clamp(min=0).sqrt()
    large = int((roots > _SMALL * roots[0]).sum())
    if 2 * large < len(roots):
        return _lapack(matrix)
    left = matrix @ right[:, :large]
    values = torch.linalg.vector_norm(left, dim=0)
    left /= values
    if large == len(roots):
        return left, values, right
    rest = right[:, large:]
    image = matrix @ rest
    for _ in range(2):  # a single projection leaves rounding of the large directions
        image -= left @ (left.T @ image)
    basis, triangle = torch.linalg.qr(image)
    small_left, small, small_right = _lapack(triangle)
    return (
        torch.cat([left, basis @ small_left], 1),
        torch.cat([values, small]),
        torch.cat([right[:, :large], rest @ small_right], 1),
    )


def _lapack(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the decomposition by LAPACK's divide and conquer, or by QR if that fails."""
    try:
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        # Nearly equal layers have nearly equal canonical correlations, for which divide and
        # conquer may not converge. QR iteration converges, but takes longer.
        arrays = scipy.linalg.svd(
            matrix.cpu().numpy(), full_matrices=False, lapack_driver="gesvd", check_finite=False
        )
        left, values, right = (torch.from_numpy(array).to(matrix) for array in arrays)
    return left, values, right.T
