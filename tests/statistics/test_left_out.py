"""Correlations without a group are those of the other frames."""

import numpy as np
import oracles
import pytest
import torch
from grouped_layers import GROUPS, LAYERS, crossed, make_grouped
from material import make_layers

from assonance.measures.neurons import rotations
from assonance.statistics.layer_groups import LayerGroups
from assonance.statistics.left_out import (
    correlations_without,
    rotated_norms,
    squares_without,
    strongest_rotated,
)
from assonance.utils.memory import Scratch

VARIED = make_layers({"a": 4, "b": 3}, len(GROUPS))
KEPT = [group != GROUPS for group in range(5)] + [np.full(len(GROUPS), True)]


def both(layers):
    moments = make_grouped(layers)
    return [LayerGroups(moments, name) for name in layers]


@pytest.fixture(params=[1, 24, 2**20], ids=["a group at once", "two", "all"])
def at_once(request, monkeypatch):
    """Number of correlations computed at once."""
    monkeypatch.setattr("assonance.statistics.left_out._AT_ONCE", request.param)


def tables_of(x, y):
    """All tables of correlations, (G + 1, Dx, Dy)."""
    return torch.cat([tables.clone() for _, tables in correlations_without(x, y, crossed(x, y))])


@pytest.mark.usefixtures("at_once")
def test_each_group_is_left_out_in_turn_and_last_none():
    tables = tables_of(*both(VARIED))
    assert len(tables) == 6
    for table, kept in zip(tables, KEPT, strict=True):
        expected = oracles.correlations(VARIED["a"][kept], VARIED["b"][kept])
        np.testing.assert_allclose(table, expected, atol=1e-12)


def test_constant_neurons_correlate_with_none():
    tables = tables_of(*both(LAYERS))
    assert all((table[1] == 0).all() for table in tables)
    assert [bool((table[2] == 0).all()) for table in tables] == [False] * 3 + [True] + [False] * 2


def squares_of(cross, x, y):
    parts = [squares_without(x, y, *each) for each in correlations_without(x, y, cross)]
    return torch.cat(parts, 1)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("dtype", "digits"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_squares_are_those_of_the_other_frames(dtype, digits):
    x, y = both(VARIED)
    covariances, correlations = squares_of(crossed(x, y).to(dtype), x, y)
    assert len(covariances) == 5
    for group, kept in enumerate(KEPT[:5]):
        one, other = (values[kept] - values[kept].mean(0) for values in VARIED.values())
        assert covariances[group] == pytest.approx(((one.T @ other) ** 2).sum(), rel=digits)
        expected = oracles.correlations(VARIED["a"][kept], VARIED["b"][kept])
        assert correlations[group] == pytest.approx((expected**2).sum(), rel=digits)


def test_squares_beyond_float32_lose_no_digit():
    found = [
        squares_of(crossed(x, y).to(torch.float32), x, y)
        for x, y in (both(VARIED), both({name: 1e30 * x for name, x in VARIED.items()}))
    ]
    torch.testing.assert_close(found[1][0], found[0][0] * 1e120, rtol=1e-6, atol=0)


@pytest.mark.parametrize("seed", [0, 1])
def test_directions_of_another_basis_have_the_norms_of_the_turned_frames(seed):
    x, _ = both(VARIED)
    (q,) = rotations(4, 1, seed)
    (found,) = rotated_norms(x, x.own_cross(Scratch()), [q])
    for norms, kept in zip(found, KEPT, strict=True):
        turned = oracles.standardised(VARIED["a"][kept]) @ q.numpy()
        np.testing.assert_allclose(norms, np.linalg.norm(turned, axis=0), atol=1e-12)


def test_only_neurons_that_vary_are_turned():
    x, _ = both(LAYERS)
    basis = torch.eye(3, dtype=torch.float64)
    (found,) = rotated_norms(x, x.own_cross(Scratch()), [basis])
    assert found.shape == (6, 3)


@pytest.mark.parametrize("change", [0.01, 0.3])
def test_the_strongest_direction_is_that_of_all(change):
    """Where leaving a group out changes little, few directions are tried; else all are."""
    rng = np.random.default_rng(3)
    tables = 0.1 * rng.normal(size=(40, 80)) + change * 0.1 * rng.normal(size=(6, 40, 80))
    norms = 1 + 0.01 * rng.random((6, 80))
    (q,) = rotations(80, 1, 0)
    expected = (np.abs(tables @ q.numpy()) / norms[:, None]).max(2)
    found = strongest_rotated(torch.from_numpy(tables), q, torch.from_numpy(norms))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
