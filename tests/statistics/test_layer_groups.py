"""Sums of a layer by jackknife group are those of its frames."""

import numpy as np
import pytest
import torch
from grouped_layers import FOLDS, GROUPS, LAYERS, crossed, make_grouped

from assonance.statistics.layer_groups import LayerGroups


@pytest.fixture(scope="module")
def both():
    moments = make_grouped()
    return [LayerGroups(moments, name) for name in LAYERS]


def test_means_and_norms_without_a_group_are_those_of_the_other_frames(both):
    layer, x = both[0], LAYERS["a"] - LAYERS["a"].mean(0)
    norms = np.linalg.norm(x, axis=0)
    norms[1] = np.inf
    for group in range(5):
        rest = x[group != GROUPS]
        np.testing.assert_allclose(layer.means_without[group], rest.mean(0) / norms, atol=1e-12)
        spread = np.linalg.norm(rest - rest.mean(0), axis=0) / norms
        np.testing.assert_allclose(layer.norms_without[group], spread, atol=1e-12)


def test_a_neuron_that_varies_in_the_group_left_out_alone_is_constant(both):
    assert (both[0].norms_without[:, 1] == 0).all()
    assert (both[0].norms_without[:, 2] > 0).tolist() == [True, True, True, False, True]


def test_products_are_those_of_the_frames_divided_by_the_norms(both):
    x, y = (values - values.mean(0) for values in LAYERS.values())
    x, y = (
        each / np.where(np.ptp(each, 0) > 1e-9, np.linalg.norm(each, axis=0), np.inf)
        for each in (x, y)
    )
    cross = crossed(both[0], both[1])
    for group in range(5):
        own = group == GROUPS
        np.testing.assert_allclose(cross[group], x[own].T @ y[own], atol=1e-12)
    np.testing.assert_allclose(cross[5], x.T @ y, atol=1e-12)


def test_scatters_are_of_the_groups_that_a_fit_is_tested_on(both):
    y = LAYERS["b"] - LAYERS["b"].mean(0)
    y = y / np.linalg.norm(y, axis=0)
    for fit, halves in zip(both[1].fits, both[1].half_scatters, strict=True):
        for group, half in zip(fit.tested, halves, strict=True):
            own = y[group == GROUPS]
            np.testing.assert_allclose((half + half.T) / 2, own.T @ own, atol=1e-12)


def test_each_fold_is_fitted_to_the_groups_outside_it(both):
    fold_of = np.array(FOLDS)[GROUPS]
    y = LAYERS["b"] - LAYERS["b"].mean(0)
    y = y / np.linalg.norm(y, axis=0)
    assert [fit.tested for fit in both[1].fits] == [[0, 1], [2, 3], [4]]
    for fold, fit in enumerate(both[1].fits):
        rest = y[fold_of != fold]
        assert fit.count == len(rest)
        np.testing.assert_allclose(fit.mean, rest.mean(0), atol=1e-12)
        centred = rest - rest.mean(0)
        np.testing.assert_allclose(fit.inverse, np.linalg.inv(centred.T @ centred), rtol=1e-9)


def test_float32_serves_where_no_product_was_made_in_float64():
    narrow = [LayerGroups(make_grouped(dtype=torch.float32), name) for name in LAYERS]
    exact = [LayerGroups(make_grouped(), name) for name in LAYERS]
    assert crossed(narrow[0], narrow[1]).dtype == torch.float32
    assert crossed(exact[0], exact[1]).dtype == torch.float64
    torch.testing.assert_close(
        crossed(narrow[0], narrow[1]).to(torch.float64),
        crossed(exact[0], exact[1]),
        atol=1e-6,
        rtol=0,
    )


def test_nearly_dependent_neurons_are_fitted_in_float64():
    b = LAYERS["b"]
    near = b[:, :1] + 1e-3 * np.random.default_rng(1).standard_normal((len(b), 1))
    layers = [
        LayerGroups(make_grouped({"a": LAYERS["a"], "b": values}, torch.float32), "b")
        for values in (b, np.hstack([b, near]))
    ]
    assert [layer.fit_dtype for layer in layers] == [torch.float32, torch.float64]
