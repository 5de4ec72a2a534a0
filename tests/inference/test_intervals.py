"""The localisation index on made-up layers whose truth is known."""

import numpy as np
import pytest

from assonance import similarity_matrix
from assonance.inference.intervals import effective_degrees, jackknife
from assonance.inference.localisation import localisation_index

WIDTH, FRAMES = 64, 4000
GROUPS = np.repeat(np.arange(20), FRAMES // 20)
MEASURES = ("maxcorr", "maxcorr_rotated", "linreg_heldout_r")


def make_layer(correlated, seed=0):
    rng = np.random.default_rng(seed)
    layer = rng.standard_normal((FRAMES, WIDTH))
    if correlated:
        decay = np.arange(1, WIDTH + 1) ** -0.5
        axes = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0]
        layer = layer * decay @ axes
    return layer / layer.std(0)


def rotated(layer, seed=1):
    normal = np.random.default_rng(seed).standard_normal((layer.shape[1],) * 2)
    return layer @ np.linalg.qr(normal)[0]


def noisy(layer, noise, seed=2):
    return layer + noise * layer.std(0) * np.random.default_rng(seed).standard_normal(layer.shape)


def index_of(row, column):
    scores = similarity_matrix(
        {"row": row, "column": column}, MEASURES, groups=GROUPS, per_neuron=True
    ).sel(layer_row="row", layer_col="column")
    return localisation_index(*(scores[f"{name}_by_neuron"].values for name in MEASURES))


# Uneven spectra move the index a little either way: standardising a rotated layer evens its
# spectrum and lowers its floor, noise hides weak directions from the whole layer.
@pytest.mark.parametrize(("correlated", "about"), [(True, 0.04), (False, 0.01)])
@pytest.mark.parametrize("noise", [0, 0.3, 1])
def test_a_space_shared_in_unrelated_bases_is_not_localised(correlated, about, noise):
    layer = make_layer(correlated)
    found = [index_of(layer, noisy(rotated(layer, seed), noise)) for seed in range(1, 7)]
    assert np.mean(found) == pytest.approx(0, abs=about)


@pytest.mark.parametrize(("noise", "expected"), [(0, 0.5), (0.3, 0.5), (1, 0.4)])
def test_half_the_axes_shared_are_half_localised(noise, expected):
    layer = make_layer(correlated=True)
    half = np.hstack([layer[:, : WIDTH // 2], rotated(layer[:, WIDTH // 2 :])])
    assert index_of(layer, noisy(half, noise)) == pytest.approx(expected, abs=0.07)


@pytest.mark.parametrize("correlated", [True, False])
def test_all_axes_shared_are_wholly_localised(correlated):
    layer = make_layer(correlated)
    assert index_of(layer, layer) == pytest.approx(1, abs=1e-6)
    assert index_of(layer, noisy(layer, 0.3)) > 0.95


def test_noise_that_halves_the_best_match_hardly_moves_the_index():
    layer = make_layer(correlated=False)
    noise = noisy(layer, 1.5)
    best = similarity_matrix({"row": layer, "column": noise}, ["maxcorr"])["maxcorr"]
    assert best.sel(layer_row="row", layer_col="column") < 0.6
    assert index_of(layer, noise) > 0.9


def test_the_order_of_neurons_is_of_no_consequence():
    layer = make_layer(correlated=True)
    other = noisy(layer, 0.5)
    before = index_of(layer, other)
    order = np.random.default_rng(3).permutation(WIDTH)
    assert index_of(layer[:, order], other) == pytest.approx(before, abs=1e-9)
    # Rotations are drawn anew where columns move: equal up to the draw.
    assert index_of(layer, other[:, order]) == pytest.approx(before, abs=0.02)


def test_layers_that_share_nothing_have_no_index():
    assert np.isnan(index_of(make_layer(True), make_layer(True, seed=9)))


# The ratio itself


def test_the_index_is_a_ratio_of_sums_not_a_mean_of_ratios():
    best, floor, whole = np.array([0.9, 0.3]), np.array([0.5, 0.2]), np.array([0.9, 0.7])
    assert localisation_index(best, floor, whole) == pytest.approx(0.5 / 0.9)


@pytest.mark.parametrize("undefined", range(3))
def test_a_neuron_that_lacks_a_score_is_left_out_of_all_sums(undefined):
    scores = [np.array([0.6, 0.9]), np.array([0.2, 0.1]), np.array([1.0, 0.2])]
    scores[undefined][1] = np.nan
    assert localisation_index(*scores) == pytest.approx(0.5)


def test_neurons_matched_worse_than_by_chance_are_below_zero():
    assert localisation_index(np.array([0.1]), np.array([0.2]), np.array([0.4])) < 0


@pytest.mark.parametrize(
    ("whole", "defined"), [(0.5, False), (0.509, False), (0.4, False), (0.511, True)]
)
def test_an_index_without_room_is_nan(whole, defined):
    found = localisation_index(np.array([0.6]), np.array([0.5]), np.array([whole]))
    assert np.isfinite(found) == defined


def test_no_neuron_has_no_index():
    nothing = np.full(3, np.nan)
    assert np.isnan(localisation_index(nothing, nothing, nothing))
    assert np.isnan(localisation_index(*[np.array([])] * 3))


# Student's t


def test_equal_deviations_have_all_degrees_of_freedom():
    assert effective_degrees(np.array([1.0, -1.0] * 10)) == 19
    assert effective_degrees(np.zeros(20)) == 19


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_few_large_deviations_have_few_degrees_of_freedom(scale):
    deviations = np.array([3.0, -1.0, -2.0, *[0.0] * 17]) * scale
    # 2·14²/(81 + 1 + 16) − 1
    assert effective_degrees(deviations) == pytest.approx(3)
    assert effective_degrees(np.array([19.0, *[-1.0] * 19])) == pytest.approx(1.216, abs=1e-3)


@pytest.mark.parametrize("sizes", [[6.0] * 3 + [1.0] * 17, [1.0] * 20, [3.0] * 8 + [1.0] * 12])
def test_degrees_of_freedom_are_about_those_of_the_variance_where_units_are_unequal(sizes):
    # Satterthwaite's 2V²/Var(V), V the sum of squares, from many draws.
    deviations = np.random.default_rng(0).standard_normal((20_000, 20)) * sizes
    squares = np.square(deviations).sum(1)
    true = 2 * squares.mean() ** 2 / squares.var()
    assert 0.6 < effective_degrees(deviations).mean() / true < 1.4


def test_an_interval_is_wider_where_few_groups_dominate():
    even, uneven = np.array([1.0, -1.0] * 10), np.array([10**0.5, -(10**0.5), *[0.0] * 18])
    (low, high), (lower, higher) = (
        jackknife(np.array(0.0), each).interval for each in (even, uneven)
    )
    assert np.isclose((even**2).sum(), (uneven**2).sum())
    assert higher - lower > 1.4 * (high - low)
