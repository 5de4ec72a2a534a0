"""Inner loops over maps: precise logarithms, rows of norm one, sums over diagonals."""

import numpy as np
import pytest
from material import make_maps

from assonance.statistics.head_kernels import (
    add_log_sums,
    add_profile,
    squared_distance,
    standardise,
    take_rows,
)

PRECISIONS = pytest.mark.parametrize(("dtype", "error"), [(np.float64, 1e-13), (np.float32, 4e-7)])


@PRECISIONS
def test_logarithms_are_precise_for_all_probabilities(dtype, error):
    values = np.concatenate([np.geomspace(1e-30, 1, 4001), np.linspace(0.4, 2, 4001)])
    half = (values / 2).astype(dtype)[:, None]
    for one in half[:: len(half) // 400]:
        found = np.zeros((1, 1))
        add_log_sums(one[None], np.array([[0, 1, 0, 1]]), found)
        exact = 2 * float(one[0])
        # An error of the polynomial, and one that grows with the logarithm by rounding.
        allowed = error * exact * (1 + abs(np.log(exact)) / 2)
        assert found.item() == pytest.approx(exact * np.log(exact), abs=allowed)


@PRECISIONS
def test_sums_are_added_for_every_two_rows(dtype, error):
    maps = make_maps({"a": 3, "b": 4}, lengths=(45,), sharpness=4)
    x, y = (maps[name][0].reshape(len(maps[name][0]), -1).astype(dtype) for name in "ab")
    x[0, :50], y[1, 20:70] = 0, 0
    both = x[:, None].astype(np.float64) + y
    expected = (both * np.log(np.where(both > 0, both, 1))).sum(-1)
    found = np.ones((7, 7))
    add_log_sums(np.concatenate([x, y]), np.array([[0, 3, 3, 7]]), found)
    np.testing.assert_allclose(found[:3, 3:] - 1, expected, rtol=error)
    found[:3, 3:] = 1
    assert (found == 1).all()


def test_a_layer_is_summed_with_itself_on_and_above_the_diagonal():
    rows = make_maps({"a": 3}, lengths=(6,))["a"][0].reshape(3, -1)
    found, whole = np.zeros((2, 3, 3))
    add_log_sums(rows, np.array([[0, 3, 0, 3]]), found)
    both = rows[:, None] + rows
    whole = (both * np.log(both)).sum(-1)
    np.testing.assert_allclose(found, np.triu(whole), rtol=1e-12)


@PRECISIONS
def test_rows_are_taken_with_their_sums(dtype, error):
    maps = make_maps({"a": 3}, lengths=(20,))["a"][0].astype(dtype)
    for given in (maps, np.asfortranarray(maps)):
        rows, sums = np.zeros((3, 7, 20), dtype), np.zeros((3, 7))
        take_rows(given, 5, rows, sums)
        np.testing.assert_array_equal(rows, maps[:, 5:12])
        np.testing.assert_allclose(sums, maps[:, 5:12].sum(2, dtype=np.float64), rtol=1e-12)


@PRECISIONS
def test_rows_are_centred_and_of_norm_one_or_constant(dtype, error):
    maps = make_maps({"a": 3}, lengths=(20,))["a"][0].astype(dtype)
    maps[1, 4] = dtype(1 / 20)
    rows = np.empty_like(maps)
    sums, varies = np.empty((2, 3, 20))
    take_rows(maps, 0, np.empty_like(maps), sums)
    standardise(maps, sums, 16 * np.finfo(dtype).eps, rows, varies)
    centred = maps - maps.mean(2, keepdims=True, dtype=np.float64)
    centred[1, 4] = 0
    lengths = np.linalg.norm(centred, axis=2, keepdims=True)
    expected = centred / np.where(lengths > 0, lengths, 1)
    np.testing.assert_allclose(rows, expected, rtol=0, atol=error)
    np.testing.assert_allclose(sums, maps.sum(2), rtol=error)
    assert varies[1, 4] == 0
    assert varies.sum() == 59


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_profile_is_sums_over_diagonals_and_queries_and_the_distance_from_even(dtype):
    attention = make_maps({"a": 1}, lengths=(9,))["a"][0][0].astype(dtype)
    offsets, keys = np.ones(17), np.ones(9)
    deviation = add_profile(attention, offsets, keys)
    exact = attention.astype(np.float64)
    expected = [np.diagonal(exact, offset).sum() for offset in range(-8, 9)]
    np.testing.assert_allclose(offsets - 1, expected, rtol=1e-13)
    np.testing.assert_allclose(keys - 1, exact.sum(0), rtol=1e-13)
    assert deviation == pytest.approx(((exact - 1 / 9) ** 2).sum(), rel=1e-13)


def test_distances_of_float32_maps_are_taken_in_float64():
    x, y = np.float32([[1, 2**-24], [0.5, 0.5]]), np.float32([[1, 0], [0.5, 0.5]])
    assert squared_distance(x, y) == 2.0**-48
    x[0, 0] = np.float32(1) + np.finfo(np.float32).eps
    assert squared_distance(x, y) == 2.0**-48 + 2.0**-46
