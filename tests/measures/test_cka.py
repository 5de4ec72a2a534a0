"""CKA has its closed forms, and the unbiased kinds are about 0 for unrelated layers."""

import numpy as np
import pytest

from assonance import similarity

RNG = np.random.default_rng(0)
X = RNG.standard_normal((400, 6))
ROTATION = np.linalg.qr(RNG.standard_normal((6, 6)))[0]


@pytest.mark.parametrize("measure", ["cka", "cka_debiased", "cka_rbf"])
def test_a_rotated_and_scaled_layer_scores_one(measure):
    assert similarity(X, 3 * X @ ROTATION + 1, measure) == pytest.approx(1, abs=1e-9)


def test_cka_of_a_part_of_equal_and_uncorrelated_neurons_is_the_root_of_its_share():
    whitened = np.linalg.qr(X - X.mean(0))[0]
    assert similarity(whitened, whitened[:, :2], "cka") == pytest.approx(np.sqrt(2 / 6), abs=1e-9)


def test_scales_of_neurons_decide_cka_and_not_its_standardised_kind():
    scaled = X * [100, 1, 1, 1, 1, 1]
    assert similarity(X, scaled, "cka") < 0.6
    assert similarity(X, scaled, "cka_standardized") == pytest.approx(1, abs=1e-9)


def test_unbiased_kinds_are_about_zero_for_unrelated_layers():
    groups = np.repeat(range(40), 10)
    other = RNG.standard_normal((400, 6))
    biased = similarity(X, other, "cka")
    for measure in ("cka_debiased", "cka_utterance"):
        assert abs(similarity(X, other, measure, groups=groups)) < biased
