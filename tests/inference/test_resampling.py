"""Folds and jackknife groups hold whole units; replicates leave groups out or draw them."""

from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assonance.inference.resampling import (
    Resampling,
    assign_groups,
    hash_name,
    replicate_weights,
)
from assonance.settings import Settings

SIZES = st.lists(st.integers(1, 100), min_size=1, max_size=30)
UTTERANCES = [17, 30, 12, 25, 40, 22]
SETTINGS = Settings("few", folds=3, groups=5, shifts=4)


def fold_of_utterance(sizes, units, folds, seed=0):
    group, fold = assign_groups(sizes, units, folds=folds, groups=folds, seed=seed)
    return fold[group]


@given(SIZES, st.integers(1, 8), st.integers(0, 5))
def test_folds_differ_by_no_more_than_the_largest_unit(sizes, folds, seed):
    assigned = fold_of_utterance(sizes, range(len(sizes)), folds, seed)
    filled = np.bincount(assigned, weights=sizes, minlength=min(folds, len(sizes)))
    assert assigned.shape == (len(sizes),)
    assert len(filled) == min(folds, len(sizes))
    assert (filled > 0).all()
    assert filled.max() - filled.min() <= max(sizes)


@given(st.data(), st.integers(1, 8), st.integers(1, 20))
def test_the_order_of_utterances_is_of_no_consequence(data, folds, groups):
    utterances = data.draw(
        st.lists(st.tuples(st.integers(1, 100), st.text(max_size=2)), min_size=1, max_size=30)
    )
    order = data.draw(st.permutations(range(len(utterances))))
    sizes, units = zip(*utterances, strict=True)
    group, fold = assign_groups(sizes, units, folds=folds, groups=groups, seed=0)
    sizes, units = zip(*(utterances[place] for place in order), strict=True)
    again, same = assign_groups(sizes, units, folds=folds, groups=groups, seed=0)
    np.testing.assert_array_equal(fold, same)
    np.testing.assert_array_equal(group[list(order)], again)


def test_another_seed_or_other_names_give_other_folds():
    sizes = np.arange(1, 20).tolist()
    folds = fold_of_utterance(sizes, range(19), 4)
    assert (folds != fold_of_utterance(sizes, range(19), 4, seed=1)).any()
    assert (folds != fold_of_utterance(sizes, [f"u{number}" for number in range(19)], 4)).any()


@pytest.mark.parametrize("kind", [float, np.int16, np.float32])
def test_equal_numbers_of_any_type_give_the_same_folds(kind):
    sizes = np.arange(1, 20).tolist()
    folds = fold_of_utterance(sizes, range(19), 4)
    np.testing.assert_array_equal(
        folds, fold_of_utterance(sizes, [kind(each) for each in range(19)], 4)
    )


def test_folds_are_the_same_on_every_machine():
    assert hash_name("ann", 0) == int.from_bytes(blake2b(b"0 'ann'", digest_size=16).digest())


def test_equal_units_make_equal_folds():
    assert np.bincount(fold_of_utterance([7] * 20, range(20), 5)).tolist() == [4] * 5


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9)), min_size=1, max_size=40),
    st.integers(1, 6),
    st.integers(1, 25),
)
def test_units_are_never_split_and_groups_lie_within_folds(utterances, folds, parts):
    sizes = [size for size, _ in utterances]
    units = np.unique([unit for _, unit in utterances], return_inverse=True)[1]
    part, fold = assign_groups(sizes, units.tolist(), folds=folds, groups=parts, seed=1)
    for unit in set(units.tolist()):
        assert len(set(part[units == unit])) == 1
    assert sorted(set(part)) == list(range(len(fold)))
    assert list(fold) == sorted(fold)
    assert len(fold) <= max(parts, min(folds, units.max() + 1))


def test_folds_do_not_depend_on_the_number_of_groups():
    sizes = np.random.default_rng(0).integers(5, 80, 37).tolist()
    expected = fold_of_utterance(sizes, range(37), 5, seed=3)
    for parts in (5, 12, 20):
        part, fold = assign_groups(sizes, range(37), folds=5, groups=parts, seed=3)
        assert len(fold) == parts
        np.testing.assert_array_equal(fold[part], expected)


def test_replicates_leave_each_group_out_or_draw_one_fewer():
    np.testing.assert_array_equal(replicate_weights([0, 0, 1, 1], None, 0), 1 - np.eye(4))
    alone = [0] * 6
    drawn = replicate_weights(alone, 500, 3)
    assert (drawn.sum(1) == 5).all()
    # Every group is drawn equally often, to a few standard deviations.
    assert np.abs(drawn.mean(0) - 5 / 6).max() < 4 * np.sqrt(5 / 6 / 500)
    np.testing.assert_array_equal(drawn[:20], replicate_weights(alone, 20, 3))
    assert (drawn != replicate_weights(alone, 500, 4)).any()


@pytest.mark.parametrize(("folds", "least"), [([0, 0, 1, 2, 2], 3), ([0, 1, 1], 2), ([0, 1], 1)])
def test_draws_leave_as_many_folds_as_held_out_measures_need(folds, least):
    drawn = replicate_weights(folds, 200, 0)
    left = [len({folds[part] for part in np.flatnonzero(row)}) for row in drawn]
    assert min(left) == least


def test_groups_come_with_a_replicate_for_each():
    made = Resampling.of_groups(UTTERANCES, range(6), SETTINGS)
    groups, folds = assign_groups(UTTERANCES, range(6), folds=3, groups=5, seed=0)
    np.testing.assert_array_equal(made.group_of_utterance, groups)
    np.testing.assert_array_equal(made.fold_of_group, folds)
    np.testing.assert_array_equal(made.fold_of_utterance, folds[groups])
    np.testing.assert_array_equal(made.weights, 1 - np.eye(5))
    assert (made.folds, made.groups, made.shifts) == (3, 5, 0)
    assert not made.without_replicates().weights


def test_one_group_alone_has_no_replicates():
    assert not Resampling.of_groups([50], [0], SETTINGS).weights


@pytest.mark.parametrize(("held_out", "folds"), [(True, 3), (False, 1)])
def test_without_intervals_each_fold_is_one_group(held_out, folds):
    made = Resampling.of_folds(UTTERANCES, range(6), SETTINGS, held_out=held_out)
    assert made.folds == made.groups == folds
    assert not made.weights


@pytest.mark.parametrize(("sizes", "shifts"), [(UTTERANCES, 1), ([9] * 40, 4), ([4], 3)])
def test_the_smallest_fold_limits_the_shifts(sizes, shifts):
    made = Resampling.of_folds(sizes, range(len(sizes)), SETTINGS, held_out=True)
    assert made.with_shifts(sizes, SETTINGS.shifts).shifts == shifts
