"""Regression predicts what is linear, in sample and held out, and admits what is not."""

import numpy as np
import pytest

from assonance import similarity

RNG = np.random.default_rng(2)
GROUPS = np.repeat(range(30), 20)
Y = RNG.standard_normal((600, 8))
X = Y @ RNG.standard_normal((8, 4)) + 2
HELD_OUT = ["linreg_heldout", "linreg_heldout_r", "ridge_heldout"]


@pytest.mark.parametrize("measure", ["linreg", "linreg_r2", *HELD_OUT])
def test_linear_maps_of_a_layer_are_predicted_completely(measure):
    assert similarity(X, Y, measure, groups=GROUPS) == pytest.approx(1, abs=1e-4)


def test_in_sample_scores_are_those_of_least_squares():
    noisy = X + RNG.standard_normal(X.shape) * X.std(0)
    design = np.column_stack([Y, np.ones(len(Y))])
    rest = noisy - design @ np.linalg.lstsq(design, noisy, rcond=None)[0]
    r2 = 1 - rest.var(0) / noisy.var(0)
    assert similarity(noisy, Y, "linreg_r2") == pytest.approx(r2.mean(), abs=1e-9)
    assert similarity(noisy, Y, "linreg") == pytest.approx(np.sqrt(r2).mean(), abs=1e-9)


def test_unrelated_layers_are_overfitted_in_sample_and_not_held_out():
    noise = RNG.standard_normal((600, 4))
    assert similarity(noise, Y, "linreg_r2") > 0
    assert similarity(noise, Y, "linreg_heldout", groups=GROUPS) < 0
    assert abs(similarity(noise, Y, "linreg_heldout_r", groups=GROUPS)) < 0.15
