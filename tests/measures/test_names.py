"""Measures are named by level, as they are registered."""

import pytest

from assonance import AssonanceError
from assonance.measures import MEASURES
from assonance.measures.names import LEVELS, refuse_unknown


def test_the_names_are_those_of_the_registered_measures():
    assert {each.name: each.level for each in MEASURES.values()} == LEVELS


def test_a_mistyped_name_is_answered_by_the_name_that_is_meant():
    with pytest.raises(AssonanceError, match=r"measure 'ckaa' is unknown; did you mean cka\?$"):
        refuse_unknown(["cka", "ckaa"])


def test_a_name_like_none_is_answered_by_all():
    with pytest.raises(AssonanceError, match=r"'bogus' is unknown; choose from: .*rsa"):
        refuse_unknown(["bogus"])
