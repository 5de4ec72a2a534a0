"""Batches of like lengths, and work that overlaps."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assonance.activations.batching import batches_by_length, pipeline

lengths = st.lists(st.floats(0.01, 100), max_size=40)


@given(lengths, st.floats(0, 300))
def test_every_item_is_in_one_batch_that_fits_with_its_padding(items, most):
    batches = batches_by_length(items, lambda item: item, most)
    assert sorted(item for batch in batches for item in batch) == sorted(items)
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(batch) <= most


@given(lengths)
def test_no_room_is_one_by_one(items):
    assert all(len(batch) == 1 for batch in batches_by_length(items, lambda item: item, 0))


def test_batches_are_alike_in_length_and_equal_lengths_keep_their_order():
    items = [("a", 2), ("b", 5), ("c", 2), ("d", 4), ("e", 2)]
    batches = batches_by_length(items, lambda item: item[1], 10)
    assert [[name for name, _ in batch] for batch in batches] == [["b", "d"], ["a", "c", "e"]]


def test_results_come_in_the_order_of_the_items():
    found = pipeline(range(20), lambda x: x + 1, lambda x: 2 * x, str)
    assert list(found) == [str(2 * (x + 1)) for x in range(20)]
    assert list(pipeline([], int, int, int)) == []


def test_reading_and_writing_wait_for_nothing_but_computing():
    computing, threads = threading.get_ident(), set()

    def other(item):
        threads.add(threading.get_ident())
        time.sleep(0.02)
        return item

    def compute(item):
        assert threading.get_ident() == computing
        time.sleep(0.02)
        return item

    started = time.perf_counter()
    assert list(pipeline(range(12), other, compute, other)) == list(range(12))
    assert time.perf_counter() - started < 12 * 0.05  # one after the other takes 12 × 0.06
    assert computing not in threads


def test_no_more_is_read_than_is_soon_computed():
    read, computed = [], []

    def compute(item):
        assert len(read) <= len(computed) + 4
        computed.append(item)
        return item

    list(pipeline(range(30), lambda item: read.append(item) or item, compute, int))


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_an_error_of_any_stage_comes_out(stage):
    def fail(item):
        if item == 3:
            raise OSError("full")
        return item

    work = [int, int, int]
    work[stage] = fail
    with pytest.raises(OSError, match="full"):
        list(pipeline(range(9), *work))
