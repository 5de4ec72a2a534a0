"""Soft matching against POT."""

import numpy as np
import ot
import pytest

from assonance import similarity


@pytest.mark.parametrize(("row", "column"), [("x", "y"), ("y", "x"), ("x", "z"), ("x", "x")])
def test_soft_matching_is_the_cheapest_plan(layers, row, column):
    x, y = layers[row], layers[column]
    table = np.abs(np.corrcoef(x, y, rowvar=False)[: x.shape[1], x.shape[1] :])
    plan = ot.emd(ot.unif(len(table)), ot.unif(table.shape[1]), 1 - table)
    found = similarity(x, y, "soft_matching")
    assert found == pytest.approx((plan * table).sum(), abs=1e-9)
