"""Intervals of single neurons are the jackknife's of their scores without each group."""

import numpy as np
import oracles
import pytest
import torch
from material import make_layers, make_moments
from scipy import stats

from assonance.inference.resampling import Resampling
from assonance.measures import find
from assonance.scoring.frame_pass import FramePass
from assonance.scoring.pair_rules import PairRules
from assonance.settings import Settings
from assonance.utils.progress import Silent

SIZES = [17, 30, 12, 25, 40, 22, 16, 28, 35, 15]
GROUPS = np.repeat(range(len(SIZES)), SIZES)
WIDTHS = {"a": 5, "b": 4, "c": 6}
LAYERS = make_layers(WIDTHS, sum(SIZES))
SETTINGS = Settings("few", folds=3, groups=6, rotations=3, refit=True)
MEASURES = ["maxcorr", "mincorr", "maxcorr_rotated", "linreg", "linreg_heldout_r", "one_to_one"]
RESAMPLING = Resampling.of_groups(SIZES, range(len(SIZES)), SETTINGS)
PARTS = RESAMPLING.group_of_utterance
FOLDS = RESAMPLING.fold_of_utterance[GROUPS]
CELL = {"layer_row": "a", "layer_col": "b"}


class NotOfAAndC(PairRules):
    """Every pair has an interval but a and c."""

    def gets_interval(self, a, b):
        return (a, b) != ("a", "c")


class Arrays:
    """Plain arrays as a source of frames."""

    widths, sizes, units = WIDTHS, SIZES, list(range(len(SIZES)))

    def read(self, utterance, names):
        return {name: torch.from_numpy(LAYERS[name][utterance == GROUPS]) for name in names}

    def means(self):
        return {name: torch.from_numpy(x.mean(0)) for name, x in LAYERS.items()}


@pytest.fixture(scope="module")
def found():
    frame_pass = FramePass(
        Arrays(), find(MEASURES, ("neuron",)), SETTINGS, RESAMPLING, rules=NotOfAAndC()
    )
    return frame_pass.run(memory=1e9, progress=Silent())


@pytest.fixture(scope="module")
def bases():
    """Deviations of the neurons of a over the random bases of b."""
    (rotated,) = find(["maxcorr_rotated"], ("neuron",))
    return rotated.function(make_moments(LAYERS).pair("a", "b"), SETTINGS).deviations.numpy()


def without(score):
    """A score of a's neurons of all frames, and without each group in turn."""
    rest = [np.full(len(GROUPS), True)] + [PARTS[GROUPS] != part for part in range(6)]
    return np.array([score(LAYERS["a"][kept], LAYERS["b"][kept], FOLDS[kept]) for kept in rest])


def jackknife(scores):
    """From the definition: estimate, low and high of a last axis."""
    whole, rest = scores[0], scores[1:]
    count = len(rest)
    estimate = count * whole - (count - 1) * rest.mean(0)
    error = np.sqrt((count - 1) / count * ((rest - rest.mean(0)) ** 2).sum(0))
    reach = stats.t.ppf(0.975, count - 1) * error
    return np.stack([estimate, estimate - reach, estimate + reach], -1)


ORACLES = {
    "maxcorr": lambda x, y, folds: oracles.maxcorr(x, y),
    "linreg": lambda x, y, folds: oracles.linreg(x, y),
    "linreg_heldout_r": oracles.linreg_heldout_r,
}


@pytest.mark.parametrize("measure", ORACLES)
def test_it_is_the_jackknife_of_the_definition(found, measure):
    expected = jackknife(without(ORACLES[measure]))
    low = -1 if measure == "linreg_heldout_r" else 0
    single = found.single_intervals[measure].sel(CELL).values
    np.testing.assert_allclose(single[:5], np.clip(expected, low, 1), rtol=0, atol=1e-6)
    assert np.isnan(single[5:]).all()


def test_what_was_not_replicated_has_none(found):
    single = found.single_intervals
    for name in ("maxcorr", "localisation", "linreg"):
        assert single[name].sel(layer_row="a", layer_col="c").isnull().all()
        assert single[name].sel(layer_row="c", layer_col="a").isnull().all()
        assert single[name].sel(CELL)[:4].notnull().any()
    assert single["localisation"].sel(layer_row="b", layer_col="b").isnull().all()


def test_a_neurons_index_is_that_of_its_own_scores(found, bases):
    known = {
        name: found.singles[name][0, 1, :5].values
        for name in ("maxcorr", "maxcorr_rotated", "linreg_heldout_r")
    }
    best, rotated, whole = known.values()
    dataset = found.single_intervals
    estimate, low, high = dataset["localisation"].sel(CELL).values[:5].T
    room = whole - rotated
    assert (np.isnan(estimate) == (room < 0.01)).all()
    assert np.isfinite(estimate).any()
    here = np.isfinite(estimate)
    # The bases alone, beside which there are the groups.
    least = stats.t.ppf(0.975, 2) * np.sqrt(4 / 3) * bases / room
    assert ((high - low)[here] / 2 > least[here]).all()
    rounding = np.finfo(np.float32).eps * np.maximum(np.abs(low), np.abs(high))[here]
    assert (np.abs((high + low) / 2 - estimate)[here] <= rounding).all()
    index = (best - rotated) / room
    assert (np.abs(estimate - index)[here] < ((high - low) / 2)[here]).all()
