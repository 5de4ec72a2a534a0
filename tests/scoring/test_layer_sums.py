"""Sums of one layer let go of its products with itself, and of nothing else."""

import numpy as np
import pytest
import torch
from material import make_layers

from assonance.inference.resampling import Resampling
from assonance.scoring.layer_sums import LayerSums, SumsPlan
from assonance.utils.memory import Scratch

GROUPS, FOLDS = np.repeat(range(4), 3), np.array([0, 0, 1, 1])
FRAMES = torch.from_numpy(make_layers({"a": 5}, 240)["a"]).split(20)


@pytest.fixture
def layer():
    plan = SumsPlan(
        resampling=Resampling(GROUPS, FOLDS),
        means={"a": torch.cat(FRAMES).mean(0)},
        needs={"folds"},
        sampled=np.arange(0),
    )
    sums = LayerSums("a", plan)
    for group in range(4):
        sums.open_group()
        own = np.flatnonzero(group == GROUPS)
        sums.add([(20 * int(each), FRAMES[each]) for each in own], Scratch())
    return sums


def test_tables_of_folds_stay_when_products_go(layer):
    before = [
        [fold.inverse.clone(), fold.half_scatter.clone(), fold.variance.clone()]
        for fold in layer.grouped.whole.fold_layers("a")
    ]
    layer.let_go(regressions=True)
    assert not layer.whole
    after = [
        [fold.inverse, fold.half_scatter, fold.variance]
        for fold in layer.grouped.whole.fold_layers("a")
    ]
    assert all(
        torch.equal(x, y)
        for one, two in zip(before, after, strict=True)
        for x, y in zip(one, two, strict=True)
    )
    assert layer.grouped.whole.layer("a").correlation.shape == (5, 5)


def test_products_that_are_gone_are_not_taken_for_zero(layer):
    layer.let_go(regressions=False)
    for group in layer.grouped.groups:
        with pytest.raises(KeyError):
            group.product("a", "a")
    with pytest.raises(AttributeError):
        _ = layer.grouped.whole.fold_layer("a", 0).training.scatter


def test_letting_go_twice_changes_nothing(layer):
    layer.let_go(regressions=True)
    layer.let_go(regressions=True)
    assert len(layer.grouped.whole.fold_layers("a")) == 2
