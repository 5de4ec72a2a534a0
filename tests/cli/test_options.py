"""Options make a request, and every option has its place in it."""

from dataclasses import fields
from pathlib import Path

import pytest
import typer

from assonance import AssonanceError
from assonance.activations.shared_rows import Pooling
from assonance.cli.options import (
    Certainty,
    Layers,
    Machine,
    Measuring,
    Options,
    Rows,
    Speech,
    _check_bytes,
)
from assonance.comparison.request import Request
from assonance.corpus import Reading
from assonance.models.loading import Loading
from assonance.settings import SETTINGS, Settings


def test_no_options_make_the_default_request():
    assert Options(Measuring(), Certainty()).build() == Request()


def test_groups_make_the_objects_that_they_are_named_after():
    assert Speech(5.0, 1, 2.0, 3).build() == Reading(5.0, 1, 2.0, 3)
    assert Rows("phone", "centre", Path("here"), True).build() == Pooling(
        "phone", "centre", "here", True
    )
    loading = Layers(["ffn", "cnn"], "bfloat16").build(Machine(device="cuda", offline=True), {})
    assert loading == Loading(("ffn", "cnn"), "bfloat16", "cuda", True)


def test_every_option_of_speech_is_one_of_reading():
    assert [each.name for each in fields(Speech)] == [each.name for each in fields(Reading)]


def test_every_option_of_certainty_but_the_switch_is_a_setting():
    names = {each.name for each in fields(Certainty)} - {"uncertainty"}
    assert names <= {each.name for each in fields(Settings)}


def test_options_that_are_given_replace_settings_and_others_keep_them():
    settings = Certainty(groups=4, shifts=2).build(SETTINGS["elkheir2024"])
    assert (settings.groups, settings.shifts, settings.bootstrap) == (4, 2, None)
    assert (settings.name, settings.sample_frames) == ("elkheir2024", 6000)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(Measuring(settings="mine"), Certainty()), "settings 'mine'"),
        (Options(Measuring(), Certainty(groups=1)), "groups must be at least 2"),
        (Options(Measuring(), Certainty(), rows=Rows("word")), "alignments: "),
    ],
    ids=["settings", "groups", "alignments"],
)
def test_options_out_of_range_are_refused(options, words):
    with pytest.raises(AssonanceError, match=words):
        options.build()


def test_an_amount_of_memory_is_checked_before_a_command_runs():
    assert _check_bytes("2GB") == "2GB"
    with pytest.raises(typer.BadParameter):
        _check_bytes("much")
