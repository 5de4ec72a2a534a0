"""Costs are those that the times measured consist of."""

import numpy as np
import pytest

from assonance.comparison.forecast.costs import clock, fit_costs, seconds_of
from assonance.utils.cores import worker_pool


@pytest.mark.parametrize("seed", range(5))
def test_costs_are_found_again(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 50, (7, 5)) * np.array([1, 1, 1e3, 1e9, 1e-3])
    costs = rng.uniform(0.1, 2, 5) / np.array([1, 1, 1e3, 1e9, 1e-3])
    assert fit_costs(counts, counts @ costs) == pytest.approx(costs)


def test_no_cost_is_below_zero_and_what_never_occurred_costs_nothing():
    found = fit_costs([[1, 2, 0], [1, 4, 0], [2, 2, 0]], [1.0, 0.9, 1.2])
    assert min(found) >= 0
    assert found[2] == 0


def test_work_is_done_once_and_takes_time():
    done = []
    assert seconds_of(lambda: done.append(sum(range(100_000))), "cpu") >= 0
    assert len(done) == 1


def test_a_clock_goes_on_at_the_same_rate_while_a_pool_shares_out_the_cores():
    now = clock("cpu")
    times = [now()]
    with worker_pool() as pool_map:
        list(pool_map(lambda _: sum(range(100_000)), range(4)))
        times.append(now())
    times.append(now())
    assert times == sorted(times)
