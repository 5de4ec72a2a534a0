"""Numbers of a study are written as people read them."""

import numpy as np
import pytest

from assonance.report.study import page


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.125, "0.12"), (-0.126, "−0.13"), (-0.004, "0.00"), (-0.0, "0.00"), (np.nan, "–")],
)
def test_a_number_has_two_digits_and_zero_has_no_sign(value, text):
    assert page._number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0004, "<0.001"), (0.001, "0.001"), (1.0, "1.000"), (np.nan, "–")]
)
def test_a_p_value_has_three_digits(value, text):
    assert page._p(value) == text


def test_an_interval_that_is_not_known_is_not_written():
    assert page._interval(0.5, 0.4, -0.6) == "0.50 [0.40, −0.60]"
    assert page._interval(0.5, np.nan, np.nan) == "0.50"
