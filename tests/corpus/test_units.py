"""Units: speakers if there are enough of them, otherwise recordings, otherwise utterances."""

from pathlib import Path

import pytest

from assonance.corpus import Corpus, Utterance
from assonance.corpus.units import LEAST_SPEAKERS, by_speaker, few_speakers, population, units_of


def corpus(recordings, speakers=None):
    speakers = [None] * len(recordings) if speakers is None else speakers
    return Corpus(
        "made",
        tuple(
            Utterance(str(number), Path("a.wav"), recording, 16000, 1, "FLOAT", 0, 1, speaker=who)
            for number, (recording, who) in enumerate(zip(recordings, speakers, strict=True))
        ),
    )


def test_units_are_speakers_if_there_are_enough():
    speakers = [f"s{number}" for number in range(LEAST_SPEAKERS)]
    made = corpus(["tape"] * (2 * LEAST_SPEAKERS), [*speakers, *reversed(speakers)])
    assert by_speaker(made)
    assert units_of(made) == [*speakers, *reversed(speakers)]
    assert population(made) == f"other speakers of the kind of these {LEAST_SPEAKERS}"


def test_one_utterance_without_a_speaker_makes_recordings_the_units():
    speakers = [*(f"s{number}" for number in range(LEAST_SPEAKERS)), None]
    made = corpus(["b", *["a"] * LEAST_SPEAKERS], speakers)
    assert not by_speaker(made)
    assert units_of(made) == ["b", *["a"] * LEAST_SPEAKERS]


@pytest.mark.parametrize(
    ("speakers", "expected"),
    [
        (["ann", "bo", "ann"], "other speech of the 2 speakers heard here"),
        (["ann", "ann", "ann"], "other speech of the one speaker heard here"),
        (None, "other recordings of the same kind, were they independent of each other"),
    ],
)
def test_few_speakers_make_recordings_the_units(speakers, expected):
    made = corpus(["a", "b", "a"], speakers)
    assert units_of(made) == ["a", "b", "a"]
    assert population(made) == expected


def test_utterances_of_one_recording_are_units_each():
    assert units_of(corpus(["tape"] * 3)) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("speakers", "words"),
    [
        (["ann", "bo", "ann"], "only 2 are named, and 10 are needed"),
        (["ann"] * 3, "only 1 is named, and 10 are needed"),
        ([*map(str, range(LEAST_SPEAKERS)), None, None], "2 of 12 utterances name none"),
    ],
)
def test_intervals_for_the_speakers_heard_alone_are_cautioned_against(speakers, words):
    (line,) = few_speakers(corpus(["a"] * len(speakers), speakers))
    assert line.startswith("intervals hold for other speech of the speakers heard here")
    assert words in line


def test_without_speakers_or_with_enough_there_is_nothing_to_say():
    assert few_speakers(corpus(["a", "b"])) == []
    speakers = [str(number) for number in range(LEAST_SPEAKERS)]
    assert few_speakers(corpus(["a"] * LEAST_SPEAKERS, speakers)) == []
