"""Curves of best matches draw what their tables hold, with floors and ceilings."""

import numpy as np
import pytest
from comparisons import comparison
from drawn import lines, texts

from assonance.errors import AssonanceError
from assonance.plots import layers as layer_plots
from assonance.plots import matches as match_plots
from assonance.plots import scales
from assonance.tables import floors_and_ceilings
from assonance.tables import layers as layer_tables
from assonance.tables import matches as match_tables


@pytest.mark.parametrize("measure", ["linreg_heldout", "maxcorr", "attn_js"])
def test_curves_show_their_table(found, measure):
    table, drawn = (
        match_tables.best_layers(found, measure),
        lines(match_plots.depth_curves(found, measure)),
    )
    low = scales.scale(found, measure).low
    for place, row in enumerate(found.models):
        for col in set(found.models) - {row}:
            part = table.loc[row, col]
            np.testing.assert_array_equal(drawn[place, col], part["estimate"].clip(lower=low))
            np.testing.assert_array_equal(
                drawn[place, f"ceiling {col}"], part["neighbour"].clip(lower=low)
            )
            np.testing.assert_array_equal(
                drawn[place, f"floor {col}"], part["floor"].clip(lower=low)
            )


@pytest.mark.parametrize("measure", ["linreg_heldout", "maxcorr", "attn_js"])
def test_shares_show_their_table_between_floor_and_ceiling(found, measure):
    table, figure = match_tables.best_layers(found, measure), match_plots.shares(found, measure)
    drawn = lines(figure)
    for place, row in enumerate(found.models):
        for col in set(found.models) - {row}:
            part = table.loc[row, col]
            room = part["neighbour"] - part["floor"]
            for end, read in (("share", "estimate"), ("share_low", "low"), ("share_high", "high")):
                way = ((part[read] - part["floor"]) / room).where(room > 0)
                np.testing.assert_allclose(part[end], way)
            np.testing.assert_array_equal(drawn[place, col], part["share"].clip(0, 1.25))
    assert "≤ 0" in texts(figure)
    assert "≥ 1.25" in texts(figure)


def test_without_a_floor_there_is_no_share():
    with pytest.raises(AssonanceError, match="cka: has no floor or no ceiling"):
        match_plots.shares(comparison(twins=False), "cka")


def test_log_mel_frames_have_a_line_of_their_own_and_no_tile():
    made = comparison(baseline=True)
    table, figure = match_tables.best_layers(made, "cka"), match_plots.depth_curves(made, "cka")
    drawn = [line for line in figure.axes[0].lines if line.get_linestyle() == "-."]
    first, second = made.models
    (line,) = drawn
    np.testing.assert_array_equal(line.get_ydata(), table.loc[first, second]["baseline"])
    assert floors_and_ceilings.BASELINE.label in texts(figure)
    assert floors_and_ceilings.BASELINE.label not in texts(
        match_plots.depth_curves(comparison(), "cka")
    )
    assert "mel" not in layer_tables.matrix(made, "cka").index.get_level_values("model")
    assert "mel" in layer_tables.matrix(made, "cka", twins=True).index.get_level_values("model")


def test_without_twins_there_is_no_floor():
    found = comparison(twins=False)
    table = match_tables.best_layers(found, "cka")
    assert floors_and_ceilings.floor(table, "cka") is None
    assert "floor" not in table
    assert "floor" not in texts(match_plots.depth_curves(found, "cka"))
    rotated = floors_and_ceilings.floor(match_tables.best_layers(found, "maxcorr"), "maxcorr")
    assert rotated.words == "randomly rotated neurons"


def test_depths_of_best_matches_show_their_table(found):
    table, drawn = (
        match_tables.best_layers(found, "cka"),
        lines(match_plots.best_layers(found, "cka")),
    )
    for place, row in enumerate(found.models):
        for col in set(found.models) - {row}:
            np.testing.assert_array_equal(drawn[place, col], table.loc[row, col]["depth_col"])


def test_localisation_is_read_where_the_held_out_score_is_highest(found):
    table = match_tables.localisation(found)
    drawn = lines(match_plots.localisation(found))
    best = match_tables.best_layers(found, "linreg_heldout")
    assert table["layer_col"].tolist() == best["layer_col"].tolist()
    for (row, col, layer), each in table.iterrows():
        values = found.matrix("localisation", row, col)
        assert each["value"] == values.sel(layer_row=layer, layer_col=each["layer_col"])
    for place, row in enumerate(found.models):
        for col in set(found.models) - {row}:
            np.testing.assert_array_equal(drawn[place, col], table.loc[row, col]["estimate"])


def test_models_keep_the_order_in_which_they_were_given():
    found = comparison(("z", "a", "m"), (3, 4, 2))
    for measure in ("cka", "maxcorr"):
        assert match_plots.depth_curves(found, measure).axes[0].get_title() == "each layer of z"
        assert match_plots.best_layers(found, measure)
    assert match_plots.localisation(found)
    assert layer_plots.consensus(found)
    assert layer_tables.matrix(found, "cka").index.unique("model").tolist() == ["z", "a", "m"]


def test_what_was_not_computed_is_refused():
    with pytest.raises(AssonanceError, match="compare with"):
        match_plots.localisation(comparison(measures=("cka",)))
    with pytest.raises(AssonanceError, match="only one model"):
        match_plots.depth_curves(comparison(("a",), (3,)), "cka")
