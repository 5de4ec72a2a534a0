"""Work items in parallel, one processor core each."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from assonance.utils.cores import few_ahead, worker_pool


def test_results_come_in_the_order_of_the_items_and_torch_computes_on_one_thread():
    threads = torch.get_num_threads()
    with worker_pool() as pool_map:
        found = list(pool_map(lambda number: (number**2, torch.get_num_threads()), range(20)))
    assert found == [(number**2, 1) for number in range(20)]
    assert torch.get_num_threads() == threads


def test_one_thread_needs_no_pool():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with worker_pool() as pool_map:
            assert pool_map is map
    finally:
        torch.set_num_threads(threads)


def test_an_error_of_an_item_is_raised_and_the_threads_of_torch_are_restored():
    def fail(number):
        raise ValueError(number)

    threads = torch.get_num_threads()
    with pytest.raises(ValueError, match="0"), worker_pool() as pool_map:
        list(pool_map(fail, range(3)))
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("most", [1, 3, 50])
def test_results_come_in_order_and_few_wait_for_a_slow_one(most):
    begun, others = [], threading.Event()

    def work(number):
        begun.append(number)
        if len(begun) == most:
            others.set()
        if number == 0:  # until as many as may have begun
            assert others.wait(60)
        return number**2

    with ThreadPoolExecutor(4) as pool:
        results = few_ahead(pool.map, work, range(50), most)
        assert next(results) == 0
        assert set(begun) == set(range(most))
        assert list(results) == [number**2 for number in range(1, 50)]
    assert list(few_ahead(map, work, [2, 3], most)) == [4, 9]
