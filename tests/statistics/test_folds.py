"""Folds: the statistics of each are those of its frames alone."""

import numpy as np
import pytest
from material import make_folds, make_groups, make_layers, make_moments

from assonance.statistics import FoldedMoments, Moments

FRAMES = 90
LAYERS = make_layers({"a": 4, "b": 6}, frames=FRAMES, mean=3)
FOLDS = make_folds(make_groups(FRAMES), 3, 0)


def test_statistics_of_a_layer_are_those_of_its_frames():
    layer = make_moments(LAYERS, FOLDS).layer("a")
    assert layer.n == FRAMES
    np.testing.assert_allclose(layer.shift + layer.mean, LAYERS["a"].mean(0), rtol=1e-12)
    expected = np.cov(LAYERS["a"], rowvar=False) * (FRAMES - 1)
    np.testing.assert_allclose(layer.scatter, expected, rtol=1e-10)


def assert_pair_is_of(pair, row, column):
    for layer, frames in ((pair.x, row), (pair.y, column)):
        assert layer.n == len(frames)
        np.testing.assert_allclose(layer.shift + layer.mean, frames.mean(0), rtol=1e-12)
    both = np.cov(row, column, rowvar=False) * (len(row) - 1)
    width = row.shape[1]
    close = {"rtol": 0, "atol": 1e-10 * both.max()}
    np.testing.assert_allclose(pair.x.scatter, both[:width, :width], **close)
    np.testing.assert_allclose(pair.y.scatter, both[width:, width:], **close)
    np.testing.assert_allclose(pair.cross, both[:width, width:], **close)


@pytest.mark.parametrize(("row", "column"), [("a", "b"), ("b", "a"), ("a", "a")])
def test_a_pair_has_the_statistics_of_all_frames_and_of_both_sides_of_each_fold(row, column):
    pair = make_moments(LAYERS, FOLDS).pair(row, column)
    row, column = LAYERS[row], LAYERS[column]
    assert_pair_is_of(pair, row, column)
    assert len(pair.folds) == 3
    for number, fold in enumerate(pair.folds):
        test = number == FOLDS
        assert_pair_is_of(fold.held_out, row[test], column[test])
        assert_pair_is_of(fold.training, row[~test], column[~test])


def test_a_swapped_pair_has_rows_and_columns_exchanged():
    moments = make_moments(LAYERS, FOLDS)
    swapped = moments.pair("a", "b", ("sample of a", "sample of b")).swapped()
    assert swapped.sample == ("sample of b", "sample of a")
    assert_pair_is_of(swapped, LAYERS["b"], LAYERS["a"])
    for number, fold in enumerate(swapped.folds):
        test = number == FOLDS
        assert_pair_is_of(fold.held_out, LAYERS["b"][test], LAYERS["a"][test])
        assert_pair_is_of(fold.training, LAYERS["b"][~test], LAYERS["a"][~test])


def test_without_folds_nothing_is_held_out():
    assert make_moments(LAYERS).pair("a", "b").folds == ()


def test_folds_without_frames_are_dropped():
    folds = make_moments(LAYERS, FOLDS).folds
    empty = Moments(folds[0].shift, folds[0].pairs)
    pair = FoldedMoments([empty, *folds]).pair("a", "b")
    assert len(pair.folds) == 3
    assert_pair_is_of(pair, LAYERS["a"], LAYERS["b"])


def test_layers_are_computed_once_for_all_their_pairs():
    moments = make_moments(LAYERS, FOLDS)
    one, two = moments.pair("a", "b"), moments.pair("b", "a")
    assert one.x is two.y is moments.layer("a")
    assert one.folds[1].training.y is two.folds[1].training.x


def test_a_layer_may_have_any_name():
    moments = make_moments({"parts": LAYERS["a"], "_lock": LAYERS["b"]}, FOLDS)
    assert_pair_is_of(moments.pair("parts", "_lock"), LAYERS["a"], LAYERS["b"])
