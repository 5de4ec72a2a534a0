"""Extreme layers are scaled by powers of two, ordinary ones not at all."""

import numpy as np
import pytest
import torch

from assonance.utils.scale import exponents, scaled


def test_layers_that_are_ordinary_or_zero_are_not_scaled():
    assert exponents({}) == {}
    assert exponents({"a": 0.0}) == {"a": 0}
    assert exponents({"a": 6e4, "b": 1e-4, "c": 0.0}) == {"a": 0, "b": 0, "c": 0}


@pytest.mark.parametrize("size", [1e-310, 1e-60, 1e12, 1e39, 1e160, 1.7e308])
def test_the_largest_layer_is_brought_below_one_and_ratios_are_kept(size):
    found = exponents({"a": size, "b": size / 1000, "c": 0.0})
    assert 0.5 <= np.ldexp(size, found["a"]) < 1
    assert found["b"] == found["a"]
    assert found["c"] == 0


def test_ratios_beyond_all_comparison_are_bounded():
    found = exponents({"a": 1e39, "b": 1e-60})
    assert 2.0**-25 <= np.ldexp(1e-60, found["b"]) < 2.0**-24


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scaling_changes_no_digit(dtype):
    values = torch.randn(5, 3, dtype=dtype)
    assert scaled(values, 0) is values
    there = scaled(values, 100)
    assert there.dtype == dtype
    assert torch.equal(there / 2.0**100, values)
    assert torch.equal(scaled(there, -100), values)
