"""Batches depend on the speech alone, and sums survive their way through a piece."""

import numpy as np
import pytest
import torch

from assonance.errors import AssonanceError
from assonance.scoring.attention_sums import AttentionSums, GroupSums, batches
from assonance.statistics import HeadMaps, HeadProfiles, HeadSums, UtteranceMaps
from assonance.utils.pieces import NOWHERE, Pieces

HEADS = {"a": 2, "b": 3}


def empty():
    heads = HeadSums(HEADS, [("a", "b")], ["head distances"])
    return AttentionSums(heads, HeadProfiles(5), HeadMaps(5))


def sums_of(*lengths, seed=0):
    rng = np.random.default_rng(seed)
    sums = empty()
    for number, length in enumerate(lengths):
        maps = [
            torch.from_numpy(rng.dirichlet(np.ones(length), size=(count, length)))
            for count in HEADS.values()
        ]
        maps[0][1, 0, 0] += number  # broken but in the first
        valid = sums.heads.update(maps)
        sums.shapes.update(maps, valid)
        sums.maps.update(maps, valid)
        sums.lengths.append(length)
    sums.note_broken(7)
    sums.noted[7] = ["coarser"]
    return sums


def test_utterances_of_a_group_are_divided_in_order():
    found = batches([0, 1, 2, 3, 5], [1, 0, 1, 1, 0, 0], [400.0, 10, 300, 50, 9, 20])
    assert [(each.group, each.utterances, each.size) for each in found] == [
        (0, (1, 5), 30),
        (1, (0, 2), 700),
        (1, (3,), 50),
    ]


def test_much_speech_has_some_hundred_batches_at_most():
    found = batches(range(5000), np.arange(5000) % 20, [3600.0] * 5000)
    assert 200 < len(found) <= 256 + 20
    assert sorted(index for each in found for index in each.utterances) == list(range(5000))


@pytest.mark.parametrize("shown", [None, UtteranceMaps(np.eye(5, dtype=np.int16)[None], 1.5)])
def test_sums_are_restored_from_their_piece(shown):
    sums = sums_of(4, 6)
    sums.shown = shown
    piece = sums.piece(2)
    assert piece.about["done"] == 2
    assert not any("divergence" in name for name in piece.arrays)  # not requested: zero
    found = empty().restore(piece)
    for one, two in (
        (found.heads.tables, sums.heads.tables),
        (found.shapes.sums(), sums.shapes.sums()),
        (found.maps.sums(), sums.maps.sums()),
    ):
        assert one.keys() == two.keys()
        for name, table in two.items():
            assert torch.equal(one[name], table)
    assert torch.equal(found.heads.broken, sums.heads.broken)
    assert (found.shown is None) == (shown is None)
    if shown:
        np.testing.assert_array_equal(found.shown.levels, shown.levels)
        assert found.shown.seconds == 1.5
    assert (found.lengths, found.broken, found.noted) == (
        [4, 6],
        {7: ["a head 1"]},
        {7: ["coarser"]},
    )


def test_sums_are_merged_with_all_that_they_noted():
    one, two = sums_of(4), sums_of(5, 3, seed=1)
    both = one.merge(two)
    assert both.lengths == [4, 5, 3]
    assert both.noted == {7: ["coarser"]}
    assert both.broken == {7: ["a head 1"]}
    two.shown = UtteranceMaps(np.zeros((5, 3, 3), np.int16), 0.5)
    assert both.shown is None
    assert one.merge(two).shown is two.merge(one).shown is two.shown
    assert both.maps.utterances.tolist() == [3, 2, 3, 3, 3]
    torch.testing.assert_close(
        both.heads.total.frobenius, one.heads.total.frobenius + two.heads.total.frobenius
    )


@pytest.mark.parametrize("lengths", [(), (4,)])
def test_no_broken_map_has_no_name(lengths):
    assert sums_of(*lengths).broken == {}


@pytest.mark.parametrize("kept", [True, False])
def test_sums_of_a_group_are_those_of_its_batches_wherever_they_are_kept(kept, tmp_path):
    pieces = Pieces(tmp_path) if kept else NOWHERE
    groups = GroupSums(empty, 3, pieces)
    first, second, other = sums_of(4, 6), sums_of(5, seed=1), sums_of(7, seed=2)
    for name, group, sums in (("one", 0, first), ("two", 0, second), ("three", 2, other)):
        pieces.write(name, sums.piece(1))
        groups.add(group, name, sums.piece(1))
    expected = (first.heads.merge(second.heads), empty().heads, other.heads)
    for found, sums in zip(groups, expected, strict=True):
        assert all(torch.equal(table, sums.tables[name]) for name, table in found.tables.items())
        assert torch.equal(found.broken, sums.broken)
    assert len(groups) == len(groups[:3]) == 3


def test_a_group_whose_piece_is_gone_is_refused(tmp_path):
    groups = GroupSums(empty, 1, Pieces(tmp_path))
    groups.add(0, "gone", sums_of(4).piece(1))
    with pytest.raises(AssonanceError, match="gone was removed or changed meanwhile"):
        groups[0]
