"""float32 frames, multiplied in float32, against definitions in float64 where that is hard."""

import functools

import numpy as np
import oracles
import pytest
from material import make_groups, make_layers

from assonance import similarity_matrix
from assonance.inference.resampling import assign_folds
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
CLOSE = 1e-6
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
        more = [assign_folds(np.bincount(groups), CHOICES.folds, CHOICES.seed)[groups]]
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
    layers, groups = material(case)
    found = similarity_matrix(layers, [measure], groups=groups)[measure]
    for a, b in WAYS[: 1 if MEASURES[measure].symmetric else 2]:
        expected = by_definition(measure, layers[a], layers[b], groups)
        score = float(found.sel(layer_row=a, layer_col=b))
        assert score == pytest.approx(expected, abs=CLOSE)


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
