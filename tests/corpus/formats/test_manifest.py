"""Segments of files, as manifests name them: what is read, and what is left out."""

import json
import time

import numpy as np
import pytest
import soundfile
from signals import voice
from speech_files import ids, reasons, write

from assonance.corpus import Corpus
from assonance.errors import AssonanceError


def opened(folder, *rows, columns="path,start,end"):
    (folder / "list.csv").write_text("\n".join([columns, *rows]) + "\n")
    return Corpus.from_path(folder / "list.csv")


def test_a_segment_is_the_samples_between_its_start_and_end(tmp_path):
    write(tmp_path / "a.wav", seconds=2)
    first, second, third = opened(tmp_path, "a.wav,0.25,0.5", "a.wav,0.5,", "a.wav,,0.25")
    whole, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    np.testing.assert_array_equal(first.read(16000), whole[4000:8000])
    np.testing.assert_array_equal(second.read(16000), whole[8000:])
    np.testing.assert_array_equal(third.read(16000), whole[:4000])
    assert (first.start, first.duration) == (0.25, 0.25)


def test_segments_are_named_after_their_file_and_times_and_share_its_recording(tmp_path):
    write(tmp_path / "in" / "a.wav", seconds=2)
    corpus = opened(tmp_path, "in/a.wav,0.25,0.5", "in/a.wav,1,2.000")
    assert ids(corpus) == ["in/a:0.250-0.500", "in/a:1.000-2.000"]
    assert {each.recording for each in corpus} == {"in/a"}


def test_a_manifest_may_name_the_recording_that_files_were_cut_from(tmp_path):
    for name in ("a.wav", "b.wav"):
        write(tmp_path / name)
    corpus = opened(tmp_path, "a.wav,tape", "b.wav,tape", columns="path,recording")
    assert {each.recording for each in corpus} == {"tape"}


def test_one_channel_of_a_file_can_be_a_segment_of_its_own(tmp_path):
    left, right = voice(0.2, seed=1), voice(0.2, seed=2)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 16000, subtype="FLOAT")
    rows = ("a.wav,l,0", "a.wav,r,1", "a.wav,none,2")
    corpus = opened(tmp_path, *rows, columns="path,id,channel")
    for utterance, expected in zip(corpus, (left, right), strict=True):
        np.testing.assert_array_equal(utterance.read(16000), expected)
    assert reasons(corpus)["none"] == "has no channel 2: it has 2, and the first is channel 0"


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        ("0.8,0.2", "ends at 0.2 s, not after it starts, at 0.8 s"),
        ("0.5,0.5", "ends at 0.5 s, not after it starts"),
        ("-1,0.5", "starts before its file does, at -1 s"),
        ("0.5,9", "ends at 9 s, past its file's end at 1.000 s"),
        ("5,", "not after it starts, at 5 s"),
        ("nan,1", "has no start and end in seconds"),
        ("0,inf", "has no start and end in seconds"),
        ("0.50000,0.50001", "less than a sample"),
    ],
)
def test_a_segment_that_cannot_be_is_left_out_alone(tmp_path, span, reason):
    write(tmp_path / "a.wav", seconds=1)
    corpus = opened(tmp_path, f"a.wav,{span},bad", "a.wav,0,1,good", columns="path,start,end,id")
    assert ids(corpus) == ["good"]
    assert reason in reasons(corpus)["bad"]


def test_an_end_rounded_past_the_file_s_is_the_file_s(tmp_path):
    write(tmp_path / "a.wav", seconds=1)
    (utterance,) = opened(tmp_path, "a.wav,0.5,1.01")
    assert len(utterance.read(16000)) == 8000


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"start": "soon"}, "line 1: start 'soon' is not a number; give seconds"),
        ({"end": "1:30"}, "line 1: end '1:30' is not a number; give seconds"),
        ({"channel": "left"}, "line 1: channel 'left' is not a whole number"),
    ],
)
def test_times_and_channels_that_are_no_numbers_are_refused_by_line(tmp_path, row, words):
    write(tmp_path / "a.wav")
    (tmp_path / "l.jsonl").write_text(json.dumps({"path": "a.wav", **row}))
    with pytest.raises(AssonanceError, match=r"l\.jsonl, ") as caught:
        Corpus.from_path(tmp_path / "l.jsonl")
    assert words in str(caught.value)


def test_all_repeated_ids_are_counted_and_the_first_named(tmp_path):
    write(tmp_path / "a.wav", seconds=1)
    rows = [f"a.wav,{number / 10},1,x" for number in range(4)]
    with pytest.raises(AssonanceError, match=r"line 3: .*the id 'x', as have 2 more lines"):
        opened(tmp_path, *rows, columns="path,start,end,id")


def test_segments_are_told_apart_in_fingerprints_and_change_with_the_file(tmp_path):
    write(tmp_path / "a.wav", seconds=1)
    rows = ("a.wav,0,0.5", "a.wav,0.5,1")
    first, second = (each.fingerprint() for each in opened(tmp_path, *rows))
    assert first != second
    assert (first, second) == tuple(each.fingerprint() for each in opened(tmp_path, *rows))
    write(tmp_path / "a.wav", seconds=1, seed=2)
    assert first != next(iter(opened(tmp_path, *rows))).fingerprint()


@pytest.mark.slow
def test_a_manifest_of_100_000_segments_opens_in_seconds(tmp_path):
    for number in range(10):
        write(tmp_path / f"{number}.wav", seconds=1, rate=100_000)
    rows = (
        f"{k % 10}.wav,{k // 10 * 1e-4:.4f},{k // 10 * 1e-4 + 1e-4:.4f}" for k in range(100_000)
    )
    started = time.process_time()
    # Not whole milliseconds: the times name the segments, so that they need ids.
    corpus = opened(
        tmp_path, *(f"{row},{k}" for k, row in enumerate(rows)), columns="path,start,end,id"
    )
    assert len(corpus) == 100_000
    assert time.process_time() - started < 20
