"""Cached values: computed on first use, once across threads, and again for another object."""

import time
from concurrent.futures import ThreadPoolExecutor

from assonance.statistics.lazy import forget, lazy, once


class Layer:
    def __init__(self):
        self.calls = 0

    @lazy
    def norm(self):
        """Norm of the layer."""
        self.calls += 1
        time.sleep(0.02)
        return object()


def test_a_value_is_computed_on_first_use_and_kept():
    layer = Layer()
    assert layer.calls == 0
    assert layer.norm is layer.norm
    assert layer.calls == 1


def test_each_object_has_its_own_value():
    assert Layer().norm is not Layer().norm


def test_threads_that_read_a_value_at_once_compute_it_once():
    layer = Layer()
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda _: layer.norm, range(8)))
    assert layer.calls == 1
    assert all(value is values[0] for value in values)


def test_a_value_may_be_computed_from_another_of_the_same_object():
    layer = Layer()
    assert once(layer, "pair", lambda: (layer.norm, 1))[0] is layer.norm


def test_values_are_kept_by_key():
    layer = Layer()
    assert once(layer, ("a", 1), lambda: 2) == 2
    assert once(layer, ("a", 1), lambda: 3) == 2
    assert once(layer, ("a", 2), lambda: 3) == 3


def test_a_value_that_was_let_go_is_computed_again():
    layer = Layer()
    first = layer.norm
    forget(layer, "norm", "never computed")
    assert layer.norm is not first
    assert layer.calls == 2


def test_the_documentation_is_that_of_the_function():
    assert Layer.norm.__doc__ == "Norm of the layer."
