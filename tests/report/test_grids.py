"""Tables hold the numbers of the figures, rounded as there."""

import numpy as np
import pandas as pd
from pages import small

from assonance.report.grids import cell, grid
from assonance.tables import layers as layer_tables
from assonance.tables import matches as match_tables


def test_tables_hold_numbers_under_their_headings():
    table = layer_tables.matrix(small(uncertainty=False), "cka")
    shown = grid(table)
    assert [[each.text for each in row] for row in shown.head] == [
        ["", "", "hubert-a", "wav2vec2-b"],
        ["model", "layer", *(layer for _, layer in table.columns)],
    ]
    assert [each.columns for each in shown.head[0]] == [1, 1, 3, 2]
    assert [labels for labels, _ in shown.body] == table.index.tolist()
    numbers = np.array([cells for _, cells in shown.body], float)
    np.testing.assert_allclose(numbers, table, atol=5.1e-4)


def test_what_is_missing_is_a_dash():
    first = grid(match_tables.best_layers(small(measures=("attn_js",)), "attn_js")).body[0]
    assert first[0] == ("hubert-a", "wav2vec2-b", "encoder.0")
    assert first[1][0] == first[1][2] == "–"
    assert [cell(each) for each in (None, pd.NA, np.nan)] == ["–"] * 3


def test_values_are_rounded_to_thousandths_and_zero_has_no_sign():
    assert [cell(each) for each in (0.12345, -0.0001, np.float32(0.5), 7)] == [
        "0.123",
        "0.000",
        "0.500",
        "7",
    ]
    assert [cell(each) for each in (True, np.bool_(False))] == ["yes", "no"]
