"""Scores of heads: both orders of a pair filled in at once, tables padded."""

import numpy as np
import oracles
import pytest
import torch
from material import make_maps

from assonance.head_scores import HeadScores
from assonance.measures import SETTINGS, find
from assonance.statistics import HeadSums

SETTING = SETTINGS["default"]


def test_one_order_of_a_pair_fills_both_cells_of_heads():
    maps = make_maps({"a": 2, "b": 4}, lengths=(6,))
    sums = HeadSums({"a": 2, "b": 4}, [("a", "b")])
    sums.update({name: torch.from_numpy(one[0]) for name, one in maps.items()})
    scores = HeadScores({"a": 2, "b": 4}, find(["attn_js"], ("head",)))
    scores.add("a", "b", sums.pair("a", "b"), SETTING)
    result = scores.dataset(per_head=True)
    table = oracles.attn_js(maps["a"], maps["b"])
    np.testing.assert_allclose(result["attn_js_by_head"][0, 1, :2], table, atol=1e-9)
    np.testing.assert_allclose(result["attn_js_by_head"][1, 0, :, :2], table.T, atol=1e-9)
    assert np.isnan(result["attn_js_by_head"][0, 1, 2:]).all()
    assert result["attn_js"][0, 1].item() == pytest.approx(table.max(1).mean(), abs=1e-9)
    assert result["attn_js"][1, 0].item() == pytest.approx(table.max(0).mean(), abs=1e-9)
    assert np.isnan(result["attn_js"].values.diagonal()).all()
