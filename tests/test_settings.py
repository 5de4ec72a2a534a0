"""Settings are found by name, and a choice out of range is refused in one line."""

from dataclasses import replace

import numpy as np
import pytest

from assonance.errors import AssonanceError
from assonance.settings import SETTINGS, Settings, find_settings


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_found_by_name_and_pass_through(name):
    assert find_settings(name) is SETTINGS[name]
    assert find_settings(SETTINGS[name]).name == name


def test_the_published_settings_are_those_of_the_study():
    published = SETTINGS["elkheir2024"]
    assert (published.cut, published.variance) == ("below", 0.99)
    assert published.attention_seconds is None
    assert published.attention_rows == 0  # all: divergences are exact


def test_unknown_settings_are_refused_with_the_known_ones():
    with pytest.raises(AssonanceError, match=r"'mine' are not known; .*default, elkheir2024"):
        find_settings("mine")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"variance": 0}, "variance must be above 0"),
        ({"cut": "above"}, "cut must be 'reach' or 'below'"),
        ({"folds": 1}, "folds must be at least 2"),
        ({"rotations": 0}, "rotations must be at least 1"),
        ({"interval_neurons": 1}, "interval_neurons must be at least 2"),
        ({"bootstrap": 38}, "bootstrap must be at least 39 draws"),
        ({"attention_seconds": float("nan")}, "attention_seconds must be at least 1"),
        ({"attention_rows": 1}, "attention_rows must be at least 2, or 0 for all frames; got 1"),
        ({"attention_rows": -1}, "attention_rows must be at least 0, 0 for all frames; got -1"),
        ({"attention_seconds": "10"}, "attention_seconds must be at least 1, or None; got '10'"),
        ({"variance": "0.9"}, "variance must be above 0 and at most 1; got '0.9'"),
        ({"folds": 2.5}, "folds must be a whole number; got 2.5"),
        ({"groups": True}, "groups must be a whole number; got True"),
        ({"sample_frames": None}, "sample_frames must be a whole number; got None"),
        ({"bootstrap": 40.0}, "bootstrap must be a whole number; got 40.0"),
        ({"seed": -1}, "seed must be at least 0; got -1"),
        ({"seed": 2**64}, "seed must be at most 9223372036854775807"),
        ({"name": None}, "name must be a word; got None"),
    ],
    ids=str,
)
def test_a_choice_out_of_range_is_refused(choice, message):
    with pytest.raises(AssonanceError, match=message):
        replace(SETTINGS["default"], **choice)


def test_whole_numbers_of_numpy_will_do():
    assert replace(SETTINGS["default"], folds=np.int64(3), seed=np.uint8(7)).folds == 3


@pytest.mark.parametrize("settings", [None, {}, 5], ids=str)
def test_what_is_neither_a_name_nor_settings_is_refused(settings):
    with pytest.raises(AssonanceError, match="are not known; choose one of: default"):
        find_settings(settings)


def test_replicates_are_groups_or_draws():
    assert Settings("jackknife").replicated == "group"
    assert Settings("bootstrap", bootstrap=39).replicated == "draw"
