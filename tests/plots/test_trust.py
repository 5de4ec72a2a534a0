"""Figures of trust draw what their tables hold."""

import numpy as np
from comparisons import comparison
from drawn import texts

from assonance.plots import trust as trust_plots
from assonance.tables import floors_and_ceilings
from assonance.tables import trust as trust_tables


def test_chance_levels_are_drawn_by_measure(found):
    table = trust_tables.chance_by_measure(found)
    figure = trust_plots.chance(found)
    assert figure.axes[0].get_yticklabels()
    drawn = {line.get_label(): line.get_xdata() for line in figure.axes[0].lines}
    np.testing.assert_array_equal(drawn["between models"], table["value"])
    np.testing.assert_array_equal(drawn[floors_and_ceilings.SHIFTED.label], table["shifted"])
    np.testing.assert_array_equal(
        drawn[floors_and_ceilings.RANDOM_WEIGHTS.label], table["random weights"]
    )


def test_log_mel_frames_are_drawn_where_they_were_compared(found):
    assert "baseline: log-mel" in texts(trust_plots.chance(comparison(baseline=True)))
    assert "log-mel" not in texts(trust_plots.chance(found))


def test_overfitting_shows_its_table(found):
    table = trust_tables.overfitting(found, "linreg_r2", "linreg_heldout")
    axes = trust_plots.overfitting(found, "linreg_r2", "linreg_heldout").axes[0]
    for line, model in zip(axes.lines[1:], found.models, strict=True):
        part = table.loc[[model]]
        np.testing.assert_array_equal(line.get_xdata(), part["in_sample"].clip(lower=0))
        np.testing.assert_array_equal(line.get_ydata(), part["held_out"].clip(lower=0))
