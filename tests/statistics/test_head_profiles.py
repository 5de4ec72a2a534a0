"""Sums that describe heads: additive over utterances of any length, broken maps left out."""

import numpy as np
import pytest
import torch
from material import make_maps

from assonance.statistics import HeadProfiles
from assonance.statistics.head_profiles import _PROFILES, _SUMS

LENGTHS = (6, 11, 1, 8)
MAPS = make_maps({"a": 4}, LENGTHS)["a"]


def profiles_of(maps, valid=None):
    profiles = HeadProfiles(len(maps[0]))
    for one in maps:
        kept = torch.ones(len(one), dtype=torch.bool) if valid is None else valid
        profiles.update([torch.from_numpy(np.ascontiguousarray(one))], kept)
    return profiles


def assert_same(found, expected):
    for name in (*_SUMS, *_PROFILES):
        one, two = getattr(found, name), getattr(expected, name)
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 3, 1, 0), (1, 0, 3, 2)])
def test_any_split_and_order_of_merging_agree_with_one_shot(order):
    expected = profiles_of(MAPS)
    one, two, three, four = (profiles_of([MAPS[each]]) for each in order)
    assert_same(one.merge(two).merge(three).merge(four), expected)
    assert_same(one.merge(two.merge(three.merge(four))), expected)


def test_merging_changes_neither_operand():
    one, two = profiles_of(MAPS[:1]), profiles_of(MAPS[1:])
    one.merge(two).update([torch.from_numpy(MAPS[1])], torch.ones(4, dtype=torch.bool))
    assert_same(one, profiles_of(MAPS[:1]))
    assert_same(two, profiles_of(MAPS[1:]))
    with pytest.raises(ValueError, match="different heads"):
        one.merge(HeadProfiles(3))


def test_heads_whose_map_is_broken_are_left_out():
    maps = [one.copy() for one in MAPS]
    for one in maps:
        one[2, 0, 0] = np.nan
    found = profiles_of(maps, torch.tensor([True, True, False, True]))
    expected = profiles_of([one[[0, 1, 3]] for one in MAPS])
    for name in (*_SUMS, *_PROFILES):
        torch.testing.assert_close(getattr(found, name)[[0, 1, 3]], getattr(expected, name))
        assert not getattr(found, name)[2].any()


def test_profiles_are_shares_of_the_attention_at_each_offset():
    profiles = profiles_of(MAPS)
    profile = profiles.profile(3)
    rows = sum(LENGTHS)
    for place, offset in enumerate(range(-3, 4)):
        expected = sum(np.trace(one, offset, 1, 2) for one in MAPS) / rows
        np.testing.assert_allclose(profile[:, place], expected, rtol=1e-12)
    np.testing.assert_allclose(profiles.profile(40).sum(1), 1, rtol=1e-12)


def test_position_only_maps_follow_from_the_mean_over_offsets():
    rolled = np.stack([np.roll(np.eye(7), 2, 1), np.eye(7)])
    found = profiles_of([rolled]).position_only(5)
    np.testing.assert_allclose(found[1], np.eye(5))
    # Two frames ahead, or five back; even if the map has neither frame.
    np.testing.assert_allclose(found[0, :3], np.eye(5)[2:])
    np.testing.assert_allclose(found[0, 3:], 1 / 5)
    np.testing.assert_allclose(profiles_of(MAPS).position_only(9).sum(2), 1, rtol=1e-6)


def test_a_head_without_any_map_has_no_position_only_map():
    found = profiles_of(MAPS, torch.tensor([True, False, True, True])).position_only(4)
    assert torch.isnan(found[1]).all()
    assert torch.isfinite(found[[0, 2, 3]]).all()
