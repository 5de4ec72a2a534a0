"""Ridge regression: errors and predictions of every strength, and the choice among them."""

import numpy as np
import oracles
import pytest
import torch
from material import make_folds, make_groups, make_layers, make_moments

from assonance.statistics.ridge import STRENGTHS, RidgePath, choose_strengths, ridge_held_out

FRAMES = 200
GROUPS = make_groups(FRAMES)
FOLDS = make_folds(GROUPS, 5, 0)
LAYERS = make_layers({"a": 4, "b": 9}, frames=FRAMES, mean=2)


def folds_of(layers=LAYERS):
    return make_moments(layers, FOLDS).pair("a", "b").folds


def left(strength, fold):
    """Held-out neurons minus their predictions, from the frames."""
    train, test = fold != FOLDS, fold == FOLDS
    return oracles.ridge(LAYERS["a"], LAYERS["b"], train, test, strength)


def target(fold):
    x = LAYERS["a"]
    return x[fold == FOLDS] - x[fold != FOLDS].mean(0)


@pytest.mark.parametrize("fold", [0, 3])
def test_errors_of_all_strengths_are_those_of_the_frames_up_to_a_constant(fold):
    here = folds_of()[fold]
    weights = torch.arange(1, 5, dtype=torch.float64)
    found = RidgePath(here.training).errors(here.held_out, weights)
    expected = [(left(each, fold) ** 2).sum(0) @ weights.numpy() for each in STRENGTHS]
    constant = (target(fold) ** 2).sum(0) @ weights.numpy()
    np.testing.assert_allclose(found + constant, expected, rtol=1e-8)


@pytest.mark.parametrize("strength", [STRENGTHS[0], STRENGTHS[12], STRENGTHS[-1]])
def test_predictions_are_those_of_the_frames(strength):
    here = folds_of()[1]
    covariance, predicted = RidgePath(here.training).predict(here.held_out, strength)
    predictions = target(1) - left(strength, 1)
    np.testing.assert_allclose(covariance, (target(1) * predictions).sum(0), rtol=1e-8)
    np.testing.assert_allclose(predicted, (predictions**2).sum(0), rtol=1e-8)


def test_held_out_sums_give_the_share_of_variance_predicted():
    variance, covariance, predicted = ridge_held_out(folds_of())
    found = (2 * covariance - predicted) / variance
    expected = oracles.ridge_heldout(LAYERS["a"], LAYERS["b"], FOLDS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_the_held_out_fold_does_not_affect_its_strength():
    layers = make_layers({"a": 6, "b": 15}, frames=FRAMES)
    before = choose_strengths(make_moments(layers, FOLDS).pair("a", "b").folds)
    rng = np.random.default_rng(0)
    for values in layers.values():
        values[FOLDS == 2] = 30 * rng.standard_normal((int((FOLDS == 2).sum()), values.shape[1]))
    after = choose_strengths(make_moments(layers, FOLDS).pair("a", "b").folds)
    assert before[2] == after[2]
    assert before != after
