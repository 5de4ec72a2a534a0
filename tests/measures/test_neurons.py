"""Neurons find their matches: permuted, signed, scaled, and not in rotated bases."""

import numpy as np
import pytest
import torch

from assonance import similarity, similarity_matrix
from assonance.measures.neurons import rotations

RNG = np.random.default_rng(1)
X = RNG.standard_normal((500, 5))
ORDER = np.array([3, 0, 4, 1, 2])
Y = X[:, ORDER] * [-1, 2, 1, -3, 1] + 5


@pytest.mark.parametrize("measure", ["maxcorr", "one_to_one", "soft_matching"])
def test_permuted_neurons_are_matched_whatever_their_sign_and_scale(measure):
    found = similarity_matrix({"x": X, "y": Y}, [measure], per_neuron=True)
    cell = {"layer_row": "x", "layer_col": "y"}
    assert float(found[measure].sel(cell)) == pytest.approx(1, abs=1e-9)
    match = found[f"{measure}_match"].sel(cell).values
    np.testing.assert_array_equal(ORDER[match], np.arange(5))


def test_maxcorr_is_the_largest_absolute_correlation():
    other = RNG.standard_normal((500, 4)) + X[:, :4]
    table = np.abs(np.corrcoef(X.T, other.T)[:5, 5:])
    assert similarity(X, other, "maxcorr") == pytest.approx(table.max(1).mean(), abs=1e-9)


def test_mincorr_takes_the_layer_that_matches_worst():
    layers = {"x": X, "same": Y, "noise": RNG.standard_normal((500, 5))}
    found = similarity_matrix(layers, ["mincorr"])["mincorr"]
    expected = similarity(X, layers["noise"], "maxcorr")
    assert float(found.sel(layer_row="x")) == pytest.approx(expected, abs=1e-9)


def test_a_rotated_basis_matches_worse_than_the_neurons_themselves():
    assert similarity(X, Y, "maxcorr_rotated") < 0.99 < similarity(X, Y, "maxcorr")


def test_rotations_are_orthogonal_and_follow_the_seed():
    for rotation in rotations(6, 3, 0):
        torch.testing.assert_close(rotation @ rotation.T, torch.eye(6, dtype=torch.float64))
    assert torch.equal(rotations(6, 3, 0)[0], rotations(6, 1, 0)[0])
    assert not torch.equal(rotations(6, 1, 0)[0], rotations(6, 1, 1)[0])
