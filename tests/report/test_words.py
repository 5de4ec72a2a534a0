"""Headings and numbers are formatted the same way in all sections."""

import numpy as np
import pandas as pd

from assonance.report.words import interval_headings, level, named, percent, span


def test_measures_have_a_level_also_those_that_no_registry_has():
    assert (level("cka"), level("attn_js"), level("maxcorr")) == ("layer", "head", "neuron")
    assert (level("localisation"), level("my own")) == ("neuron", "layer")


def test_columns_and_index_are_named_in_words():
    index = pd.Index(["encoder.0"], name="layer_row")
    table = named(pd.DataFrame({"layer_col": ["encoder.1"], "value": [0.5]}, index), value="CKA")
    assert table.columns.tolist() == ["best-matching layer", "CKA"]
    assert table.index.name == "layer"


def test_intervals_are_named_after_their_score():
    table = pd.DataFrame(columns=["maxcorr", "maxcorr_low", "maxcorr_high", "match"])
    assert interval_headings(table) == {
        "maxcorr_low": "best single match, 95 % low",
        "maxcorr_high": "best single match, 95 % high",
    }


def test_ranges_ignore_what_is_undefined():
    assert span(pd.Series([0.25, np.nan, 0.5])) == "from 0.25 to 0.50"
    assert span(pd.Series([3.0, 12.0]), digits=0) == "from 3 to 12"
    assert span(pd.Series([np.nan])) == "not computed"


def test_fractions_are_in_per_cent():
    assert percent(0.484) == "48 %"
    assert percent(0.734, precise=True) == "73.4 %"
