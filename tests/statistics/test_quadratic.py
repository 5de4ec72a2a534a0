"""Quadratic forms by half of a matrix are those of the whole."""

import pytest
import torch

from assonance.statistics.quadratic import lower_half, quadratic_forms

GENERATOR = torch.Generator().manual_seed(0)
ROOTS = torch.randn(3, 11, 7, generator=GENERATOR, dtype=torch.float64)
MATRICES = ROOTS.mT @ ROOTS
VECTORS = torch.randn(5, 7, generator=GENERATOR, dtype=torch.float64)
EXPECTED = (VECTORS @ MATRICES * VECTORS).sum(-1)


@pytest.fixture(autouse=True, params=[1, 3, 7, 192])
def block(request, monkeypatch):
    """Number of columns that are multiplied at once."""
    monkeypatch.setattr("assonance.statistics.quadratic._BLOCK", request.param)
    return request.param


def test_forms_of_rows_and_of_columns_are_those_of_the_whole_matrix():
    for matrix, expected in zip(MATRICES, EXPECTED, strict=True):
        half = lower_half(matrix.clone())
        torch.testing.assert_close(quadratic_forms(VECTORS, half), expected)
        torch.testing.assert_close(quadratic_forms(VECTORS.T, half, 0), expected)


def test_several_matrices_are_taken_at_once():
    torch.testing.assert_close(quadratic_forms(VECTORS, lower_half(MATRICES.clone())), EXPECTED)


def test_float32_forms_are_sums_in_float64():
    found = quadratic_forms(VECTORS.float(), lower_half(MATRICES[0].float()))
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, EXPECTED[0], rtol=1e-5, atol=0)


def test_entries_above_the_diagonal_blocks_are_not_needed(block):
    half = lower_half(MATRICES[0].clone())
    assert (half[0, block:] == 0).all()
    torch.testing.assert_close(half + half.T, 2 * MATRICES[0])
