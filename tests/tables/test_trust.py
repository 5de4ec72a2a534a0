"""Chance levels are counted and corrected; overfitting is a difference."""

from dataclasses import replace

import numpy as np
import pytest
from comparisons import comparison

from assonance.measures.layer_descriptors import DESCRIPTORS
from assonance.tables import trust as trust_tables

NAMES = ("hubert-a", "hubert-b", "wav2vec2-c")


def test_chance_is_counted_for_layers_of_different_models(found):
    table = trust_tables.chance(found, "cka")
    assert len(table) == 2 * (4 * 4 + 4 * 3 + 4 * 3)
    for cell, each in table.iterrows():
        at = dict(zip(table.index.names, cell, strict=True))
        nulls = found.nulls["cka"].sel(at).values
        reached = (nulls >= each["value"]).sum()
        assert each["p"] == (1 + reached) / (1 + len(nulls))
        assert each["shifted"] == pytest.approx(nulls.mean())
    # Benjamini and Hochberg's step-up rule, written out.
    p = np.sort(table["p"].to_numpy())
    for level in (0.1, 0.2, 0.3):
        passing = np.flatnonzero(p <= level * np.arange(1, len(p) + 1) / len(p))
        most = p[passing[-1]] if passing.size else -1
        assert ((table["q"] <= level + 1e-12) == (table["p"] <= most)).all()


def test_measures_are_averaged_with_their_null_and_random_weights(found):
    table = trust_tables.chance_by_measure(found)
    assert "cka" in table.index
    assert "attn_js" not in table.index
    assert table.loc["cka", "least p"] == 1 / 5
    assert table.loc["cka", "value"] == pytest.approx(
        trust_tables.chance(found, "cka")["value"].mean()
    )


def test_nulls_of_some_layers_are_averaged_and_scores_of_all(found):
    at = found.nulls["layer_row"].isin(["encoder.0", "encoder.2"])
    also = found.nulls["layer_col"].isin(["encoder.0", "encoder.2"])
    few = replace(found, nulls=found.nulls.where(at & also))
    assert trust_tables.null_depths(few) == 2
    assert trust_tables.null_depths(found) is None
    whole, table = (trust_tables.chance_by_measure(each) for each in (found, few))
    assert table.loc["cka", "value"] == whole.loc["cka", "value"]
    kept = few.nulls["cka"].sel(model_row=list(NAMES), model_col=list(NAMES))
    assert table.loc["cka", "shifted"] == pytest.approx(
        float(kept.where(kept["model_row"] != kept["model_col"]).mean())
    )


def test_pairs_above_chance_are_counted_only_if_p_can_be_low(found):
    nulls = found.nulls
    assert trust_tables.chance_by_measure(found)["above"].isna().all()
    many = nulls.isel(shift=[0] * 19)
    counted = trust_tables.chance_by_measure(replace(found, nulls=many))
    assert (counted["least p"] == 0.05).all()
    assert counted["above"].between(0, 1).all()


def test_without_twins_or_shifts_there_are_no_references():
    plain = comparison(("a", "b"), (3, 3), twins=False)
    assert trust_tables.chance_by_measure(plain)["random weights"].isna().all()
    nothing = comparison(("a", "b"), (3, 3), uncertainty=False)
    assert trust_tables.chance(nothing, "cka").empty
    assert trust_tables.chance_by_measure(nothing).empty


def test_overfitting_is_in_sample_minus_held_out_at_the_best_match(found):
    table = trust_tables.overfitting(found, "linreg", "linreg_heldout_r")
    for (row, col, layer), each in table.iterrows():
        at = {"layer_row": layer, "layer_col": each["layer_col"]}
        in_sample, held_out = (
            float(found.matrix(name, row, col).sel(at)) for name in ("linreg", "linreg_heldout_r")
        )
        assert (each["in_sample"], each["held_out"]) == (in_sample, held_out)
        assert each["overfitting"] == in_sample - held_out


def test_layers_are_described_one_by_one(found):
    name = next(iter(DESCRIPTORS))
    described = found.scores["mincorr"].copy() + 1
    table = trust_tables.descriptors(replace(found, scores=found.scores.assign({name: described})))
    assert len(table) == 4 + 4 + 3
    for (model, layer), each in table.iterrows():
        assert each[name] == described.sel(model_row=model, layer_row=layer)
