"""Figures of heads draw what their tables hold, and the tables what the comparison holds."""

import numpy as np
import pandas as pd
import pytest
from comparisons import HEADS, comparison
from matplotlib.collections import LineCollection

from assonance.errors import AssonanceError
from assonance.plots import heads as head_plots
from assonance.plots import scales
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
        assert best["position"] == pytest.approx(float(cell) - 0.1)
        back = table.loc[col, row].loc[best["layer_col"], best["head_col"]]
        assert best["mutual"] == ((back["layer_col"], back["head_col"]) == (layer, head))
        mutual += best["mutual"]
    assert 0 < mutual < len(table)


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


@pytest.mark.parametrize("measure", ["attn_js", "attn_frobenius"])
def test_matches_show_their_table(found, measure):
    table, low = head_tables.head_matches(found, measure), scales.scale(found, measure).low
    figure = head_plots.head_matches(found, measure)
    for axes, row in zip(figure.axes, found.models, strict=True):
        (col,) = set(found.models) - {row}
        (line,) = [each for each in axes.lines if each.get_label() == col]
        part = table.loc[row, col]
        np.testing.assert_array_equal(line.get_xdata(), part["position"].clip(lower=low))
        np.testing.assert_array_equal(line.get_ydata(), part["value"].clip(lower=low))


def test_kinds_show_every_heads_profile_in_the_colour_and_letter_of_its_kind(found):
    table, figure = head_tables.heads(found), head_plots.head_kinds(found)
    for axes, model in zip(figure.axes, found.models, strict=True):
        drawn = {each.get_label(): each for each in axes.findobj(LineCollection)}
        assert len(drawn) == len(table.loc[model])
        letters = {text.get_text() for text in axes.texts}
        for (layer, head), row in table.loc[model].iterrows():
            (points,) = drawn[f"{layer} {head}"].get_segments()
            profile = found.heads["profile"].sel(
                model_row=model, layer_row=layer, offset=slice(-25, 25)
            )[head]
            heights = points[:, 1] - np.floor(points[:, 1].min() + 1e-9)
            np.testing.assert_allclose(heights, 0.72 * profile / profile.max(), atol=1e-9)
            assert f"{head_plots.LOOKS[row['kind']][0]}{head}" in letters


def test_heads_of_a_layer_are_sorted_by_kind(found):
    figure, order = (
        head_plots.head_kinds(found),
        [letter for letter, _ in head_plots.LOOKS.values()],
    )
    for axes in figure.axes:
        for column in range(4):
            inside = [text for text in axes.texts if int(text.get_position()[0]) == column]
            ranks = [
                order.index(text.get_text()[0])
                for text in sorted(inside, key=lambda text: text.get_position()[1])
            ]
            assert ranks == sorted(ranks)


def test_what_was_not_measured_of_heads_is_refused(found):
    with pytest.raises(AssonanceError, match="you can use: attn_js, attn_frobenius"):
        head_plots.head_matches(found, "attn_cka")
    with pytest.raises(AssonanceError, match="no attention was measured"):
        head_plots.head_kinds(comparison(measures=("cka",)))
    with pytest.raises(AssonanceError, match="one model alone"):
        head_tables.head_matches(comparison(("a",), (3,), ("attn_js",)), "attn_js")
