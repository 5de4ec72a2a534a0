"""Sums over frames of a tile: in total, without a jackknife group, and with columns shifted."""

import numpy as np
import pytest
import torch
from material import make_layers

from assonance.inference.resampling import Resampling
from assonance.scoring.frame_source import FrameReader
from assonance.scoring.frame_sums import FrameSums
from assonance.scoring.layer_sums import SumsPlan
from assonance.scoring.tiles import Tile

SIZES = [17, 30, 12, 25]
UTTERANCES = np.repeat(range(4), SIZES)
GROUPS = np.array([0, 1, 2, 0])
LAYERS = make_layers({"a": 3, "b": 2}, sum(SIZES))


class Arrays:
    """Plain arrays as a source of frames."""

    widths, sizes, units = {"a": 3, "b": 2}, SIZES, range(4)

    def read(self, utterance, names):
        return {name: torch.from_numpy(LAYERS[name][utterance == UTTERANCES]) for name in names}

    def means(self):
        return {name: torch.from_numpy(x.mean(0)) for name, x in LAYERS.items()}


@pytest.fixture(scope="module")
def sums():
    plan = SumsPlan(
        resampling=Resampling(GROUPS, np.zeros(3, dtype=np.int64)),
        means=Arrays().means(),
        needs={"moments"},
        sampled=np.arange(5),
    )
    tile = Tile(("a", "b"), (("a", "b"),))
    return FrameSums(FrameReader(Arrays(), "cpu"), plan, tile, map, lambda pairs: None)


def products(rows):
    x, y = (layer[rows] - layer[rows].mean(0) for layer in LAYERS.values())
    return x.T @ y


def test_the_full_view_has_all_frames(sums):
    everything = np.full(len(UTTERANCES), True)
    np.testing.assert_allclose(sums.full.pair("a", "b").cross, products(everything), atol=1e-9)


@pytest.mark.parametrize("group", range(3))
def test_a_group_of_weight_zero_is_left_out(sums, group):
    view = sums.weighted([int(each != group) for each in range(3)])
    rest = GROUPS[UTTERANCES] != group
    np.testing.assert_allclose(view.pair("a", "b").cross, products(rest), atol=1e-9)


def test_sums_of_utterances_are_squared_about_the_mean(sums):
    centred = LAYERS["a"] - LAYERS["a"].mean(0)
    expected = sum(centred[each == UTTERANCES].sum(0) ** 2 for each in range(4))
    np.testing.assert_allclose(sums.layers["a"].utterance_squares, expected, rtol=1e-9)


def test_shifted_columns_are_those_of_later_utterances(sums):
    order = np.concatenate([np.flatnonzero(each == UTTERANCES) for each in (2, 3, 0, 1)])
    x = LAYERS["a"] - LAYERS["a"].mean(0)
    y = LAYERS["b"][order] - LAYERS["b"].mean(0)
    found = sums.shifted(0.5, [("a", "b")]).pair("a", "b").cross
    # Products of a null are computed in float32.
    np.testing.assert_allclose(found, x.T @ y, atol=1e-3)
