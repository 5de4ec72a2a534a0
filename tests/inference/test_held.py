"""Estimates with held coefficients follow their formulas, and replicates carry them."""

import numpy as np
import pytest
from scipy import stats

from assonance.inference.held import HeldEstimate, held_r, held_r2, matched, minus, ratio, refitted
from assonance.inference.intervals import jackknife

GROUPS, NEURONS = 8, 5


@pytest.fixture
def sums():
    rng = np.random.default_rng(0)
    variance = rng.uniform(1, 2, (GROUPS, NEURONS))
    return variance, variance * rng.uniform(0.5, 0.7, (GROUPS, NEURONS)), np.full(NEURONS, 0.4)


def test_the_error_is_the_geometric_mean_of_those_on_fitted_and_on_other_frames(sums):
    variance, errors, fitted = sums
    held_out = errors.sum(0) / variance.sum(0)
    found = held_r2(*sums)
    np.testing.assert_allclose(found.estimate, 1 - np.sqrt(fitted * held_out))
    arithmetic = (fitted + held_out) / 2
    np.testing.assert_allclose(found.doubt, arithmetic - np.sqrt(fitted * held_out))
    left = np.array(
        [
            1 - np.delete(errors, q, 0).sum(0) / np.delete(variance, q, 0).sum(0)
            for q in range(GROUPS)
        ]
    )
    shares = np.sqrt(fitted / held_out)
    np.testing.assert_allclose(found.deviations, shares * (left - left.mean(0)), atol=1e-12)


def test_white_frames_and_any_amount_of_overfitting_leave_no_bias():
    # Out of sample the error is σ²·m/(m − D − 1), in sample σ²(m − D)/m, for m white frames.
    rng, frames, width = np.random.default_rng(1), 400, 120
    slopes = rng.standard_normal(width) * 0.05
    truth = 1 / (1 + slopes @ slopes)
    found = []
    for _ in range(40):
        y = rng.standard_normal((2 * frames, width))
        x = y @ slopes + rng.standard_normal(2 * frames)
        fit = np.linalg.lstsq(y[:frames], x[:frames], rcond=None)[0]
        errors = (x - y @ fit).reshape(2, frames) ** 2
        scale = x.reshape(2, frames) ** 2
        groups = [each.reshape(GROUPS, -1).sum(1)[:, None] for each in (scale[1], errors[1])]
        found.append(held_r2(*groups, errors[:1].sum(1) / scale[:1].sum(1)).estimate[0])
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found) - (1 - truth)) < 4 * error
    assert error < 0.02


def test_the_jackknife_of_its_replicates_is_the_estimate_with_both_errors(sums):
    held, score = held_r2(*sums), np.linspace(0.1, 0.5, NEURONS)
    found = jackknife(score, np.moveaxis(held.replicates(score), 0, -1))
    np.testing.assert_allclose(found.estimate, held.estimate)
    np.testing.assert_allclose(found.error**2, held.variance + held.doubt**2)


def test_exact_replicates_come_back_as_they_were():
    rng = np.random.default_rng(2)
    score, replicates = rng.uniform(size=NEURONS), rng.uniform(size=(GROUPS, NEURONS))
    np.testing.assert_allclose(refitted(score, replicates).replicates(score), replicates)


def test_half_the_distance_to_the_held_out_match_is_doubt():
    rng = np.random.default_rng(2)
    score, replicates = rng.uniform(size=NEURONS), rng.uniform(size=(GROUPS, NEURONS))
    found, exact = matched(score, replicates, score - 0.06), refitted(score, replicates)
    np.testing.assert_array_equal(found.estimate, exact.estimate)
    np.testing.assert_array_equal(found.deviations, exact.deviations)
    np.testing.assert_allclose(found.doubt, 0.03)
    some = found.of(np.array([2, 0]))
    np.testing.assert_array_equal(some.deviations, found.deviations[:, [2, 0]])
    np.testing.assert_array_equal(some.estimate, found.estimate[[2, 0]])


def test_a_layer_is_corrected_by_what_its_sampled_neurons_are():
    rng = np.random.default_rng(3)
    scores = rng.uniform(size=NEURONS)
    deviations = rng.standard_normal((GROUPS, NEURONS))
    deviations -= deviations.mean(0)
    held = HeldEstimate(scores - 0.1, deviations, np.full(NEURONS, 0.02))
    layer = held.of_layer(0.7, scores)
    assert layer.estimate == pytest.approx(0.6)
    assert layer.doubt == pytest.approx(0.02)
    np.testing.assert_allclose(layer.deviations, deviations.mean(1))


def test_undefined_neurons_are_left_out_of_a_layer():
    scores = np.array([0.5, np.nan])
    held = HeldEstimate(scores - 0.1, np.zeros((GROUPS, 2)), np.zeros(2))
    assert held.of_layer(0.5, scores).estimate == pytest.approx(0.4)


def test_where_nothing_is_shared_the_root_is_0_on_average():
    rng = np.random.default_rng(4)
    count = 4000
    noise = rng.normal(0, 0.02, (GROUPS, count))
    deviations = (noise - noise.mean(0)) / np.sqrt(GROUPS * (GROUPS - 1))
    none = HeldEstimate(noise.mean(0), deviations, np.zeros(count))
    found = held_r(none).estimate
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(count)


def test_the_root_gives_back_what_bending_costs():
    r2, error = 0.25, 0.02
    size = error / np.sqrt(GROUPS - 1)
    deviations = np.repeat([[size], [-size]], GROUPS // 2, 0)
    held = HeldEstimate(np.array([r2]), deviations, np.zeros(1))
    assert held.variance == pytest.approx(error**2)
    # The second derivative of √R² is −1/4R³.
    assert held_r(held).estimate - 0.5 == pytest.approx(error**2 / 8 / r2**1.5, rel=0.02)


def test_a_ratio_varies_as_the_ratio_of_each_group_to_first_order():
    rng = np.random.default_rng(6)
    groups = rng.uniform(1, 1.01, (2, GROUPS))
    one, other = (refitted(each.mean(), _without(each)) for each in groups)
    found = ratio(minus(one, HeldEstimate(*np.zeros((3, 1)))), other, 0.1)
    left = _without(groups[0]) / _without(groups[1])
    np.testing.assert_allclose(found.deviations, left - left.mean(), atol=1e-6)
    assert found.estimate == pytest.approx(groups[0].mean() / groups[1].mean())
    assert np.isnan(ratio(one, other, 2.0).estimate)


def _without(values):
    return np.array([np.delete(values, q).mean() for q in range(len(values))])


def test_doubt_of_a_denominator_is_doubt_of_the_ratio():
    exact, doubtful = (
        HeldEstimate(np.array(value), np.zeros(GROUPS), np.array(doubt))
        for value, doubt in ((0.3, 0.0), (0.6, 0.06))
    )
    assert ratio(exact, doubtful, 0.01).doubt == pytest.approx(0.05)


def test_intervals_are_those_of_student():
    held = HeldEstimate(np.array(0.3), np.r_[0.1, -0.1, np.zeros(GROUPS - 2)], np.array(0.05))
    low, high = jackknife(np.array(0.5), held.replicates(0.5)).interval
    error = np.sqrt((GROUPS - 1) / GROUPS * 0.02 + 0.05**2)
    # Two groups alone vary: 2·2²/2 − 1 degrees of freedom.
    reach = stats.t.ppf(0.975, 3) * error
    assert (low, high) == pytest.approx((0.3 - reach, 0.3 + reach))
