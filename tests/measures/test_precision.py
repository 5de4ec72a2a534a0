"""float32 frames against definitions in float64 where that is hard, however products round."""

import functools

import numpy as np
import oracles
import pytest
import torch
from material import make_folds, make_groups, make_layers

from assonance import similarity_matrix
from assonance.measures import MEASURES
from assonance.measures.neurons import rotations
from assonance.settings import SETTINGS
from assonance.statistics.layer import SMALL

OF_MOMENTS = [
    name
    for name, each in MEASURES.items()
    if each.needs in ("moments", "folds", "norms", "blocks") and not each.across
]
CHOICES = SETTINGS["default"]
CLOSE = 1e-6  # what docs/architecture.md promises, and derives, under "Precision"
WAYS = (("a", "b"), ("b", "a"))
# With as many directions as frames most canonical correlations are 1, their directions any, and
# what depends on single directions is not defined.
ANY_DIRECTIONS = ("pwcca", "pwcca_mean", "cca_heldout")


def far_from_zero(layers):
    """Means of a thousand deviations."""
    rng = np.random.default_rng(1)
    for values in layers.values():
        values += 1e3 * values.std(0) * rng.choice([-1, 1], values.shape[1])


def one_large(layers):
    """One neuron ten thousand times the others."""
    for values in layers.values():
        values[:, 2] *= 1e4


def two_nearly_equal(layers):
    """Two neurons that differ by a thousandth of their deviation."""
    rng = np.random.default_rng(2)
    for values in layers.values():
        values[:, 1] = values[:, 0] + 1e-3 * values[:, 0].std() * rng.standard_normal(len(values))


def one_constant(layers):
    """A neuron that never changes."""
    for values in layers.values():
        values[:, 3] = 0.7


def nothing(layers):
    """Nothing hard."""


CASES = {
    "plain": (nothing, 240),
    "means of a thousand deviations": (far_from_zero, 240),
    "one neuron times ten thousand": (one_large, 240),
    "two neurons nearly equal": (two_nearly_equal, 240),
    "fewer frames than neurons": (nothing, 30),
    "a constant neuron": (one_constant, 240),
}


# How products in float32 round differs from one processor and library to another. So many frames at
# a time are added up in float32 (1: one after the other, the roughest way; None: as the library
# does), in an order drawn by a seed.
ROUNDINGS = {
    "as it comes": (None, None),
    "one by one": (1, None),
    "one by one, another order": (1, 1),
    "by eights": (8, 2),
    "by sixty-fours": (64, 3),
    "another order": (None, 4),
}
MULTIPLY = torch.mm


def in_blocks(size):
    """Make a product that adds up so many rows at a time in float32."""

    def multiply(a, b, *, out):
        if a.dtype == torch.float64:
            return MULTIPLY(a, b, out=out)
        out.zero_()
        for start in range(0, a.shape[1], size):
            out += MULTIPLY(a[:, start : start + size], b[start : start + size])
        return out

    return multiply


def in_order(seed, layers, groups):
    """Put the frames of every group into an order drawn by a seed: no definition asks for one."""
    if seed is None:
        return layers, groups
    order = np.random.default_rng(seed).permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    return {name: values[order] for name, values in layers.items()}, groups[order]


@functools.cache
def material(case):
    """Layers in float32, and the group of each frame."""
    spoil, frames = CASES[case]
    layers = make_layers({"a": 35, "b": 45}, frames=frames, signals=12, seed=7)
    spoil(layers)
    return {name: values.astype(np.float32) for name, values in layers.items()}, make_groups(frames)


def by_definition(measure, x, y, groups):
    varying = [values[:, np.ptp(values, axis=0) > 0].astype(np.float64) for values in (x, y)]
    more = []
    if MEASURES[measure].needs == "folds":
        more = [make_folds(groups, CHOICES.folds, CHOICES.seed)]
    elif MEASURES[measure].needs == "blocks":
        more = [groups]
    elif measure == "maxcorr_rotated":
        drawn = rotations(varying[1].shape[1], CHOICES.rotations, CHOICES.seed)
        more = [[rotation.numpy() for rotation in drawn]]
    return np.nanmean(getattr(oracles, measure)(*varying, *more))


@pytest.mark.filterwarnings("ignore::assonance.AssonanceWarning")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("measure", OF_MOMENTS)
def test_float32_frames_are_scored_to_the_sixth_decimal(measure, case, monkeypatch):
    if case == "fewer frames than neurons" and measure in ANY_DIRECTIONS:
        pytest.skip("not defined there")
    # As if the layers were too wide to be multiplied in float64.
    monkeypatch.setattr("assonance.statistics.moments.SMALL", 0)
    monkeypatch.setattr("assonance.scoring.layer_sums.SMALL", 0)
    layers, groups = material(case)
    ways = WAYS[: 1 if MEASURES[measure].symmetric else 2]
    expected = [by_definition(measure, layers[a], layers[b], groups) for a, b in ways]
    for size, order in ROUNDINGS.values():
        some, labels = in_order(order, layers, groups)
        with monkeypatch.context() as patched:
            if size:
                patched.setattr("assonance.statistics.moments.torch.mm", in_blocks(size))
            found = similarity_matrix(some, [measure], groups=labels)[measure]
        scores = [float(found.sel(layer_row=a, layer_col=b)) for a, b in ways]
        assert scores == pytest.approx(expected, abs=CLOSE)


@pytest.mark.parametrize(
    "measure", ["maxcorr", "linreg", "linreg_heldout", "svcca", "pwcca", "cca_heldout", "cka"]
)
def test_wide_layers_are_scored_in_float32_to_the_sixth_decimal(measure):
    layers, groups = wide_layers()
    found = similarity_matrix(layers, [measure], groups=groups)[measure]
    expected = by_definition(measure, layers["a"], layers["b"], groups)
    score = float(found.sel(layer_row="a", layer_col="b"))
    assert score == pytest.approx(expected, abs=CLOSE)
    assert score != similarity_matrix(exactly(layers), [measure], groups=groups)[measure][0, 1]


@functools.cache
def wide_layers():
    widths = {"a": SMALL + 40, "b": SMALL + 20}
    layers = make_layers(widths, frames=2000, signals=100, seed=5)
    return {name: values.astype(np.float32) for name, values in layers.items()}, make_groups(2000)


def exactly(layers):
    return {name: values.astype(np.float64) for name, values in layers.items()}


WIDE_MEASURES = ["maxcorr", "linreg", "linreg_heldout", "svcca", "pwcca", "cka", "cca_mean"]


@functools.cache
def steep_layers():
    """Wide layers whose spectrum falls as i⁻⁴, which share their signals."""
    rng = np.random.default_rng(11)
    shared = rng.standard_normal((1500, SMALL + 40))
    layers = {}
    for name, width in {"a": SMALL + 40, "b": SMALL + 20}.items():
        signals = shared[:, :width] + rng.standard_normal((1500, width))
        turn = np.linalg.qr(rng.standard_normal((width, width)))[0]
        layers[name] = ((signals * np.arange(1, width + 1) ** -2.0) @ turn).astype(np.float32)
    return layers, make_groups(1500)


@pytest.mark.parametrize("measure", ["linreg", "linreg_r2", "cca_mean", "cca_r2", "svcca", "pwcca"])
def test_a_steep_spectrum_is_scored_to_the_sixth_decimal(measure):
    layers, groups = steep_layers()
    found = similarity_matrix(layers, [measure], per_neuron=True)
    score = float(found[measure].sel(layer_row="a", layer_col="b"))
    expected = by_definition(measure, layers["a"], layers["b"], groups)
    assert score == pytest.approx(expected, abs=CLOSE)
    if MEASURES[measure].level == "neuron":
        each = found[f"{measure}_by_neuron"].sel(layer_row="a", layer_col="b")
        exact = oracles.linreg(layers["a"], layers["b"]) ** (2 if measure == "linreg_r2" else 1)
        np.testing.assert_allclose(each, exact, rtol=0, atol=CLOSE)


@pytest.mark.parametrize("make", [wide_layers, steep_layers])
def test_other_measures_move_no_score_beyond_the_promise_and_other_layers_no_bit(make):
    layers, groups = make()
    together = similarity_matrix(layers, WIDE_MEASURES, groups=groups)
    for measure in ("linreg", "linreg_heldout", "pwcca", "cca_mean"):
        alone = similarity_matrix(layers, [measure], groups=groups)
        # Held-out measures split the sums into folds, so products are added in another order. Both
        # scores are within the promise of one and the same truth.
        np.testing.assert_allclose(alone[measure], together[measure], rtol=0, atol=2 * CLOSE)
    other = np.random.default_rng(3).standard_normal((len(groups), SMALL + 8)).astype(np.float32)
    more = {**layers, "c": other, "d": layers["b"][:, :9]}
    few, many = (
        similarity_matrix(each, ["linreg", "pwcca"], groups=groups) for each in (layers, more)
    )
    for measure in ("linreg", "pwcca"):
        found = many[measure].sel(layer_row=["a", "b"], layer_col=["a", "b"])
        np.testing.assert_array_equal(found, few[measure])


def test_pwcca_of_wide_layers_bears_any_order_of_frames():
    layers, groups = wide_layers()
    expected = [by_definition("pwcca", layers[a], layers[b], groups) for a, b in WAYS]
    for seed in range(4):
        some, labels = in_order(seed, layers, groups)
        found = similarity_matrix(some, ["pwcca"], groups=labels)["pwcca"]
        scores = [float(found.sel(layer_row=a, layer_col=b)) for a, b in WAYS]
        assert scores == pytest.approx(expected, abs=CLOSE)
