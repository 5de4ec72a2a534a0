"""Figures carry their numbers as tables and do not depend on settings."""

import matplotlib as mpl
import numpy as np
from pages import Page, small

from assonance.report.page import render
from assonance.report.pictures import grid
from assonance.tables import layers as layer_tables
from assonance.tables import matches as match_tables


def test_tables_hold_the_numbers_of_the_figures():
    found = small(uncertainty=False)
    table = layer_tables.matrix(found, "cka")
    shown = grid(table)
    assert [[each.text for each in row] for row in shown.head] == [
        ["", "", "hubert-a", "wav2vec2-b"],
        ["model", "layer", *(layer for _, layer in table.columns)],
    ]
    assert [each.columns for each in shown.head[0]] == [1, 1, 3, 2]
    assert [labels for labels, _ in shown.body] == table.index.tolist()
    numbers = np.array([cells for _, cells in shown.body], float)
    np.testing.assert_allclose(numbers, table, atol=5.1e-4)
    text = Page(render(found, ())).text
    assert all(cell in text for _, cells in shown.body for cell in cells)


def test_what_is_missing_is_a_dash():
    first = grid(match_tables.best_layers(small(measures=("attn_js",)), "attn_js")).body[0]
    assert first[0] == ("hubert-a", "wav2vec2-b", "encoder.0")
    assert first[1][0] == first[1][2] == "–"


def test_a_readers_matplotlib_settings_do_not_change_the_page():
    plain = render(small(), ())
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        assert render(small(), ()) == plain
        assert mpl.rcParams["font.size"] == 30
