"""Scores of heads: tables padded, best matches by layer, nothing where nothing was wanted."""

import numpy as np
import oracles
import pytest
import torch
from material import make_maps

from assonance.measures import MEASURES, find
from assonance.scoring.head_scores import head_replicates, head_scores
from assonance.settings import SETTINGS
from assonance.statistics import HeadSums

SETTING = SETTINGS["default"]
HEADS = {"a": 2, "b": 4}
MAPS = make_maps(HEADS, lengths=(6, 9, 5))
OF_HEADS = [name for name, each in MEASURES.items() if each.level == "head"]


def sums(utterances, pairs=(("a", "b"),)):
    made = HeadSums(HEADS, pairs)
    for index in utterances:
        made.update([torch.from_numpy(one[index]) for one in MAPS.values()])
    return made


@pytest.mark.parametrize("measure", OF_HEADS)
def test_one_order_of_a_pair_fills_both_cells_of_heads(measure):
    result = head_scores([sums([0, 1]), sums([2])], find([measure], ("head",)), SETTING)
    table = getattr(oracles, measure)(MAPS["a"], MAPS["b"])
    found = result.heads[measure].values
    np.testing.assert_allclose(found[0, 1, :2], table, atol=1e-9)
    np.testing.assert_allclose(found[1, 0, :, :2], table.T, atol=1e-9)
    assert np.isnan(found[0, 1, 2:]).all()
    assert result.scores[measure][0, 1].item() == pytest.approx(table.max(1).mean(), abs=1e-9)
    assert result.scores[measure][1, 0].item() == pytest.approx(table.max(0).mean(), abs=1e-9)
    match = result.matches[measure].values
    assert match[0, 1].tolist() == [*table.argmax(1), -1, -1]
    assert match[1, 0].tolist() == table.argmax(0).tolist()
    for values in (result.scores[measure].values, found.max((2, 3))):
        assert np.isnan(values.diagonal()).all()
    assert (match[[0, 1], [0, 1]] == -1).all()


@pytest.mark.parametrize("parts", [([0, 1], [2]), ([0], [1], [2])])
def test_parts_are_left_out_in_turn(parts):
    chosen = find(["attn_js"], ("head",))
    replicates = (1 - np.eye(len(parts), dtype=int)).tolist()
    groups = [sums(part) for part in parts]
    result = head_replicates(groups, sums([0, 1, 2]), chosen, SETTING, replicates)
    assert set(result.data_vars) == {"attn_js"}
    for number, part in enumerate(parts):
        rest = [u for u in range(3) if u not in part]
        table = oracles.attn_js(*([one[u] for u in rest] for one in MAPS.values()))
        found = result["attn_js"][0, 1, number].item()
        assert found == pytest.approx(table.max(1).mean(), abs=1e-9)
    every = sums([0, 1, 2])
    alone = head_scores([every], chosen, SETTING)
    assert set(alone.scores.data_vars) == {"attn_js"}
    assert not head_replicates([every], every, chosen, SETTING, [])
