"""Singular value decompositions: precise for all shapes and spectra, and always converging."""

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group

from assonance.statistics.svd import svd

SHAPES = [(300, 280), (280, 300), (40, 40), (60, 25), (25, 60), (7, 1), (1, 7)]
VALUES = {
    "even": lambda count: np.linspace(1, 0.5, count),
    "down to zero": lambda count: np.linspace(1, 0, count),
    "mostly small": lambda count: np.where(np.arange(count) < count // 5, 1, 1e-3),
    "a few equal": lambda count: np.repeat([1.0, 0.6, 0.2, 1e-3], count // 4 + 1)[:count],
    "low rank": lambda count: (np.arange(count) < max(1, count // 2)) * 0.9,
}


def matrix_of(shape, values):
    sides = [
        ortho_group.rvs(size, random_state=size)[:, : min(shape)] if size > 1 else np.ones((1, 1))
        for size in shape
    ]
    return torch.from_numpy(sides[0] * values(min(shape)) @ sides[1].T)


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_factors_multiply_to_the_matrix(shape, values):
    matrix = matrix_of(shape, values)
    left, found, right = svd(matrix)
    error = 1e-12
    product = left * found @ right.T
    np.testing.assert_allclose(product, matrix, rtol=0, atol=error)
    expected = np.sort(values(min(shape)))[::-1]
    np.testing.assert_allclose(found.sort(descending=True).values, expected, rtol=0, atol=error)
    for vectors in (left, right):
        width = vectors.shape[1]
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(width), rtol=0, atol=10 * error)


def test_small_values_are_as_precise_as_large_ones():
    """The root of an eigenvalue errs by 10⁻⁸ for values this small."""
    matrix = matrix_of((300, 300), lambda count: np.geomspace(1, 1e-9, count))
    expected = torch.linalg.svdvals(matrix)
    found = svd(matrix)[1].sort(descending=True).values
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    roots = torch.linalg.eigvalsh(matrix.T @ matrix).clamp(min=0).sqrt().flip(0)
    assert (roots - expected).abs().max() > 1e-10


def test_qr_iteration_is_used_if_divide_and_conquer_fails(monkeypatch):
    def refuse(*arguments, **options):
        raise torch.linalg.LinAlgError("did not converge")

    matrix = matrix_of((9, 6), VALUES["even"])
    expected = torch.linalg.svdvals(matrix)
    monkeypatch.setattr(torch.linalg, "svd", refuse)
    np.testing.assert_allclose(svd(matrix)[1], expected, rtol=1e-12)
