"""Distance correlation against dcor."""

import dcor
import numpy as np
import pytest

from assonance import similarity


@pytest.mark.parametrize(("row", "column"), [("x", "y"), ("x", "z"), ("y", "z"), ("x", "x")])
def test_distance_correlation_is_that_of_dcor(layers, row, column):
    expected = dcor.distance_correlation(layers[row], layers[column])
    found = similarity(layers[row], layers[column], "distance_correlation")
    assert found == pytest.approx(expected, abs=1e-9)


def test_ties_change_nothing():
    units = np.eye(6)[np.random.default_rng(0).integers(0, 6, 90)]
    other = units @ np.random.default_rng(1).normal(size=(6, 3))
    expected = dcor.distance_correlation(units, other)
    assert similarity(units, other, "distance_correlation") == pytest.approx(expected, abs=1e-9)
