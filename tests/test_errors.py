"""Names and messages that stay on one line."""

import pickle
from pathlib import Path

import pytest

from assonance import AssonanceError, Comparison, Precomputed, load_model
from assonance.errors import UnusableAudio, check_path, error_text, join_names, one_line, printable


@pytest.mark.parametrize(
    ("name", "expected"),
    [("größe 音声", "größe 音声"), ("two\nlines", r"'two\nlines'"), ("\udcff", r"'\udcff'")],
)
def test_names_never_break_a_line(name, expected):
    assert printable(name) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c", "d"], "a, b, c and d"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
    ],
)
def test_names_are_joined_as_in_a_sentence(names, expected):
    assert join_names(names) == expected


def test_the_text_of_an_error_has_no_path_and_no_full_stop():
    assert error_text(FileNotFoundError(2, "No such file", "a.wav")) == "No such file"
    assert error_text(ValueError("two\nlines.")) == "two lines"


def test_unusable_audio_is_named_if_its_path_is_known():
    assert str(UnusableAudio("is empty")) == "is empty"
    error = UnusableAudio("is empty", "a.wav")
    assert (str(error), error.reason) == ("a.wav: is empty", "is empty")


@pytest.mark.parametrize("value", [None, 5, ["a"], b"a"])
def test_what_is_no_path_is_refused_by_what_it_should_be(value):
    name = type(value).__name__
    with pytest.raises(AssonanceError, match=f"^the model must be a name or path; got {name}$"):
        load_model(value)
    with pytest.raises(AssonanceError, match=f"^the file of results must be .*; got {name}$"):
        Comparison.load(value)
    with pytest.raises(AssonanceError, match=f"^the folder of activations must be .*; got {name}$"):
        Precomputed(value)


@pytest.mark.parametrize("value", ["a", Path("a")])
def test_text_and_paths_are_paths(value):
    check_path(value, "it")


@pytest.mark.parametrize(
    "character", ["\n", "\r", "\x1b", "\x9b", "\x07", "\u2028", "\u202e", "\udcff"]
)
def test_no_error_breaks_a_line_or_a_terminal(character):
    for error in (AssonanceError(f"a{character}b"), UnusableAudio(f"a{character}b", "file")):
        assert str(error).isprintable()
        assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own


def test_text_that_can_be_printed_stays_as_it_is():
    text = "größe 音声 × — ‘x’ \\n"
    assert one_line(text) == text == one_line(one_line(text))
