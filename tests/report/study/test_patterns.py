"""Rank correlations with the published figures have the right value, null and interval."""

import numpy as np
import pandas as pd
import pytest
from comparisons import comparison
from scipy import stats

from assonance.report.study import patterns, published
from assonance.report.study.patterns import Cells

ROLES = {"hubert-base": "hubert-a", "wav2vec2-base": "wav2vec2-b"}


def made(rng, signal=0.0, models=4, layers=7, block=0.0):
    """Two symmetric matrices that share a signal in each cell, and one of pairs of models."""
    size = models * layers
    model = np.repeat(np.arange(models), layers)

    def symmetric():
        values = rng.normal(size=(size, size))
        return (values + values.T) / 2

    shared = signal * symmetric() + block * rng.normal(size=(models, models))[model][:, model]
    measured, known = (shared + symmetric() for _ in range(2))
    for each in (measured, known):
        np.fill_diagonal(each, np.nan)
    return Cells(measured, known, model, np.tile(np.linspace(0, 1, layers), models))


def test_over_all_cells_it_is_spearmans():
    each = made(np.random.default_rng(0), 1.0)
    at = np.isfinite(each.measured)
    expected = stats.spearmanr(each.measured[at], each.published[at]).statistic
    assert patterns.of_all(each) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", list(patterns.STATISTICS))
def test_equal_matrices_agree_wholly(name):
    each = made(np.random.default_rng(0))
    same = Cells(each.measured, 2 * each.measured + 1, each.model, each.depth)
    assert patterns.STATISTICS[name](same) == pytest.approx(1)


def test_what_pairs_of_models_share_is_not_within_them():
    each = made(np.random.default_rng(1), block=5.0)
    assert patterns.between(each) > 0.7
    assert abs(patterns.within(each)) < 0.2


def test_nearness_in_depth_is_partialled_out():
    rng = np.random.default_rng(0)
    each = made(rng)
    near = -5 * np.abs(each.depth[:, None] - each.depth[None, :])
    both = Cells(each.measured + near, each.published + near, each.model, each.depth)
    assert patterns.within(both) > 0.7
    assert abs(patterns.beyond_nearness(both)) < 0.25


def test_partial_correlation_is_that_of_residuals():
    x, y, z = np.random.default_rng(0).normal(size=(3, 50))
    left = [v - np.polyval(np.polyfit(z, v, 1), z) for v in (x, y)]
    assert patterns._partial(x, y, z) == pytest.approx(np.corrcoef(*left)[0, 1])


def test_without_agreement_p_is_uniform():
    """A test at .1 rejects about one in ten of 40 independent pairs: at most 9 with p > .99."""
    rejected = 0
    for seed in range(40):
        each = made(np.random.default_rng(seed), layers=4, models=2)
        rejected += patterns.agreement(each, draws=19).loc["within pairs of models", "p"] <= 0.1
    assert rejected <= 9


def test_with_agreement_the_interval_leaves_zero_out():
    table = patterns.agreement(made(np.random.default_rng(2), 1.0), draws=99)
    row = table.loc["within pairs of models"]
    assert 0 < row["low"] < row["rho"] < row["high"] < 1
    assert row["p"] == pytest.approx(0.01)


def test_four_models_have_24_orders():
    table = patterns.agreement(made(np.random.default_rng(1), block=5.0), draws=19)
    p = table.loc["between pairs of models", "p"]
    assert p * 24 == pytest.approx(round(p * 24))


def test_a_layer_and_its_copy_are_no_pair():
    each = made(np.random.default_rng(0), models=1, layers=3)
    drawn = each.take(np.array([0, 0, 2]))
    assert np.isnan(drawn.measured[:2, :2]).all()
    assert drawn.measured[0, 2] == each.measured[0, 2]


def test_cells_pair_scores_with_figures_by_role():
    found = patterns.cells(comparison(layers=(7, 7), measures=["cka"]), ROLES, "cka")
    assert found.layers[0] == ("hubert-base", "encoder.0")
    assert found.published[1, 2] == published.block("cka", "hubert-base", "hubert-base")[2, 4]
    assert np.isnan(np.diag(found.measured)).all()
    np.testing.assert_array_equal(np.isnan(found.measured), np.isnan(found.published))


def test_what_fine_tuning_retains_is_paired_by_depth():
    made = comparison(("before", "after"), (9, 9), ["linreg"])
    roles = {"hubert-large": "before", "hubert-large-finetuned": "after"}
    table = patterns.retained(made, roles, ["linreg", "cka"])
    assert set(table["measure"]) == {"linreg"}  # the paper has no such figure of CKA
    assert len(table) == 8  # the last output of a large model is in no figure
    known = np.diag(published.block("linreg", "hubert-large", "hubert-large-finetuned"))
    np.testing.assert_array_equal(table["published"], known[::3])


def test_a_falling_profile_agrees_with_a_falling_one():
    rows = [("cka", "m", f"encoder.{k}", k / 5, 1 - k / 9, -k) for k in range(5)]
    table = pd.DataFrame(
        rows, columns=["measure", "model", "layer", "depth", "measured", "published"]
    )
    found = patterns.retained_agreement(table).loc[("cka", "m")]
    assert found["rho"] == pytest.approx(1)
    assert found["p"] == pytest.approx(1 / 120)


def test_a_profile_that_does_not_change_has_no_rank_correlation():
    rows = [("cka", "m", f"encoder.{k}", k / 4, 1.0, -k) for k in range(5)]
    columns = ["measure", "model", "layer", "depth", "measured", "published"]
    found = patterns.retained_agreement(pd.DataFrame(rows, columns=columns)).loc[("cka", "m")]
    assert np.isnan(found["rho"])
    assert np.isnan(found["p"])
