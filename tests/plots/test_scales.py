"""The scale of a figure follows from its measure, and says what it cuts off."""

import numpy as np
import pandas as pd
import pytest
from comparisons import comparison
from drawn import texts

from assonance.plots import matches as match_plots
from assonance.plots import scales
from assonance.plots.scales import Scale
from assonance.tables import layers as layer_tables


def test_what_is_below_the_scale_is_said_to_be_drawn_at_its_foot(found):
    scale = scales.scale(found, "linreg_heldout")
    assert (scale.low, scale.high, scale.clipped) == (0, 1, True)
    assert "lower values drawn as 0" in str(scale)
    assert "≤ 0" in texts(match_plots.depth_curves(found, "linreg_heldout"))
    assert "≤ 0" not in texts(match_plots.depth_curves(found, "cka"))


def test_a_measure_that_is_negative_throughout_has_room(found):
    scale = scales.scale(found, "attn_frobenius")
    assert scale.low <= np.nanmin(layer_tables.matrix(found, "attn_frobenius")) < 0


def test_a_measure_without_upper_bound_has_room():
    found = comparison(measures=("cka",))
    found.scores["cka"].attrs["range"] = [0, np.inf]
    assert scales.scale(found, "cka").high == 1
    found.scores["cka"] = found.scores["cka"] * 10
    assert scales.scale(found, "cka").high >= layer_tables.matrix(found, "cka").max(axis=None)


def test_values_beyond_the_scale_are_drawn_at_its_ends():
    values = pd.Series([-0.5, 0.5, 2.0])
    assert Scale(0.0, 1.0, clipped=True).clip(values).tolist() == [0, 0.5, 2]
    assert Scale(0.0, 1.0, clipped=True, capped=True).clip(values).tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.5, "0.5"), (1.254, "1.25"), (-0.2, "−0.2"), (10.0, "10")]
)
def test_numbers_are_short(value, text):
    assert scales.number(value) == text
