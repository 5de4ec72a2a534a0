"""Sums over attention maps: additive, directed, and safe with tiny probabilities."""

import itertools

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from material import make_maps

from assonance.statistics import HeadSums

HEADS = {"a": 3, "b": 5}
PAIRS = [("b", "a"), ("a", "a")]
LENGTHS = (6, 9, 4, 7, 1)
TABLES = ("frobenius", "pearson", "correlated", "divergence")


def sums_of(maps, utterances=None, pairs=PAIRS):
    sums = HeadSums({name: one[0].shape[0] for name, one in maps.items()}, pairs)
    count = len(next(iter(maps.values())))
    for index in range(count) if utterances is None else utterances:
        sums.update({name: torch.as_tensor(one[index]) for name, one in maps.items()})
    return sums


def assert_same(found, expected, tolerance=1e-10):
    assert found.sums.keys() == expected.sums.keys()
    for pair in expected.sums:
        one, two = found.pair(*pair), expected.pair(*pair)
        assert (one.utterances, one.rows) == (two.utterances, two.rows)
        for table in TABLES:
            torch.testing.assert_close(
                getattr(one, table), getattr(two, table), rtol=tolerance, atol=tolerance
            )


def test_sums_are_what_the_definitions_average():
    maps = make_maps(HEADS, LENGTHS[:4])
    pair = sums_of(maps).pair("a", "b")
    assert pair.utterances == 4
    assert pair.rows == sum(LENGTHS[:4])
    close = {"rtol": 0, "atol": 1e-10}
    expected = oracles.attn_frobenius(maps["a"], maps["b"])
    np.testing.assert_allclose(1 - pair.frobenius / 4, expected, **close)
    expected = oracles.attn_pearson(maps["a"], maps["b"])
    np.testing.assert_allclose(pair.pearson / pair.correlated, expected, **close)
    expected = oracles.attn_js(maps["a"], maps["b"])
    np.testing.assert_allclose(1 - pair.divergence / pair.rows, expected, **close)
    np.testing.assert_array_equal(pair.correlated, pair.rows)


@pytest.mark.parametrize("heads", [1, 3, 4, 5, 9])
def test_any_number_of_heads_is_compared_each_with_each(heads):
    maps = make_maps({"a": 2, "b": heads}, (5,))
    pair = sums_of(maps).pair("a", "b")
    expected = oracles.attn_js(maps["a"], maps["b"])
    np.testing.assert_allclose(1 - pair.divergence / pair.rows, expected, rtol=0, atol=1e-12)


@given(st.lists(st.integers(0, 2), min_size=5, max_size=5), st.permutations(range(3)))
def test_any_split_and_any_order_of_merging_agree_with_one_shot(where, order):
    maps = make_maps(HEADS, LENGTHS)
    parts = [sums_of(maps, [u for u in range(5) if where[u] == part]) for part in order]
    whole = sums_of(maps)
    assert_same(parts[0].merge(parts[1]).merge(parts[2]), whole)
    assert_same(parts[0].merge(parts[1].merge(parts[2])), whole)


def test_neither_of_two_merged_changes():
    maps = make_maps(HEADS, LENGTHS)
    one, two = sums_of(maps, [0, 1]), sums_of(maps, [2, 3, 4])
    merged = one.merge(two)
    merged.update({name: torch.from_numpy(values[0]) for name, values in maps.items()})
    assert_same(one, sums_of(maps, [0, 1]), tolerance=0)
    assert_same(two, sums_of(maps, [2, 3, 4]), tolerance=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_update_never_changes_its_input(dtype):
    maps = {name: torch.as_tensor(one[0]).to(dtype) for name, one in make_maps(HEADS).items()}
    maps["a"][0, 0, 0] = 1e-40
    copies = {name: one.clone() for name, one in maps.items()}
    HeadSums(HEADS, PAIRS).update(maps)
    for name, one in maps.items():
        assert torch.equal(one, copies[name])


def test_a_pair_can_be_read_either_way_round():
    sums = sums_of(make_maps(HEADS, LENGTHS))
    there, back = sums.pair("a", "b"), sums.pair("b", "a")
    assert there.frobenius.shape == (3, 5)
    for table in TABLES:
        assert torch.equal(getattr(there, table), getattr(back, table).T)


def test_only_the_pairs_asked_for_are_kept():
    sums = HeadSums(HEADS, [("b", "a"), ("a", "b")])
    assert list(sums.sums) == [("a", "b")]
    with pytest.raises(KeyError):
        sums.pair("a", "a")


@pytest.mark.parametrize(
    "other",
    [HeadSums({"a": 3, "b": 4}, PAIRS), HeadSums(HEADS, [("a", "b")]), HeadSums({"a": 3}, [])],
    ids=["heads", "pairs", "layers"],
)
def test_sums_over_different_things_cannot_be_merged(other):
    for one, two in itertools.permutations([HeadSums(HEADS, PAIRS), other]):
        with pytest.raises(ValueError, match="different heads or pairs"):
            one.merge(two)


def test_maps_of_one_utterance_have_one_size():
    maps = {"a": torch.full((3, 4, 4), 0.25), "b": torch.full((5, 2, 2), 0.5)}
    sums = HeadSums(HEADS, PAIRS)
    with pytest.raises(ValueError, match=r"\[2, 4\]"):
        sums.update(maps)
    assert_same(sums, HeadSums(HEADS, PAIRS), tolerance=0)


# Numbers that are hard on logarithms and differences


@pytest.mark.parametrize("tiny", [0.0, 1e-320, 1e-45, 1e-38, 1e-36, 1e-30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_probabilities_next_to_nothing_leave_the_divergence_as_it_is(tiny, dtype):
    maps = {
        "a": torch.tensor([[[1.0, tiny], [tiny, 1.0]]], dtype=dtype),
        "b": torch.tensor([[[tiny, 1.0], [0.25, 0.75]]], dtype=dtype),
    }
    sums = HeadSums({"a": 1, "b": 1}, [("a", "b"), ("a", "a")])
    sums.update(maps)
    second = oracles.attn_js([np.array([[[0.0, 1.0]]])], [np.array([[[0.25, 0.75]]])])
    expected = np.log(2) + (1 - second.item())
    assert sums.pair("a", "b").divergence.item() == pytest.approx(expected, abs=1e-12)
    assert sums.pair("a", "a").divergence.item() == 0


def test_heads_that_nearly_agree_keep_their_distance():
    one = torch.from_numpy(make_maps({"a": 1}, (40,))["a"][0])
    step = torch.zeros_like(one)
    step[0, 3, 5], step[0, 3, 6] = 3e-9, -4e-9
    sums = HeadSums({"a": 1, "b": 1}, [("a", "b")])
    sums.update({"a": one, "b": one + step})
    assert sums.pair("a", "b").frobenius.item() == pytest.approx(5e-9, rel=1e-6)


def test_a_head_is_no_distance_from_itself():
    maps = make_maps({"a": 4}, (30, 8))
    pair = sums_of(maps, pairs=[("a", "a")]).pair("a", "a")
    assert (pair.frobenius.diagonal() == 0).all()
    assert (pair.divergence.diagonal() < 1e-10).all()
    own = pair.pearson.diagonal() / pair.correlated.diagonal()
    np.testing.assert_allclose(own, (29 + 7) / 38, rtol=1e-12)


def test_rows_are_correlated_only_where_both_vary():
    maps = make_maps({"a": 2, "b": 2}, (6,))
    maps["a"][0][0, :2] = 1 / 6
    maps["b"][0][1, 1:4] = 1 / 6
    pair = sums_of(maps, pairs=[("a", "b")]).pair("a", "b")
    np.testing.assert_array_equal(pair.correlated, [[4, 2], [6, 3]])
