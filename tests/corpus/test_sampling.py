"""Drawing a part of the speech: never more than asked for, and of all speakers alike."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from speech_files import ids, write

from assonance.corpus import Corpus, Utterance
from assonance.corpus.sampling import draw
from assonance.errors import AssonanceError


def utterances(*spoken):
    """Utterances of so many seconds by so many speakers."""
    return [
        Utterance(f"u{k}", Path("x"), f"r{k}", 1, 1, "", 0, seconds, speaker=speaker)
        for k, (speaker, seconds) in enumerate(spoken)
    ]


def seconds_by(drawn):
    total = Counter()
    for each in drawn:
        total[each.speaker] += each.duration
    return total


def test_speakers_are_drawn_alike_however_much_there_is_of_each():
    given_ = utterances(*[("ann", 4)] * 200, *[("bo", 5)] * 40, *[("cy", 3)] * 60)
    for seed in range(5):
        total = seconds_by(draw(given_, 300, seed))
        assert max(total.values()) - min(total.values()) <= 5
        assert 290 < sum(total.values()) <= 300


def test_a_speaker_who_says_little_is_drawn_whole():
    total = seconds_by(draw(utterances(*[("ann", 4)] * 200, ("bo", 5)), 100, 0))
    assert total["bo"] == 5
    assert 90 < total["ann"] <= 95


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(1, 9)), min_size=1),
    st.floats(0, 60),
    st.integers(0, 5),
)
def test_what_is_drawn_is_in_order_and_no_more_than_asked_for(spoken, seconds, seed):
    given_ = utterances(*spoken)
    drawn = draw(given_, seconds, seed)
    assert drawn == draw(given_, seconds, seed)
    assert sum(each.duration for each in drawn) <= seconds
    places = [given_.index(each) for each in drawn]
    assert places == sorted(set(places))
    left = [each.duration for each in given_ if each not in drawn]
    # Nothing more would have fitted.
    assert all(sum(each.duration for each in drawn) + more > seconds for more in left)


def test_without_speakers_recordings_are_drawn_alike():
    pieces = [
        Utterance(f"{tape}{k}", Path("x"), tape, 1, 1, "", k, k + 1)
        for tape, count in (("long", 100), ("short", 20))
        for k in range(count)
    ]
    drawn = draw(pieces, 20, 0)
    assert Counter(each.recording for each in drawn) == {"long": 10, "short": 10}


def test_a_corpus_says_what_was_drawn_and_other_seeds_draw_other_speech(tmp_path):
    for number in range(12):
        write(tmp_path / f"{number}.wav")
    some = Corpus.from_path(tmp_path, max_hours=0.5 / 3600)
    assert len(some) == 5
    assert ids(some) != ids(Corpus.from_path(tmp_path, max_hours=0.5 / 3600, seed=1))
    assert some.notes[-1].endswith("balanced by speaker (seed 0): 5 of 12 utterances")
    assert Corpus.from_path(tmp_path, max_hours=1).notes == ()


@pytest.mark.parametrize("hours", [0, -1, 1e-6])
def test_too_few_hours_for_anything_are_refused(tmp_path, hours):
    write(tmp_path / "a.wav")
    with pytest.raises(AssonanceError, match="every utterance is longer than"):
        Corpus.from_path(tmp_path, max_hours=hours)
