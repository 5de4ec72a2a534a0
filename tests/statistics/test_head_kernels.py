"""Inner loops over maps: precise logarithms, rows of norm one, sums over diagonals."""

import numpy as np
import pytest
from material import make_maps

from assonance.statistics.head_kernels import add_log_sums, add_offsets, standardise

PRECISIONS = pytest.mark.parametrize(("dtype", "error"), [(np.float64, 1e-13), (np.float32, 4e-7)])


@PRECISIONS
def test_logarithms_are_precise_for_all_probabilities(dtype, error):
    values = np.concatenate([np.geomspace(1e-30, 1, 4001), np.linspace(0.4, 1, 4001)])
    half = (values / 2).astype(dtype)[:, None]
    for one in half[:: len(half) // 200]:
        found = np.zeros((1, 1))
        add_log_sums(one[None], one[None], found)
        exact = 2 * float(one[0])
        allowed = error * exact * max(1, abs(np.log(exact)))
        assert found.item() == pytest.approx(exact * np.log(exact), abs=allowed)


@PRECISIONS
def test_sums_are_added_for_every_two_rows(dtype, error):
    maps = make_maps({"a": 3, "b": 4}, lengths=(45,), sharpness=4)
    x, y = (maps[name][0].reshape(len(maps[name][0]), -1).astype(dtype) for name in "ab")
    x[0, :50], y[1, 20:70] = 0, 0
    both = x[:, None].astype(np.float64) + y
    expected = (both * np.log(np.where(both > 0, both, 1))).sum(-1)
    found = np.ones((3, 4))
    add_log_sums(x, y, found)
    np.testing.assert_allclose(found - 1, expected, rtol=error)


@PRECISIONS
def test_rows_are_centred_and_of_norm_one_or_constant(dtype, error):
    maps = make_maps({"a": 3}, lengths=(20,))["a"][0].astype(dtype)
    maps[1, 4] = dtype(1 / 20)
    rows = np.empty_like(maps)
    sums, varies = np.empty((2, 3, 20))
    standardise(maps, 16 * np.finfo(dtype).eps, rows, sums, varies)
    centred = maps - maps.mean(2, keepdims=True, dtype=np.float64)
    centred[1, 4] = 0
    lengths = np.linalg.norm(centred, axis=2, keepdims=True)
    expected = centred / np.where(lengths > 0, lengths, 1)
    np.testing.assert_allclose(rows, expected, rtol=0, atol=error)
    np.testing.assert_allclose(sums, maps.sum(2), rtol=error)
    assert varies[1, 4] == 0
    assert varies.sum() == 59


def test_offsets_are_sums_of_diagonals():
    attention = make_maps({"a": 1}, lengths=(9,))["a"][0][0]
    found = np.zeros(17)
    add_offsets(attention, found)
    expected = [np.diagonal(attention, offset).sum() for offset in range(-8, 9)]
    np.testing.assert_allclose(found, expected, rtol=1e-14)
