"""Figures of fine-tuning draw what their tables hold."""

import numpy as np
import pandas as pd
from comparisons import comparison, tuned
from drawn import texts

from assonance.comparison.relations import FineTuning
from assonance.plots import changes as change_plots
from assonance.tables import changes as change_tables

PAIR = FineTuning("before", "after", "again")


def test_the_curve_is_drawn_with_its_ceiling_floor_and_onset():
    scores = {
        ("cka", "before", "after"): [0.9, 0.9, 0.9, 0.4, 0.4],
        ("cka", "before", "again"): [0.5] * 5,
    }
    axes = change_plots.layers(tuned(scores), [PAIR], "cka").axes[0]
    drawn = [np.asarray(line.get_ydata(), float).tolist() for line in axes.lines]
    assert drawn[0] == [0.9, 0.9, 0.9, 0.4, 0.4]
    assert [0.5] * 5 in drawn
    assert [0.4] in drawn  # the ring


def test_heads_are_drawn_a_point_each():
    found = tuned()
    table = change_tables.heads(found, PAIR, "attn_js")
    axes = change_plots.heads(found, PAIR, "attn_js").axes[0]
    values = pd.Series(np.asarray(axes.lines[0].get_ydata(), float))
    assert values.tolist() == table["value"].tolist()


def test_intervals_are_drawn_as_a_band():
    made = comparison(("before", "after", "again"), (5, 5, 5), ("cka",))
    axes = change_plots.layers(made, [PAIR], "cka").axes[0]
    assert len(axes.collections) == 1
    assert change_plots.layers(tuned(), [PAIR], "cka").axes[0].collections[:] == []


def test_own_measures_have_titles_and_scales():
    made = tuned()
    assert "own best match" in change_plots.title_of(made, "maxcorr_own")
    assert "each head with itself" in change_plots.title_of(made, "attn_js_own")
    assert change_plots.scale_of(made, "maxcorr_own").high == 1
    assert "floor" not in texts(change_plots.layers(made, [PAIR], "maxcorr_own"))
