"""Mean maps on equal parts of time: additive over utterances, each row a distribution."""

import numpy as np
import pytest
import torch
from material import make_maps

from assonance.statistics import HeadMaps, UtteranceMaps, on_grid
from assonance.statistics.head_maps import LEVELS, MOST_CELLS, PARTS_OF_TIME, on_cells

LENGTHS = (61, 24, 7, 1, 48)
MAPS = make_maps({"a": 3}, LENGTHS)["a"]
ALL = torch.ones(3, dtype=torch.bool)


def maps_of(utterances, valid=ALL):
    made = HeadMaps(3)
    for one in utterances:
        made.update([torch.from_numpy(one[:1]), torch.from_numpy(one[1:])], valid)
    return made


def share(frame, part, length, parts):
    """Share of a frame that lies in a part of the utterance."""
    start, end = max(frame / length, part / parts), min((frame + 1) / length, (part + 1) / parts)
    return max(end - start, 0) * length


def on_parts(one, parts):
    """Sum over keys of a part, averaged over queries of a part, one number after another."""
    length = len(one)
    found = np.zeros((parts, parts))
    for i in range(parts):
        for j in range(parts):
            for query in range(length):
                part_of_query = share(query, i, length, parts) * parts / length
                if part_of_query:
                    row = sum(
                        share(key, j, length, parts) * one[query, key] for key in range(length)
                    )
                    found[i, j] += part_of_query * row
    return found


def test_mean_maps_are_those_of_the_definition():
    few = [one[:1] for one in MAPS]
    made = HeadMaps(1)
    for one in few:
        made.update([torch.from_numpy(one)], ALL[:1])
    expected = np.mean([on_parts(one[0], PARTS_OF_TIME) for one in few], 0)
    np.testing.assert_allclose(made.mean()[0], expected, rtol=1e-11, atol=1e-13)


def test_rows_of_mean_maps_sum_to_one():
    np.testing.assert_allclose(maps_of(MAPS).mean().sum(2), 1, rtol=1e-12)


def test_maps_are_brought_onto_parts_as_onto_the_grid_of_another_model():
    whole = torch.from_numpy(MAPS[0])
    np.testing.assert_allclose(on_cells([whole], ALL, 24), on_grid(whole, 24), rtol=1e-11)


def test_single_precision_is_added_up_in_double_precision():
    rounded = [one.astype(np.float32) for one in MAPS]
    expected = maps_of([one.astype(np.float64) for one in rounded]).mean()
    torch.testing.assert_close(maps_of(rounded).mean(), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 2, 0, 3, 1)])
def test_any_order_of_merging_agrees_with_one_shot(order):
    merged = HeadMaps(3)
    for each in order:
        merged = merged.merge(maps_of([MAPS[each]]))
    torch.testing.assert_close(merged.mean(), maps_of(MAPS).mean(), rtol=1e-12, atol=1e-14)


def test_merging_changes_neither_operand_and_needs_the_same_heads():
    one, two = maps_of(MAPS[:1]), maps_of(MAPS[1:])
    one.merge(two).update([torch.from_numpy(MAPS[0])], ALL)
    assert torch.equal(one.total, maps_of(MAPS[:1]).total)
    assert torch.equal(two.total, maps_of(MAPS[1:]).total)
    with pytest.raises(ValueError, match="different heads"):
        one.merge(HeadMaps(4))


def test_broken_maps_are_left_out_of_their_heads_mean():
    broken = MAPS[1].copy()
    broken[2, 0, 0] = np.nan
    made = maps_of(MAPS[:1])
    made.update([torch.from_numpy(broken)], torch.tensor([True, True, False]))
    assert torch.equal(made.mean()[2], maps_of(MAPS[:1]).mean()[2])
    assert torch.equal(made.mean()[:2], maps_of(MAPS[:2]).mean()[:2])


def test_a_head_without_any_map_has_no_mean():
    mean = maps_of(MAPS, torch.tensor([True, False, True])).mean()
    assert mean[1].isnan().all()
    assert mean[[0, 2]].isfinite().all()


@pytest.mark.parametrize("length", [1, 30, MOST_CELLS, 61])
def test_maps_of_one_utterance_are_kept_in_steps_of_their_square_root(length):
    one = make_maps({"a": 3}, (length,), sharpness=4)["a"][0]
    shown = UtteranceMaps.of([torch.from_numpy(one)], torch.tensor([True, True, False]), 2.5)
    cells = min(length, MOST_CELLS)
    assert shown.levels.shape == (3, cells, cells)
    assert shown.levels.dtype == np.int16
    assert shown.seconds == 2.5
    expected = np.stack([on_parts(each, cells) for each in one[:2]])
    error = np.abs(np.sqrt(expected) - shown.levels[:2] / LEVELS).max()
    assert error <= 0.5 / LEVELS + 1e-12
    assert (shown.levels[2] == -1).all()
