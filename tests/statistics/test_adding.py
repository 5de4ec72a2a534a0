"""Matrices are added up in float64, in their order."""

from functools import reduce

import pytest
import torch

from assonance.statistics.adding import add_up


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("shape", [(1, 3), (64, 5), (130, 200), (0, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_are_those_of_the_entries_one_after_the_other(count, shape, dtype):
    generator = torch.Generator().manual_seed(count)
    matrices = [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(count)]
    expected = reduce(torch.add, [each.to(torch.float64) for each in matrices])
    found = add_up(matrices)
    assert found.dtype == torch.float64
    assert found.equal(expected)
    assert add_up([each.T for each in matrices]).equal(expected.T)
