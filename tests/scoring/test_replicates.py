"""Scores of layers again and again: those of all frames, where the frames are all frames."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from material import make_layers, make_moments

from assonance.measures import MEASURES as MEASURES_OF
from assonance.measures import find
from assonance.scoring.replicates import ReplicateScores
from assonance.scoring.scores import Scores
from assonance.settings import Settings

SETTINGS = Settings("few", rotations=2)
WIDTHS = {"a": 3, "b": 5, "c": 4}
MOMENTS = make_moments(make_layers(WIDTHS, frames=80))
NEURONS = ["maxcorr", "mincorr", "maxcorr_rotated", "linreg", "one_to_one"]
MEASURES = find([*NEURONS, "cka", "pwcca"], ("neuron", "layer"))


@pytest.fixture(scope="module")
def whole():
    scores = Scores(WIDTHS, MEASURES)
    for a, b in combinations_with_replacement(WIDTHS, 2):
        scores.add(a, b, MOMENTS.pair(a, b), SETTINGS)
    return scores


def repeated(whole, repeats, neurons=True):
    scores = ReplicateScores(WIDTHS, MEASURES, whole.others, repeats, whole if neurons else None)
    for repeat in range(repeats):
        for a, b in combinations_with_replacement(WIDTHS, 2):
            scores.add(a, b, repeat, MOMENTS.pair(a, b), SETTINGS)
        for column in WIDTHS:
            scores.add_rows(
                list(WIDTHS), column, repeat, MOMENTS.stack(list(WIDTHS), column), SETTINGS
            )
    return scores


def test_every_repeat_of_the_same_frames_has_their_scores(whole):
    found, expected = repeated(whole, 2).dataset("group"), whole.dataset()
    assert set(found) == {*NEURONS, "cka", "pwcca", "localisation"}
    for name, scores in found.items():
        assert scores.dims == (*expected[name].dims, "group")
        for group in range(2):
            np.testing.assert_allclose(scores.isel(group=group), expected[name], rtol=0, atol=1e-9)


def test_neurons_that_no_repeat_moves_are_sure_but_for_random_bases(whole):
    found, expected = repeated(whole, 3).neuron_dataset(), whole.neuron_dataset()
    # A lowest match over all layers has no interval.
    alone = [name for name in NEURONS if not MEASURES_OF[name].across]
    assert set(found) == {*alone, "localisation"}
    for name in alone:
        for number in range(3):
            np.testing.assert_allclose(
                found[name].isel(statistic=number),
                expected[name],
                rtol=0,
                atol=1e-6,
            )
    estimate, low, high = found["localisation"].sel(layer_row="a", layer_col="b").values[:3].T
    assert (low < estimate).all()
    assert (estimate < high).all()


def test_nothing_is_labelled_where_nothing_was_repeated(whole):
    assert not repeated(whole, 0).dataset("group")
    assert not repeated(whole, 0).neuron_dataset()
    assert not repeated(whole, 2, neurons=False).neuron_dataset()
