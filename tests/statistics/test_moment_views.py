"""Parts hold whole units and lie within folds; leaving one out is as if it had not been there."""

import numpy as np
import pytest
import torch
from material import make_layers

from assonance.statistics import FoldedMoments, GroupedMoments, Moments, ShiftedProducts, halves

LAYERS = {name: torch.from_numpy(x) for name, x in make_layers({"a": 5, "b": 4}, 90).items()}
SHIFT = {name: x.mean(0) for name, x in LAYERS.items()}
FOLDS = [0, 0, 1, 2, 2]
PARTS = np.repeat(range(5), [10, 25, 15, 30, 10])


def moments(rows):
    made = Moments(SHIFT, [("a", "b")])
    made.update({name: x[rows] for name, x in LAYERS.items()})
    return made


@pytest.fixture(scope="module")
def parted():
    return GroupedMoments([moments(part == PARTS) for part in range(5)], FOLDS)


@pytest.mark.parametrize("part", range(5))
def test_without_a_part_is_as_if_it_had_not_been_there(parted, part):
    left = parted.weighted([int(each != part) for each in range(5)])
    rest = [
        moments((part != PARTS) & (np.array(FOLDS)[PARTS] == fold))
        for fold in range(3)
        if (PARTS[np.array(FOLDS)[PARTS] == fold] != part).any()
    ]
    expected = FoldedMoments(rest).pair("a", "b")
    found = left.pair("a", "b")
    torch.testing.assert_close(found.cross, expected.cross, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.x.scatter, expected.x.scatter, rtol=0, atol=1e-10)
    assert len(found.folds) == len(expected.folds)
    for one, two in zip(found.held_out, expected.held_out, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-10)


@pytest.mark.parametrize("weights", [[2, 0, 1, 1, 3], [0, 0, 1, 2, 1], [1, 1, 1, 1, 1]])
def test_parts_count_as_if_their_frames_were_there_so_often(parted, weights):
    drawn = parted.weighted(weights)
    rows = np.repeat(np.arange(90), np.array(weights)[PARTS])
    fold_of = np.array(FOLDS)[PARTS][rows]
    expected = FoldedMoments([moments(rows[fold_of == fold]) for fold in range(3)])
    found, expected = drawn.pair("a", "b"), expected.pair("a", "b")
    assert found.x.n == len(rows)
    torch.testing.assert_close(found.cross, expected.cross, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.x.scatter, expected.x.scatter, rtol=0, atol=1e-10)
    assert len(found.folds) == len(expected.folds)
    for one, two in zip(found.held_out, expected.held_out, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-10)


def test_a_neuron_that_varies_in_the_part_left_out_alone_is_constant_without_it():
    frames = LAYERS["a"].clone()
    frames[PARTS != 1, 2] = 0.1
    layers = {"a": frames, "b": LAYERS["b"]}
    parts = []
    for part in range(5):
        made = Moments(SHIFT, [("a", "b")])
        made.update({name: x[part == PARTS] for name, x in layers.items()})
        parts.append(made)
    parted = GroupedMoments(parts, FOLDS)
    assert parted.whole.layer("a").varies.all()
    assert parted.weighted([1, 0, 1, 1, 1]).layer("a").varies.tolist() == [
        True,
        True,
        False,
        True,
        True,
    ]


def test_other_products_leave_the_layers_as_they_are(parted):
    turned = LAYERS["b"].roll(40, 0)
    fold_of = np.array(FOLDS)[PARTS]
    products = [
        (LAYERS["a"][fold_of == f] - SHIFT["a"]).T @ (turned[fold_of == f] - SHIFT["b"])
        for f in range(3)
    ]
    crossed = [
        ShiftedProducts(own, {("a", "b"): product})
        for own, product in zip(parted.by_fold, products, strict=True)
    ]
    whole = parted.whole
    found = whole.with_cross(crossed)
    assert found.layer("a") is whole.layer("a")
    expected = (LAYERS["a"] - SHIFT["a"]).T @ (turned - SHIFT["b"])
    torch.testing.assert_close(found.pair("a", "b").cross, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.pair("b", "a").cross, expected.T, rtol=0, atol=1e-10)


def test_halves_hold_each_neuron_once_but_for_an_odd_one(parted):
    pair = halves(parted.whole, "a", seed=4).pair("first", "second")
    scatter = parted.whole.layer("a").scatter
    assert pair.cross.shape == (2, 2)
    own = torch.cat([pair.x.scatter.diagonal(), pair.y.scatter.diagonal()])
    at = [int((scatter.diagonal() - each).abs().argmin()) for each in own]
    assert len(set(at)) == 4
    torch.testing.assert_close(pair.cross, scatter[at[:2]][:, at[2:]], rtol=0, atol=1e-10)
