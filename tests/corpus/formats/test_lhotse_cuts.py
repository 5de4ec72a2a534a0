"""Cuts of lhotse, written by lhotse."""

import gzip
import json

import numpy as np
import pytest
import soundfile
from signals import voice
from speech_files import ids, reasons, write

from assonance.corpus import Corpus
from assonance.errors import AssonanceError

lhotse = pytest.importorskip("lhotse")


@pytest.fixture
def recording(tmp_path):
    return lhotse.Recording.from_file(write(tmp_path / "tape.wav", seconds=2))


def saved(tmp_path, *cuts, name="cuts.jsonl.gz"):
    lhotse.CutSet.from_cuts(cuts).to_file(tmp_path / name)
    return tmp_path / name


def cut(recording, id="c", **about):
    return recording.to_cut().truncate(offset=0.5, duration=0.25).with_id(id)


@pytest.mark.parametrize("name", ["cuts.jsonl.gz", "cuts.jsonl"])
def test_a_cut_is_the_samples_that_lhotse_loads(tmp_path, recording, name):
    supervision = lhotse.SupervisionSegment(
        "s", recording.id, 0.5, 0.25, speaker="ann", language="en", text="good day"
    )
    whole = recording.to_cut()
    whole.supervisions = [supervision]
    part = whole.truncate(offset=0.5, duration=0.25).with_id("c")
    (utterance,) = Corpus.from_path(saved(tmp_path, part, name=name))
    np.testing.assert_array_equal(utterance.read(16000), part.load_audio()[0])
    assert (utterance.id, utterance.recording) == ("c", recording.id)
    assert (utterance.speaker, utterance.language, utterance.text) == ("ann", "en", "good day")


def test_channels_are_those_of_the_cut(tmp_path):
    stereo = np.stack([voice(1, seed=1), voice(1, seed=2)], 1)
    soundfile.write(tmp_path / "two.wav", stereo, 16000, subtype="FLOAT")
    both = lhotse.Recording.from_file(tmp_path / "two.wav").to_cut()
    right = lhotse.MonoCut("right", 0, 1, channel=1, recording=both.recording)
    first, second = Corpus.from_path(saved(tmp_path, both.with_id("both"), right))
    np.testing.assert_allclose(first.read(16000), stereo.mean(1), atol=1e-7)
    np.testing.assert_array_equal(second.read(16000), stereo[:, 1])


def test_what_is_no_plain_file_is_left_out_and_no_command_is_run(tmp_path, recording):
    command = lhotse.Recording(
        "cmd", [lhotse.AudioSource("command", [0], f"touch {tmp_path}/ran")], 16000, 16000, 1.0
    )
    away = lhotse.Recording(
        "url", [lhotse.AudioSource("url", [0], "https://example.org/a.wav")], 16000, 16000, 1.0
    )
    path = saved(
        tmp_path,
        cut(recording),
        cut(recording, "fast").perturb_speed(1.1),
        cut(recording, "padded").pad(1.0),
        command.to_cut().with_id("command"),
        away.to_cut().with_id("url"),
    )
    corpus = Corpus.from_path(path)
    assert ids(corpus) == ["c"]
    found = reasons(corpus)
    assert "transformed when lhotse reads it" in found.pop("fast_sp1.1")
    assert "type 'command', not a file" in found.pop("command")
    assert "type 'url', not a file" in found.pop("url")
    assert "mixed or padded" in next(iter(found.values()))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no gzip", "cannot be read after line 0"),
        (gzip.compress(b'{"type": "MonoCut"}\n'), "line 1: not a cut of lhotse"),
        (gzip.compress(b"{}\n"), "line 1: not a cut of lhotse"),
        (gzip.compress(b"\n"), "lists no cuts"),
        (gzip.compress(b'{"type": "MonoCut"}\n' * 999)[:30], "cannot be read after line"),
    ],
    ids=["no gzip", "an empty cut", "no cut", "nothing", "torn"],
)
def test_a_malformed_file_is_refused_by_name(tmp_path, content, words):
    (tmp_path / "cuts.jsonl.gz").write_bytes(content)
    with pytest.raises(AssonanceError, match=rf"cuts\.jsonl\.gz.*{words}"):
        Corpus.from_path(tmp_path / "cuts.jsonl.gz")


def test_a_cut_that_misses_something_is_refused_by_line(tmp_path, recording):
    record = cut(recording).to_dict()
    del record["duration"]
    (tmp_path / "c.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(AssonanceError, match=r"c\.jsonl, line 1: not a cut of lhotse"):
        Corpus.from_path(tmp_path / "c.jsonl")
