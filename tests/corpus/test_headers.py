"""Headers of audio files, and entries that do not fit them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from speech_files import ids, write

from assonance.corpus import Corpus, Utterance


def only(folder: Path) -> Utterance:
    (utterance,) = Corpus.from_path(folder)
    return utterance


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty file"), (b"hello " * 99, "not audio"), (b"RIFF\0\0\0\0WAVE", "not audio")],
    ids=["empty", "text", "header alone"],
)
def test_a_file_that_is_no_audio_is_left_out_with_its_reason(tmp_path, content, reason):
    write(tmp_path / "good.wav")
    (tmp_path / "bad.wav").write_bytes(content)
    corpus = Corpus.from_path(tmp_path)
    assert ids(corpus) == ["good"]
    (left_out,) = corpus.left_out
    assert (left_out.id, left_out.path) == ("bad", str(tmp_path / "bad.wav"))
    assert reason in left_out.reason


def test_a_file_without_samples_is_left_out(tmp_path):
    write(tmp_path / "good.wav")
    write(tmp_path / "none.wav", seconds=0)
    (left_out,) = Corpus.from_path(tmp_path).left_out
    assert (left_out.id, left_out.reason) == ("none", "holds no audio")


def test_headers_tell_duration_rate_and_channels(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((4410, 2)), 44100)
    utterance = only(tmp_path)
    assert utterance.duration == pytest.approx(0.1)
    assert (utterance.sampling_rate, utterance.channels) == (44100, 2)
