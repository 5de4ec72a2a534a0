"""Sums of outer products are those of the rows, whenever they are multiplied."""

import itertools

import numpy as np
import pytest
import torch

from assonance.statistics.outer_sums import OuterSums, weighted_outer

WIDTHS = {"a": 5, "b": 8, "c": 3}
PAIRS = list(itertools.combinations_with_replacement(WIDTHS, 2))
ROWS = {
    name: np.random.default_rng(width).standard_normal((12, width))
    for name, width in WIDTHS.items()
}


@pytest.fixture(params=[0, 5, 11, 12])
def kept(request, monkeypatch):
    """Number of rows collected before they are multiplied."""
    monkeypatch.setattr("assonance.statistics.outer_sums.ROWS_KEPT", request.param)
    return request.param


def sums_of(utterances):
    sums = OuterSums(list(WIDTHS), PAIRS)
    for utterance in utterances:
        sums.add([torch.from_numpy(rows[utterance]) for rows in ROWS.values()])
    return sums


def assert_sums_of(found, weights):
    """Compare all pairs, in both orders, with products of the weighted rows."""
    for a, b in itertools.product(WIDTHS, repeat=2):
        x, y = (ROWS[name] * np.array(weights)[:, None] for name in (a, b))
        np.testing.assert_allclose(found.product(a, b), x.T @ y, rtol=0, atol=1e-12)


def test_products_are_those_of_all_rows(kept):
    found = sums_of(range(12))
    assert_sums_of(found, [1] * 12)
    assert bool(found._products) == (kept < 12)


def test_rows_added_after_reading_a_product_count(kept):
    found = sums_of(range(7))
    found.product("a", "b")
    for utterance in range(7, 12):
        found.add([torch.from_numpy(rows[utterance]) for rows in ROWS.values()])
    assert_sums_of(found, [1] * 12)


@pytest.mark.parametrize("weights", [(1, 1), (2, 3), (0, 1)])
def test_a_weight_multiplies_the_rows_of_a_group(kept, weights):
    groups = [sums_of(range(7)), sums_of(range(7, 12))]
    one, two = weights
    both = weighted_outer(groups, weights)
    assert_sums_of(both, [one] * 7 + [two] * 5)
    both.add([torch.from_numpy(rows[0]) for rows in ROWS.values()])
    assert_sums_of(groups[0], [1] * 7 + [0] * 5)
    assert_sums_of(groups[1], [0] * 7 + [1] * 5)
