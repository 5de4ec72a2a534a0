"""Pairs of layers: each once, in the order of the names."""

import itertools

import pytest

from assonance.statistics.order import in_order


def test_each_pair_is_put_into_the_order_of_the_names():
    assert in_order("cab", [("a", "c"), ("c", "b"), ("b", "a")]) == [
        ("c", "a"),
        ("c", "b"),
        ("a", "b"),
    ]


def test_both_orders_of_a_pair_are_one_pair():
    assert in_order("ab", [("a", "b"), ("b", "a"), ("b", "b")]) == [("a", "b"), ("b", "b")]


@pytest.mark.parametrize(
    "pairs", list(itertools.permutations([("a", "b"), ("c", "a"), ("c", "c")]))
)
def test_the_order_of_the_pairs_does_not_matter(pairs):
    assert in_order("abc", pairs) == [("a", "b"), ("a", "c"), ("c", "c")]


def test_a_name_without_order_is_an_error():
    with pytest.raises(KeyError):
        in_order("ab", [("a", "c")])
