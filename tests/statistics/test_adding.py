"""Matrices are added up in float64, in their order."""

from functools import reduce

import pytest
import torch

from assonance.statistics.adding import add_others, add_up


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


def test_the_values_of_all_other_groups_are_added_up():
    values = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.stack([values[[h for h in range(5) if h != g]].sum(0) for g in range(5)])
    torch.testing.assert_close(add_others(values), expected)
    assert add_others(values)[:, :1, :1].equal(add_others(values[:, :1, :1]))


def test_what_varies_in_one_group_alone_leaves_nothing_without_it():
    values = torch.zeros(4, 2, dtype=torch.float64)
    values[2] = 0.1
    assert (add_others(values)[2] == 0).all()
