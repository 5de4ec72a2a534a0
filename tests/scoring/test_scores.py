"""Scores: filled in pair by pair, directed, with consensus over whatever counts as others."""

from types import SimpleNamespace

import numpy as np
import oracles
import pytest
from material import make_layers, make_moments

from assonance.measures import MEASURES, find
from assonance.scoring.scores import Scores, attributes, nan_mean, worst
from assonance.settings import SETTINGS

SETTING = SETTINGS["default"]
WIDTHS = {"a": 3, "b": 5, "c": 4}
LAYERS = make_layers(WIDTHS, frames=80)
NAN = np.nan


def filled(measures, others=None, pairs=None):
    scores = Scores(WIDTHS, find(measures, ("neuron", "layer")), others)
    moments = make_moments(LAYERS)
    for a, b in pairs or [("a", "a"), ("a", "b"), ("c", "a"), ("b", "b"), ("b", "c"), ("c", "c")]:
        scores.add(a, b, moments.pair(a, b), SETTING)
    return scores


@pytest.mark.parametrize("measure", ["maxcorr", "linreg", "pwcca", "svcca", "cka"])
def test_one_order_of_a_pair_fills_both_cells(measure):
    result = filled([measure]).dataset()[measure]
    for row in WIDTHS:
        for col in WIDTHS:
            expected = np.mean(getattr(oracles, measure)(LAYERS[row], LAYERS[col]))
            assert result.sel(layer_row=row, layer_col=col).item() == pytest.approx(
                expected, abs=1e-9
            )


@pytest.mark.parametrize("measure", ["maxcorr", "cka"])
def test_pairs_that_never_came_are_nan(measure):
    scores = filled([measure], pairs=[("a", "b")])
    expected = [[False, True, False], [True, False, False], [False] * 3]
    np.testing.assert_array_equal(np.isfinite(scores.dataset()[measure]), expected)
    if measure == "maxcorr":
        assert np.isnan(scores.neuron_dataset()["maxcorr"].sel(layer_row="c")).all()
        assert (scores.match_dataset()["maxcorr"].sel(layer_row="c") == -1).all()


def test_symmetric_measures_are_worked_out_once():
    calls = []

    def count(pair, settings):
        calls.append(pair)
        return 0.5

    for symmetric, expected in [(True, 1), (False, 2)]:
        calls.clear()
        counted = SimpleNamespace(
            name="counted", level="layer", symmetric=symmetric, function=count, across=None
        )
        scores = Scores(WIDTHS, [counted])
        scores.add("a", "b", make_moments(LAYERS).pair("a", "b"), SETTING)
        assert len(calls) == expected
        assert scores.values["counted"][0, 1] == scores.values["counted"][1, 0] == 0.5


def test_consensus_is_over_all_other_layers_unless_told():
    scores = filled(["mincorr"])
    result = scores.neuron_dataset()
    for name, width in WIDTHS.items():
        found = result["mincorr"].sel(layer_row=name).values
        np.testing.assert_allclose(found[:width], oracles.mincorr(LAYERS, name), atol=1e-9)
        assert np.isnan(found[width:]).all()
    assert "mincorr" not in scores.match_dataset()


def test_consensus_is_over_the_layers_that_count_as_others():
    others = np.array([[False, True, False], [True, False, True], [False, False, False]])
    scores = filled(["mincorr"], others)
    result, neurons = scores.dataset(), scores.neuron_dataset()
    of_a = oracles.maxcorr(LAYERS["a"], LAYERS["b"])
    np.testing.assert_allclose(neurons["mincorr"][0, :3], of_a, atol=1e-9)
    assert result["mincorr"][0].item() == pytest.approx(of_a.mean(), abs=1e-9)
    of_b = oracles.mincorr(LAYERS, "b")
    np.testing.assert_allclose(neurons["mincorr"][1], of_b, atol=1e-9)
    assert np.isnan(result["mincorr"][2])


def test_the_worst_score_passes_over_what_is_undefined_or_does_not_count():
    scores = np.array([[[0.9, 0.1, NAN], [0.3, 0.5, NAN]], [[0.2, NAN, 0.7], [0.1, 0.2, 0.3]]])
    others = np.array([[True, True], [True, False]])
    np.testing.assert_array_equal(worst(scores, others), [[0.3, 0.1, NAN], [0.2, NAN, 0.7]])


def test_the_mean_of_what_is_defined_is_nan_without_a_warning_where_nothing_is():
    values = np.array([[1.0, NAN, 3.0], [NAN, NAN, NAN]])
    np.testing.assert_array_equal(nan_mean(values), [2.0, NAN])


@pytest.mark.parametrize("measure", MEASURES)
def test_ranges_are_written_in_numbers(measure):
    lowest, highest = attributes(MEASURES[measure])["range"]
    assert lowest < highest
    ends = (-np.inf, np.inf)
    declared = MEASURES[measure].range
    assert (lowest, highest) == tuple(
        end if one is None else one for one, end in zip(declared, ends, strict=True)
    )
