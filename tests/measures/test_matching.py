"""Matchings of neurons, one to one and soft, against definitions and other people's solvers."""

import numpy as np
import oracles
import ot
import pytest
from material import make_layers
from scipy.optimize import linear_sum_assignment

from assonance import similarity_matrix
from assonance.measures.matching import transport

CLOSE = {"rtol": 0, "atol": 1e-9}
HERE = {"layer_row": "a", "layer_col": "b"}
BACK = {"layer_row": "b", "layer_col": "a"}
WIDTHS = [(7, 7), (7, 12), (12, 7), (9, 6), (8, 4), (1, 5), (5, 1), (20, 19)]


def scores(measure, widths, **options):
    layers = make_layers(dict(zip("ab", widths, strict=True)), frames=200, **options)
    result = similarity_matrix(layers, [measure], per_neuron=True)
    return layers, result, result[f"{measure}_by_neuron"], result[f"{measure}_match"]


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("measure", ["one_to_one", "soft_matching"])
@pytest.mark.parametrize("options", [{}, {"mean": 1e4, "signals": 2}])
def test_matchings_are_what_they_are_defined_as(measure, widths, options):
    layers, result, by_neuron, _ = scores(measure, widths, **options)
    for here, (x, y) in ((HERE, "ab"), (BACK, "ba")):
        expected = getattr(oracles, measure)(layers[x], layers[y])
        found = by_neuron.sel(here).values[: len(expected)]
        np.testing.assert_allclose(found, expected, **CLOSE)
        np.testing.assert_allclose(result[measure].sel(here), np.nanmean(expected), **CLOSE)


@pytest.mark.parametrize("widths", WIDTHS)
def test_no_two_neurons_have_one_partner(widths):
    layers, _, by_neuron, matches = scores("one_to_one", widths)
    table = np.abs(oracles.correlations(layers["a"], layers["b"]))
    match = matches.sel(HERE).values[: widths[0]]
    taken = match[match >= 0]
    assert len(set(taken)) == len(taken) == min(widths)
    rows, columns = linear_sum_assignment(-table)
    np.testing.assert_array_equal(match[rows], columns)
    found = by_neuron.sel(HERE).values[: widths[0]]
    np.testing.assert_allclose(found[rows], table[rows, columns], **CLOSE)
    assert np.isnan(found[match < 0]).all()


def test_partners_are_each_others():
    _, _, _, matches = scores("one_to_one", (7, 12))
    there, back = matches.sel(HERE).values[:7], matches.sel(BACK).values[:12]
    np.testing.assert_array_equal(back[there], np.arange(7))
    assert (back >= 0).sum() == 7


@pytest.mark.parametrize("widths", [*WIDTHS, (60, 45), (61, 47), (64, 63)])
def test_soft_matching_is_the_optimal_transport_of_pot(widths):
    layers, result, by_neuron, _ = scores("soft_matching", widths)
    table = np.abs(oracles.correlations(layers["a"], layers["b"]))
    plan = ot.emd(*(np.full(width, 1 / width) for width in widths), 1 - table)
    np.testing.assert_allclose(result["soft_matching"].sel(HERE), (plan * table).sum(), **CLOSE)
    found = by_neuron.sel(HERE).values[: widths[0]]
    np.testing.assert_allclose(found, widths[0] * (plan * table).sum(1), **CLOSE)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("width", [9, 12])
def test_the_soft_match_is_the_partner_of_the_largest_weight_then_of_the_highest_r(width, seed):
    layers, _, _, matches = scores("soft_matching", (6, width), seed=seed)
    table = np.abs(oracles.correlations(layers["a"], layers["b"]))
    plan = transport(table)
    for row, match in enumerate(matches.sel(HERE).values[:6]):
        largest = plan[row] > plan[row].max() - 1e-9
        assert match == np.where(largest, table[row], -1).argmax()
    assert any((weights > 0).sum() > 1 for weights in plan)


def test_in_layers_of_one_width_soft_matching_is_one_to_one():
    found = [scores(measure, (9, 9)) for measure in ("soft_matching", "one_to_one")]
    for soft, hard in zip(found[0][2:], found[1][2:], strict=True):
        np.testing.assert_array_equal(soft, hard)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 6), (40, 41), (30, 90)])
@pytest.mark.parametrize("kind", ["random", "ties", "all the same", "one column for all"])
def test_a_transport_plan_gives_and_takes_evenly_and_none_is_better(shape, kind):
    rng = np.random.default_rng(0)
    gain = {
        "random": rng.uniform(size=shape),
        "ties": rng.integers(0, 3, shape) / 2,
        "all the same": np.full(shape, 0.5),
        "one column for all": (np.arange(shape[1]) == 1) * rng.uniform(size=shape),
    }[kind]
    plan = transport(gain)
    assert (plan >= 0).all()
    np.testing.assert_allclose(plan.sum(0), 1 / shape[1], rtol=0, atol=1e-15)
    np.testing.assert_allclose(plan.sum(1), 1 / shape[0], rtol=0, atol=1e-15)
    best = ot.emd(np.full(shape[0], 1 / shape[0]), np.full(shape[1], 1 / shape[1]), 1 - gain)
    assert (plan * gain).sum() == pytest.approx((best * gain).sum(), abs=1e-9)


@pytest.mark.parametrize("measure", ["one_to_one", "soft_matching"])
def test_neurons_that_do_not_vary_are_nobodys_partner(measure):
    layers = make_layers({"a": 6, "b": 5}, frames=200)
    expected = similarity_matrix(layers, [measure], per_neuron=True)
    layers = {name: np.insert(values, 2, 1.0, axis=1) for name, values in layers.items()}
    with pytest.warns(UserWarning, match="constant"):
        found = similarity_matrix(layers, [measure], per_neuron=True)
    match = found[f"{measure}_match"].sel(HERE).values
    before = expected[f"{measure}_match"].sel(HERE).values
    assert match[2] == -1
    np.testing.assert_array_equal(np.delete(match, 2), np.where(before < 2, before, before + 1))
