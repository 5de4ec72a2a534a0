"""Measures against scikit-learn: regressions, canonical correlations, kernels and neighbours."""

import numpy as np
import pytest
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import KernelCenterer, StandardScaler

from assonance import similarity, similarity_matrix
from assonance.settings import Settings


def correlation(one, other):
    return np.corrcoef(one, other)[0, 1]


def test_linreg_is_the_square_root_of_the_coefficient_of_determination(layers):
    x, y = layers["x"], layers["y"]
    fitted = LinearRegression().fit(y, x).predict(y)
    each = r2_score(x, fitted, multioutput="raw_values")
    assert similarity(x, y, "linreg_r2") == pytest.approx(each.mean(), abs=1e-9)
    assert similarity(x, y, "linreg") == pytest.approx(np.sqrt(each).mean(), abs=1e-9)


def test_held_out_scores_are_those_of_groups_left_out_one_by_one(layers, groups):
    """With as many folds as groups, the folds are the groups."""
    x, y = layers["x"], layers["y"]
    settings = Settings("all groups", folds=len(set(groups)), groups=len(set(groups)))
    how = {"groups": groups, "cv": LeaveOneGroupOut()}
    predicted = cross_val_predict(LinearRegression(), y, x, **how)
    mean = cross_val_predict(LinearRegression(), np.zeros((len(y), 1)), x, **how)
    expected = 1 - ((x - predicted) ** 2).sum(0) / ((x - mean) ** 2).sum(0)
    found = similarity(x, y, "linreg_heldout", groups=groups, settings=settings)
    assert found == pytest.approx(expected.mean(), abs=1e-9)


def test_canonical_correlations_are_those_of_nipals(layers):
    x, y = layers["x"], layers["y"]
    count = min(x.shape[1], y.shape[1])
    u, v = CCA(count, max_iter=100_000, tol=1e-13).fit_transform(x, y)
    each = np.array([correlation(u[:, k], v[:, k]) for k in range(count)])
    # Iterations end where a direction has turned by less than √tol.
    assert similarity(x, y, "cca_mean") == pytest.approx(each.mean(), abs=1e-5)
    assert similarity(x, y, "cca_r2") == pytest.approx((each**2).mean(), abs=1e-5)


def test_svcca_is_cca_of_principal_components(layers):
    reduced = [
        PCA(0.99, svd_solver="full").fit_transform(StandardScaler().fit_transform(layers[name]))
        for name in "xy"
    ]
    count = min(each.shape[1] for each in reduced)
    u, v = CCA(count, max_iter=100_000, tol=1e-13).fit_transform(*reduced)
    expected = np.mean([correlation(u[:, k], v[:, k]) for k in range(count)])
    assert similarity(layers["x"], layers["y"], "svcca") == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("measure", ["cka", "cka_rbf", "cka_standardized"])
def test_cka_is_the_cosine_of_centred_kernels(layers, measure):
    kernels = []
    for name in "xy":
        frames = layers[name]
        if measure == "cka_standardized":
            frames = StandardScaler().fit_transform(frames)
        kernel = frames @ frames.T
        if measure == "cka_rbf":
            width = np.median(euclidean_distances(frames, squared=True))
            kernel = rbf_kernel(frames, gamma=1 / (2 * width))
        kernels.append(KernelCenterer().fit_transform(kernel))
    x, y = kernels
    expected = (x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum())
    assert similarity(layers["x"], layers["y"], measure) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree", "ball_tree"])
def test_neighbours_are_shared_as_trees_find_them(layers, algorithm):
    near = [
        NearestNeighbors(n_neighbors=10, algorithm=algorithm)
        .fit(layers[name])
        .kneighbors(return_distance=False)
        for name in "xy"
    ]
    shared = np.mean([len({*x} & {*y}) / 10 for x, y in zip(*near, strict=True)])
    assert similarity(layers["x"], layers["y"], "mutual_knn") == pytest.approx(shared, abs=1e-12)


def test_all_pairs_in_one_call_score_as_pairs_alone(layers):
    names = ["linreg", "svcca", "cka"]
    found = similarity_matrix(layers, names)
    for name in names:
        alone = similarity(layers["x"], layers["z"], name)
        assert float(found[name].sel(layer_row="x", layer_col="z")) == pytest.approx(
            alone, abs=1e-12
        )
