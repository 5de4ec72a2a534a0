"""Amounts of memory as people write them."""

import pytest

from assonance import AssonanceError
from assonance.utils.memory import MEMORY, parse_bytes


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("4GB", 4e9),
        ("4 GiB", 4 * 2**30),
        ("512MB", 5.12e8),
        ("1.5g", 1.5e9),
        ("800k", 8e5),
        ("2TiB", 2 * 2**40),
        ("100B", 100),
        (4, 4 * 2**30),
        (0.5, 2**29),
        (1e-6, 1e-6 * 2**30),
        (MEMORY, 4e9),
    ],
)
def test_amounts_are_read(amount, expected):
    assert parse_bytes(amount) == pytest.approx(expected)


@pytest.mark.parametrize(
    "amount",
    ["", "GB", "much", "4 apples", "-1GB", 0, "0MB", "1e3", "nan", float("nan"), float("inf")],
)
def test_what_is_no_amount_is_refused(amount):
    with pytest.raises(AssonanceError, match="give one such as 4GB or 512MB"):
        parse_bytes(amount)
