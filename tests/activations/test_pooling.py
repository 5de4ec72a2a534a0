"""Rows of frames against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assonance.activations.pooling import (
    cells,
    from_ranges,
    in_spans,
    ranges_in,
    same,
    single_frames,
    whole,
)


def frames(count, width=3, seed=0):
    return np.random.default_rng(seed).standard_normal((count, width), dtype=np.float32)


def test_a_row_is_the_mean_of_its_frames():
    values = frames(10)
    rows = from_ranges(np.array([[0, 3], [2, 4], [9, 10]]))
    expected = np.stack([values[0:3].mean(0), values[2:4].mean(0), values[9]])
    assert len(rows) == 3
    assert rows.of(values).dtype == np.float32
    np.testing.assert_allclose(rows.of(values), expected, rtol=1e-6)


def test_single_frames_are_themselves_and_all_frames_their_mean():
    values = frames(10)
    np.testing.assert_array_equal(single_frames(np.array([7, 7, 2])).of(values), values[[7, 7, 2]])
    np.testing.assert_allclose(
        whole(np.array([1, 5])).of(values), (values[[1]] + values[[5]]) / 2, rtol=1e-6
    )


def test_means_of_many_frames_are_added_up_in_float64():
    values = np.full((200_000, 1), 0.1, np.float32)
    values[0] = 1e6
    found = whole(np.arange(len(values))).of(values)
    assert found[0, 0] == pytest.approx(values.astype(np.float64).mean(), rel=1e-7)


@given(
    st.integers(1, 40),
    st.floats(0.005, 0.1),
    st.floats(0, 0.1),
    st.lists(st.tuples(st.floats(-0.5, 4), st.floats(0, 1)), min_size=1, max_size=20),
)
def test_a_span_has_the_frames_in_it_or_the_nearest_one(count, stride, first, drawn):
    times = first + stride * np.arange(count)
    spans = np.array([(start, start + length) for start, length in drawn])
    for (start, end), (a, b) in zip(spans, ranges_in(times, spans), strict=True):
        slack = 1e-5  # what lies this near to an edge may lie on either side of it
        if np.isclose(times, start, atol=slack).any() or np.isclose(times, end, atol=slack).any():
            continue
        within = np.flatnonzero((start <= times) & (times < end))
        if len(within):
            assert (a, b) == (within[0], within[-1] + 1)
            continue
        distance = np.maximum(start - times, times - end).min()
        if count > 1 and distance > stride + slack:
            assert (a, b) == (0, 0)
        elif count == 1 or distance < stride - slack:
            assert b == a + 1
            apart = np.abs(times - (start + end) / 2)
            assert apart[a] <= apart.min() + slack


def test_the_centre_of_a_span_is_the_frame_nearest_to_it():
    times = np.arange(10) * 0.02
    spans = np.array([[0.0, 0.1], [0.061, 0.062], [0.0, 0.04], [0.17, 0.3], [5.0, 6.0]])
    found = ranges_in(times, spans, centre=True)
    np.testing.assert_array_equal(found, [[2, 3], [3, 4], [1, 2], [9, 10], [0, 0]])


def test_frames_on_an_edge_belong_to_the_span_that_starts_there():
    times = np.arange(6) * 0.1  # 0.30000000000000004 among them
    spans = np.array([[0.1, 0.3], [0.3, 0.5]])
    np.testing.assert_array_equal(ranges_in(times, spans), [[1, 3], [3, 5]])


def test_cells_reach_half_way_to_the_neighbours():
    np.testing.assert_allclose(
        cells(np.array([1.0, 2.0, 4.0])), [[0.5, 1.5], [1.5, 3.0], [3.0, 5.0]]
    )
    ((start, end),) = cells(np.array([0.5]))
    assert start < -1000
    assert end > 1000


@pytest.mark.parametrize(("ratio", "shift"), [(1, 0.005), (2, 0.0), (2, 0.01), (3, 0.004)])
def test_every_fine_frame_is_in_one_cell_of_the_grid(ratio, shift):
    grid = np.arange(20) * 0.02 * ratio + 0.0125
    fine = np.arange(20 * ratio) * 0.02 + 0.0125 + shift
    found = ranges_in(fine, cells(grid))
    assert (found[1:, 0] == found[:-1, 1]).all()
    assert set((found[:, 1] - found[:, 0])[1:-1]) == {ratio}


def test_frames_are_inside_any_of_several_spans():
    times = np.array([0.0, 0.1, 0.2, 0.3])
    spans = np.array([[0.05, 0.15], [0.2, 0.3]])
    np.testing.assert_array_equal(in_spans(times, spans), [False, True, True, False])
    assert not in_spans(times, np.empty((0, 2))).any()


def test_times_are_the_same_but_for_rounding():
    times = np.arange(5) / 50
    assert same([times, times + 1e-12, times])
    assert not same([times, times + 1e-3])
    assert not same([times, times[:-1]])
