"""Measures of frames against frames: definitions, ties, and what is known of them."""

from dataclasses import replace

import numpy as np
import oracles
import pytest
import torch
from material import make_layers
from scipy.spatial.distance import pdist, squareform
from scipy.stats import ortho_group, spearmanr
from sklearn.neighbors import NearestNeighbors

from assonance import similarity, similarity_matrix
from assonance.settings import SETTINGS
from assonance.statistics import KernelSample

FRAMES = 120
CLOSE = {"rtol": 0, "atol": 1e-9}
MEASURES = ["rsa", "mutual_knn", "distance_correlation"]


@pytest.fixture(scope="module", params=[0.0, 1e4], ids=["plain", "large means"])
def layers(request):
    return make_layers({"a": 7, "b": 12, "c": 9}, frames=FRAMES, mean=request.param)


@pytest.mark.parametrize("measure", MEASURES)
def test_measures_of_frames_are_what_they_are_defined_as(measure, layers):
    found = similarity_matrix(layers, [measure])[measure]
    for row in layers:
        for col in layers:
            expected = getattr(oracles, measure)(layers[row], layers[col])
            np.testing.assert_allclose(found.sel(layer_row=row, layer_col=col), expected, **CLOSE)


@pytest.mark.parametrize("measure", MEASURES)
def test_only_sampled_frames_are_compared(measure, layers):
    choices = replace(SETTINGS["default"], sample_frames=50, seed=3)
    found = similarity(layers["a"], layers["b"], measure, settings=choices)
    rows = np.sort(np.random.default_rng(3).choice(FRAMES, 50, replace=False))
    expected = getattr(oracles, measure)(layers["a"][rows], layers["b"][rows])
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_order_of_frames_is_of_no_consequence(measure, layers):
    order = np.random.default_rng(0).permutation(FRAMES)
    found = similarity(layers["a"][order], layers["b"][order], measure)
    assert found == pytest.approx(similarity(layers["a"], layers["b"], measure), abs=1e-12)


def test_neighbours_are_those_of_scikit_learn(layers):
    near = []
    for name in "ab":
        trees = NearestNeighbors(n_neighbors=10).fit(layers[name])
        near.append(trees.kneighbors(return_distance=False))
    shared = [len({*x} & {*y}) / 10 for x, y in zip(*near, strict=True)]
    found = similarity(layers["a"], layers["b"], "mutual_knn")
    assert found == pytest.approx(np.mean(shared), abs=1e-12)


@pytest.mark.parametrize(("frames", "count"), [(3, 1), (6, 2), (20, 9), (21, 10)])
def test_few_frames_have_fewer_neighbours_than_there_are_others(frames, count):
    layers = make_layers({"a": 4, "b": 5}, frames=frames, seed=1)
    found = similarity(layers["a"], layers["b"], "mutual_knn")
    near = KernelSample(torch.from_numpy(layers["a"])).nearest(count)
    assert (near.sum(1) == count).all()
    assert found == pytest.approx(oracles.mutual_knn(layers["a"], layers["b"], count), abs=1e-12)


def test_neighbours_of_unrelated_layers_are_shared_by_chance():
    rng = np.random.default_rng(0)
    row, column = rng.standard_normal((2, 800, 30))
    assert similarity(row, column, "mutual_knn") == pytest.approx(10 / 799, abs=0.004)


@pytest.mark.parametrize("rho", [0.2, 0.6, 0.9])
def test_distance_correlation_of_normal_variables_is_as_published(rho):
    """Székely et al. 2007, theorem 7."""
    rng = np.random.default_rng(0)
    x, other = rng.standard_normal((2, 2000, 1))
    y = rho * x + np.sqrt(1 - rho**2) * other
    above = rho * np.arcsin(rho) + np.sqrt(1 - rho**2)
    above += 1 - rho * np.arcsin(rho / 2) - np.sqrt(4 - rho**2)
    expected = np.sqrt(above / (1 + np.pi / 3 - np.sqrt(3)))
    assert similarity(x, y, "distance_correlation") == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("measure", MEASURES)
def test_silence_is_no_likeness_of_unrelated_layers(measure):
    """Equal frames tie; ties are broken alike in every layer and shared out in ranks."""
    layers = make_layers({"a": 7, "b": 12}, frames=FRAMES)
    for values in layers.values():
        values[10:40] = values[10]
    expected = getattr(oracles, measure)(layers["a"], layers["b"])
    assert similarity(layers["a"], layers["b"], measure) == pytest.approx(expected, abs=1e-9)


def tied_layers():
    """Make pairs of layers with tied distances: codes, units and small integers.

    After bbuchsbaum/rMVPA#99 and rsagroup/rsatoolbox#434 on GitHub.
    """
    random = np.random.default_rng(1)
    binary = random.integers(0, 2, size=(80, 4)).astype(float)
    units = np.eye(12)[random.integers(0, 12, size=300)]
    whole = random.integers(0, 5, size=(150, 6)).astype(float)
    return {
        "binary codes": (binary, (binary + (random.random((80, 4)) < 0.2)) % 2),
        "one-hot units and a layer": (
            units,
            units @ random.normal(size=(12, 6)) + 0.5 * random.normal(size=(300, 6)),
        ),
        "small integers": (whole, whole + random.integers(-1, 2, size=whole.shape)),
    }


def earliest_neighbours(frames, count=10):
    """Mark the nearest of each frame, computed from exact distances of integers."""
    distances = squareform(pdist(frames, "sqeuclidean"))
    np.fill_diagonal(distances, np.inf)
    nearest = np.zeros(distances.shape, bool)
    order = np.argsort(distances, axis=1, kind="stable")
    np.put_along_axis(nearest, order[:, :count], True, axis=1)
    return nearest


@pytest.mark.parametrize("name", tied_layers())
def test_tied_distances_are_ties(name):
    row, column = tied_layers()[name]
    expected = spearmanr(pdist(row), pdist(column)).statistic
    assert similarity(row, column, "rsa") == pytest.approx(expected, abs=1e-9)
    expected = (earliest_neighbours(row) & earliest_neighbours(column)).sum() / (10 * len(row))
    assert similarity(row, column, "mutual_knn") == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("measure", ["rsa", "mutual_knn"])
@pytest.mark.parametrize("name", tied_layers())
def test_ties_survive_translation_reordering_rotation_and_scaling(name, measure):
    row, column = tied_layers()[name]
    expected = similarity(row, column, measure)
    rotation = ortho_group.rvs(row.shape[1], random_state=0)
    for moved in (row + 3, row + 0.1, row[:, ::-1], row @ rotation, 0.1 * row - 7, 1e-9 * row):
        assert similarity(moved, column, measure) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("measure", ["rsa", "mutual_knn"])
def test_frames_equally_far_from_each_other_are_like_nothing(measure):
    other = np.random.default_rng(0).normal(size=(30, 3))
    for apart in (np.eye(30), np.eye(30) @ ortho_group.rvs(30, random_state=0)):
        assert np.isnan(similarity(apart, other, measure))
        assert np.isnan(similarity(apart, apart, measure))


@pytest.mark.parametrize("measure", ["rsa", "mutual_knn"])
def test_differences_above_rounding_are_no_ties(measure):
    """Two frames k steps apart are farther apart, by a millionth, the later they are."""
    place = (np.arange(60) + 1e-6 * np.arange(60) ** 2)[:, None]
    other = np.random.default_rng(0).normal(size=(60, 4))
    if measure == "rsa":
        expected = spearmanr(pdist(place), pdist(other)).statistic
    else:
        expected = (earliest_neighbours(place) & earliest_neighbours(other)).sum() / 600
    assert similarity(place, other, measure) == pytest.approx(expected, abs=1e-12)
