"""Errors by group are those of least squares on the frames of the other folds."""

import numpy as np
import pytest
import torch
from grouped_layers import FOLDS, GROUPS, LAYERS, crossed, make_grouped

from assonance.statistics.held_regression import held_errors
from assonance.statistics.layer_groups import LayerGroups

FOLD_OF = np.array(FOLDS)[GROUPS]
# A neuron that is constant, one that varies in a single group, and two others.
SAMPLED = [3, 0]


def expected():
    x, y = LAYERS["a"][:, SAMPLED], LAYERS["b"]
    scale = ((x - x.mean(0)) ** 2).sum(0)
    variance, errors = np.zeros((2, 5, 2))
    fitted = np.zeros((2, 2))
    for fold in range(3):
        train = fold != FOLD_OF
        mean = x[train].mean(0), y[train].mean(0)
        slopes = np.linalg.lstsq(y[train] - mean[1], x[train] - mean[0], rcond=None)[0]
        deviations = (x - mean[0]) ** 2
        squares = (x - mean[0] - (y - mean[1]) @ slopes) ** 2
        fitted += [squares[train].sum(0), deviations[train].sum(0)]
        for group in np.flatnonzero(np.array(FOLDS) == fold):
            own = group == GROUPS
            variance[group], errors[group] = deviations[own].sum(0), squares[own].sum(0)
    return variance / scale, errors / scale, fitted[0] / fitted[1]


@pytest.mark.parametrize(("dtype", "digits"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_coefficients_come_from_the_other_folds(dtype, digits):
    moments = make_grouped(dtype=dtype)
    a, b = (LayerGroups(moments, name) for name in LAYERS)
    neurons = torch.tensor(SAMPLED)
    found = held_errors(a, neurons, b, crossed(a, b)[:, neurons])
    variance, errors, fitted = expected()
    np.testing.assert_allclose(found.variance, variance, atol=digits)
    np.testing.assert_allclose(found.errors, errors, atol=digits)
    np.testing.assert_allclose(found.fitted, fitted, atol=digits)


def test_a_constant_neuron_has_no_errors():
    a, b = (LayerGroups(make_grouped(), name) for name in LAYERS)
    neurons = torch.tensor([1])
    found = held_errors(a, neurons, b, crossed(a, b)[:, neurons])
    assert (found.variance == 0).all()
    assert found.fitted.isnan().all()
