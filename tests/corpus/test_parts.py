"""Speech is divided into the same parts everywhere, each of about one length."""

from dataclasses import replace

import pytest

from assonance import AssonanceError, Corpus
from assonance.corpus.parts import Part
from assonance.demo import SPEECH


@pytest.fixture(scope="module")
def speech():
    return Corpus.from_path(SPEECH)


@pytest.mark.parametrize("text", ["0/3", "4/3", "0/0", "1/0", "x", "", "3", "1/2/3", "-1/3"])
def test_what_is_no_part_is_named(text):
    with pytest.raises(AssonanceError, match="--part") as found:
        Part.parse(text)
    assert repr(text) in str(found.value)


def test_a_part_is_counted_from_one():
    assert Part.parse("1/3") == Part(1, 3)
    assert Part.parse("3/3") == Part(3, 3)
    assert Part() == Part.parse("1/1")


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_each_utterance_is_in_one_part_and_parts_are_of_about_one_length(speech, count):
    parts = [Part(number, count).of(speech) for number in range(1, count + 1)]
    assert sorted(each.id for part in parts for each in part) == sorted(e.id for e in speech)
    lengths = [part.seconds for part in parts]
    assert max(lengths) - min(lengths) <= max(each.duration for each in speech)


def test_a_part_keeps_the_order_of_the_speech_and_does_not_depend_on_it(speech):
    backwards = replace(speech, utterances=speech.utterances[::-1])
    part = Part(2, 3)
    assert part.of(backwards).utterances[::-1] == part.of(speech).utterances
