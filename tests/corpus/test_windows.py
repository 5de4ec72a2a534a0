"""Windows: each sample in one of them, each no longer than a model is given at once."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from speech_files import ids, write

from assonance.corpus import Corpus, Utterance
from assonance.corpus.windows import cut_into_windows
from assonance.errors import AssonanceError


def utterance(seconds, rate=16000, first=0):
    return Utterance(
        "tape", Path("tape.wav"), "tape", rate, 1, "PCM_16", first, first + round(seconds * rate)
    )


@given(
    seconds=st.floats(0.01, 8000),
    longest=st.floats(1, 60),
    rate=st.sampled_from([8000, 11025, 48000]),
    first=st.integers(0, 10**6),
)
def test_windows_lie_side_by_side_and_are_no_longer_than_was_asked(seconds, longest, rate, first):
    whole = utterance(seconds, rate, first)
    pieces = cut_into_windows(whole, longest)
    assert (pieces[0].first, pieces[-1].last) == (whole.first, whole.last)
    assert all(a.last == b.first for a, b in pairwise(pieces))
    lengths = [each.last - each.first for each in pieces]
    assert max(lengths) - min(lengths) <= 1
    for each in pieces:
        assert each.before + each.last - each.first + each.after <= longest * rate + 2
        assert whole.first <= each.first - each.before
        assert each.last + each.after <= whole.last
        assert each.offset == pytest.approx((each.first - whole.first) / rate)
        assert each.recording == "tape"
    assert (len(pieces) == 1) == (whole.duration <= longest)
    assert len({each.id for each in pieces}) == len(pieces)


def test_an_utterance_that_fits_is_left_as_it_is():
    whole = utterance(30)
    assert cut_into_windows(whole, 30) == [whole]


def test_inner_edges_have_a_twentieth_of_the_window_as_context_and_outer_ones_none():
    first, second, third = cut_into_windows(utterance(60), 30)
    assert (first.before, first.after) == (0, 24000)
    assert (second.before, second.after) == (24000, 24000)
    assert (third.before, third.after) == (24000, 0)
    assert [each.id for each in (first, second)] == ["tape:0.000-20.000", "tape:20.000-40.000"]


def test_windows_are_read_with_their_context_where_that_is_asked_for(tmp_path):
    whole, _ = soundfile.read(write(tmp_path / "tape.wav", seconds=3), dtype="float32")
    first, second = Corpus.from_path(tmp_path, window=2)
    np.testing.assert_array_equal(first.read(16000), whole[:24000])
    np.testing.assert_array_equal(first.read(16000, context=True), whole[:25600])
    np.testing.assert_array_equal(second.read(16000, context=True), whole[22400:])
    assert (first.lead, second.lead) == (0, 0.1)


def test_windows_of_a_segment_do_not_reach_beyond_it(tmp_path):
    whole, _ = soundfile.read(write(tmp_path / "tape.wav", seconds=5), dtype="float32")
    (tmp_path / "l.csv").write_text("path,id,start,end,text\ntape.wav,x,1,4,good day\n")
    corpus = Corpus.from_path(tmp_path / "l.csv", window=2)
    assert ids(corpus) == ["x:0.000-1.500", "x:1.500-3.000"]
    first, second = corpus
    np.testing.assert_array_equal(first.read(16000, context=True), whole[16000:41600])
    np.testing.assert_array_equal(second.read(16000, context=True), whole[38400:64000])
    assert [each.start for each in corpus] == [1, 2.5]
    assert [(each.window_of, each.offset) for each in corpus] == [("x", 0), ("x", 1.5)]
    assert first.text is None
    assert first.fingerprint() != second.fingerprint()


def test_a_corpus_says_what_it_cut(tmp_path):
    write(tmp_path / "long.wav", seconds=3)
    write(tmp_path / "short.wav", seconds=1)
    (note,) = Corpus.from_path(tmp_path, window=2).notes
    assert note.startswith("1 of 2 utterances are longer than 2 s and are cut into 2 windows")
    assert Corpus.from_path(tmp_path).notes == ()
    assert ids(Corpus.from_path(tmp_path, window=None)) == ["long", "short"]


@pytest.mark.parametrize("window", [0.5, 0, -1, float("nan")])
def test_a_window_too_short_to_hear_anything_in_is_refused(tmp_path, window):
    write(tmp_path / "a.wav")
    with pytest.raises(AssonanceError, match=r"window .*: shorter than 1 s; allow more seconds"):
        Corpus.from_path(tmp_path, window=window)


def test_a_window_never_takes_the_name_of_another_utterance(tmp_path):
    write(tmp_path / "a.wav", seconds=3)
    write(tmp_path / "a:0.000-1.500.wav")
    with pytest.raises(AssonanceError, match=r"would have the id of utterance a:0\.000-1\.500"):
        Corpus.from_path(tmp_path, window=2)


def test_two_hours_are_read_a_window_at_a_time(tmp_path):
    path = tmp_path / "tape.flac"
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        for _ in range(120):
            file.write(np.zeros(60 * 8000, np.float32))
    corpus = Corpus.from_path(path.parent)
    assert corpus.hours == pytest.approx(2)
    assert len(corpus) == 267  # of at most 27 s
    assert len(corpus.utterances[200].read(16000, context=True)) <= 30 * 16000
