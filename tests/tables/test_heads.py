"""Heads are classified and matched by the scores that the comparison holds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from comparisons import HEADS, comparison

from assonance.errors import AssonanceError
from assonance.tables import heads as head_tables


@pytest.fixture(scope="module")
def found():
    return comparison(measures=("attn_js", "attn_frobenius", "cka"))


def test_every_head_is_described_and_twins_are_not(found):
    table = head_tables.heads(found)
    assert table.index.unique("model_row").tolist() == list(found.models)
    assert len(table) == (4 + 3) * HEADS
    for (model, layer, head), row in table.iterrows():
        here = found.heads.sel(model_row=model, layer_row=layer).isel(head_row=head)
        for name in head_tables.DESCRIPTORS:
            assert row[name] == here[name]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"diagonality": 0.5, "verticality": 1, "evenness": 1, "position_share": 1}, "diagonal"),
        ({"diagonality": 0.4, "verticality": 0.25, "evenness": 1}, "vertical"),
        ({"verticality": 0.2, "evenness": 0.9, "position_share": 1}, "global"),
        ({"evenness": 0.8, "position_share": 0.5}, "positional"),
        ({"position_share": 0.4}, "content"),
        ({"position_share": np.nan, "evenness": 1}, "global"),
    ],
)
def test_a_head_is_of_the_first_kind_that_holds(values, kind):
    found = comparison(measures=("attn_js",))
    for name in head_tables.DESCRIPTORS:
        found.heads[name][0, 1, 1] = values.get(name, 0.0)
    assert head_tables.heads(found)["kind"].loc["hubert-a", "encoder.1", 1] == kind


@pytest.mark.parametrize("measure", ["attn_js", "attn_frobenius"])
def test_the_best_match_of_a_head_is_the_highest_in_all_layers(found, measure):
    table = head_tables.head_matches(found, measure)
    assert len(table) == (4 + 3) * HEADS
    mutual = 0
    for (row, col, layer, head), best in table.iterrows():
        here = found.heads[measure].sel(model_row=row, layer_row=layer, model_col=col)
        assert best["value"] == here.isel(head_row=head).max()
        match = {"layer_col": best["layer_col"]}
        cell = here.sel(match).isel(head_row=head, head_col=best["head_col"])
        assert best["value"] == cell
        if measure == "attn_js":
            assert np.isnan(best["position"])
        else:
            assert best["position"] == pytest.approx(float(cell) - 0.1)
        back = table.loc[col, row].loc[best["layer_col"], best["head_col"]]
        assert best["mutual"] == ((back["layer_col"], back["head_col"]) == (layer, head))
        mutual += best["mutual"]
    assert 0 < mutual < len(table)


def test_positions_are_no_floor_of_a_divergence_also_in_runs_that_hold_them(found):
    kept = found.heads.assign(attn_js_position=found.heads["attn_js"] * 0 + 0.999)
    table = head_tables.head_matches(replace(found, heads=kept), "attn_js")
    assert table["position"].isna().all()
    assert head_tables.head_matches(found, "attn_frobenius")["position"].notna().all()


def test_models_are_averages_of_their_heads(found):
    table, matches = (
        head_tables.head_models(found, "attn_js"),
        head_tables.head_matches(found, "attn_js"),
    )
    a, b = found.models
    assert table.loc[a, b] == pytest.approx(matches.loc[a, b]["value"].mean())
    assert table.loc[b, a] == pytest.approx(matches.loc[b, a]["value"].mean())
    assert table.loc[a, b] != table.loc[b, a]
    assert pd.isna(table.loc[a, a])


def test_heads_without_a_match_are_left_out():
    found = comparison(measures=("attn_js",))
    found.heads["attn_js"][0, 2, :, :, 1] = np.nan
    table = head_tables.head_matches(found, "attn_js")
    assert len(table) == (4 + 3) * HEADS - 1
    assert ("encoder.2", 1) not in table.loc["hubert-a", "wav2vec2-b"].index


def test_matching_heads_needs_two_models():
    with pytest.raises(AssonanceError, match="needs two models"):
        head_tables.head_matches(comparison(("a",), (3,), ("attn_js",)), "attn_js")
