"""Measures against scipy: angles of subspaces, rotations, ranks, assignments and divergences."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes, subspace_angles
from scipy.optimize import linear_sum_assignment
from scipy.spatial import procrustes
from scipy.spatial.distance import jensenshannon, pdist
from scipy.stats import pearsonr, spearmanr

from assonance import head_similarity_matrix, similarity


def centred(frames):
    return frames - frames.mean(0)


def correlations(x, y):
    return np.array([[pearsonr(a, b).statistic for b in y.T] for a in x.T])


def test_canonical_correlations_are_cosines_of_principal_angles(layers):
    x, y = centred(layers["x"]), centred(layers["y"])
    cosines = np.cos(subspace_angles(x, y))
    assert similarity(x, y, "cca_mean") == pytest.approx(cosines.mean(), abs=1e-9)
    assert similarity(x, y, "cca_r2") == pytest.approx((cosines**2).mean(), abs=1e-9)


def test_procrustes_is_the_error_that_the_best_rotation_leaves(layers):
    x, y = centred(layers["x"]), centred(layers["y"])
    y = np.hstack([y, np.zeros((len(y), x.shape[1] - y.shape[1]))])
    rotation, _ = orthogonal_procrustes(y, x)
    error = ((x - y @ rotation) ** 2).sum()
    expected = 1 - error / ((x**2).sum() + (y**2).sum())
    assert similarity(layers["x"], layers["y"], "procrustes") == pytest.approx(expected, abs=1e-9)


def test_bures_is_the_square_root_of_what_scaled_procrustes_explains(layers):
    x, y = layers["x"], layers["y"]
    padded = np.hstack([y, np.full((len(y), x.shape[1] - y.shape[1]), 5.0)])
    *_, disparity = procrustes(x, padded)
    expected = np.sqrt(1 - disparity)
    assert similarity(x, y, "bures") == pytest.approx(expected, abs=1e-9)
    angular = 1 - 2 * np.arccos(expected) / np.pi
    assert similarity(x, y, "angular_procrustes") == pytest.approx(angular, abs=1e-9)


def test_rsa_is_the_rank_correlation_of_condensed_distances(layers):
    expected = spearmanr(pdist(layers["x"]), pdist(layers["y"])).statistic
    assert similarity(layers["x"], layers["y"], "rsa") == pytest.approx(expected, abs=1e-9)


def test_matches_of_neurons_are_those_of_pearson_and_of_the_assignment(layers):
    table = np.abs(correlations(layers["x"], layers["y"]))
    found = similarity(layers["x"], layers["y"], "maxcorr")
    assert found == pytest.approx(table.max(1).mean(), abs=1e-9)
    rows, columns = linear_sum_assignment(table, maximize=True)
    found = similarity(layers["x"], layers["y"], "one_to_one")
    assert found == pytest.approx(table[rows, columns].mean(), abs=1e-9)


def test_heads_differ_by_jensen_and_shannon(maps):
    found = head_similarity_matrix(maps, ["attn_js"], per_head=True)["attn_js_by_head"]
    cell = found.sel(layer_row="a", layer_col="b").values
    for row in range(2):
        for column in range(3):
            divergences = np.concatenate(
                [
                    jensenshannon(x[row], y[column], axis=1) ** 2
                    for x, y in zip(maps["a"], maps["b"], strict=True)
                ]
            )
            assert cell[row, column] == pytest.approx(1 - divergences.mean(), abs=1e-9)
