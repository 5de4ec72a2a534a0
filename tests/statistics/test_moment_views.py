"""Replicates: leaving out or repeating a jackknife group is leaving out or repeating its frames."""

import numpy as np
import pytest
import torch
from material import make_layers

from assonance.statistics import FoldedMoments, GroupedMoments, Moments, ShiftedProducts, halves

LAYERS = {name: torch.from_numpy(x) for name, x in make_layers({"a": 5, "b": 4}, 90).items()}
SHIFT = {name: x.mean(0) for name, x in LAYERS.items()}
FOLDS = [0, 0, 1, 2, 2]
GROUPS = np.repeat(range(5), [10, 25, 15, 30, 10])


def moments(rows):
    made = Moments(SHIFT, [("a", "b")])
    made.update({name: x[rows] for name, x in LAYERS.items()})
    return made


@pytest.fixture(scope="module")
def grouped():
    return GroupedMoments([moments(group == GROUPS) for group in range(5)], FOLDS)


@pytest.mark.parametrize("group", range(5))
def test_leaving_a_group_out_gives_the_statistics_of_the_other_groups(grouped, group):
    left = grouped.weighted([int(each != group) for each in range(5)])
    rest = [
        moments((group != GROUPS) & (np.array(FOLDS)[GROUPS] == fold))
        for fold in range(3)
        if (GROUPS[np.array(FOLDS)[GROUPS] == fold] != group).any()
    ]
    expected = FoldedMoments(rest).pair("a", "b")
    found = left.pair("a", "b")
    torch.testing.assert_close(found.cross, expected.cross, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.x.scatter, expected.x.scatter, rtol=0, atol=1e-10)
    assert len(found.folds) == len(expected.folds)
    for one, two in zip(found.held_out, expected.held_out, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-10)


@pytest.mark.parametrize("weights", [[2, 0, 1, 1, 3], [0, 0, 1, 2, 1], [1, 1, 1, 1, 1]])
def test_a_weight_repeats_the_frames_of_a_group(grouped, weights):
    drawn = grouped.weighted(weights)
    rows = np.repeat(np.arange(90), np.array(weights)[GROUPS])
    fold_of = np.array(FOLDS)[GROUPS][rows]
    expected = FoldedMoments([moments(rows[fold_of == fold]) for fold in range(3)])
    found, expected = drawn.pair("a", "b"), expected.pair("a", "b")
    assert found.x.n == len(rows)
    torch.testing.assert_close(found.cross, expected.cross, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.x.scatter, expected.x.scatter, rtol=0, atol=1e-10)
    assert len(found.folds) == len(expected.folds)
    for one, two in zip(found.held_out, expected.held_out, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-10)


def test_a_neuron_that_varies_only_in_the_group_left_out_is_constant_without_it():
    frames = LAYERS["a"].clone()
    frames[GROUPS != 1, 2] = 0.1
    layers = {"a": frames, "b": LAYERS["b"]}
    groups = []
    for group in range(5):
        made = Moments(SHIFT, [("a", "b")])
        made.update({name: x[group == GROUPS] for name, x in layers.items()})
        groups.append(made)
    grouped = GroupedMoments(groups, FOLDS)
    assert grouped.whole.layer("a").varies.all()
    for without in (grouped.weighted([1, 0, 1, 1, 1]), grouped.without(1)):
        assert without.layer("a").varies.tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("group", range(5))
def test_without_folds_a_group_is_left_out_all_the_same(grouped, group):
    found = grouped.without(group)
    expected = grouped.weighted([int(each != group) for each in range(5)]).pair("a", "b")
    pair = found.pair("a", "b")
    assert not pair.folds
    assert pair.x.n == expected.x.n
    torch.testing.assert_close(pair.cross, expected.cross, rtol=0, atol=1e-10)
    torch.testing.assert_close(pair.x.scatter, expected.x.scatter, rtol=0, atol=1e-10)


def test_shifted_products_leave_the_layers_as_they_are(grouped):
    rolled = LAYERS["b"].roll(40, 0)
    fold_of = np.array(FOLDS)[GROUPS]
    products = [
        (LAYERS["a"][fold_of == f] - SHIFT["a"]).T @ (rolled[fold_of == f] - SHIFT["b"])
        for f in range(3)
    ]
    crossed = [
        ShiftedProducts(own, {("a", "b"): product})
        for own, product in zip(grouped.by_fold, products, strict=True)
    ]
    whole = grouped.whole
    found = whole.with_cross(crossed)
    assert found.layer("a") is whole.layer("a")
    expected = (LAYERS["a"] - SHIFT["a"]).T @ (rolled - SHIFT["b"])
    torch.testing.assert_close(found.pair("a", "b").cross, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.pair("b", "a").cross, expected.T, rtol=0, atol=1e-10)


def test_halves_hold_each_neuron_once_except_an_odd_one(grouped):
    pair = halves(grouped.whole, "a", seed=4).pair("first", "second")
    scatter = grouped.whole.layer("a").scatter
    assert pair.cross.shape == (2, 2)
    own = torch.cat([pair.x.scatter.diagonal(), pair.y.scatter.diagonal()])
    at = [int((scatter.diagonal() - each).abs().argmin()) for each in own]
    assert len(set(at)) == 4
    torch.testing.assert_close(pair.cross, scatter[at[:2]][:, at[2:]], rtol=0, atol=1e-10)
