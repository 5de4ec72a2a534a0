"""Canonical correlations come out, whatever the decomposition thinks of the layers."""

import numpy as np
import torch
from material import make_layers

from assonance import similarity_matrix


def test_a_decomposition_that_does_not_converge_is_done_another_way(monkeypatch):
    layers = make_layers({"a": 8, "b": 11}, frames=240, seed=3)
    names = ["svcca", "pwcca", "cca_mean"]
    expected = similarity_matrix(layers, names)

    def failing(*args, **kwargs):
        raise torch.linalg.LinAlgError("linalg.svd: The algorithm failed to converge")

    monkeypatch.setattr(torch.linalg, "svd", failing)
    found = similarity_matrix(layers, names)
    for name in names:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-12)
