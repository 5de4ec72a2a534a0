"""Kaldi data directories, as Kaldi's own tools read them, but for commands."""

import os

import numpy as np
import pytest
import soundfile
from speech_files import ids, reasons, write

from assonance.corpus import Corpus
from assonance.errors import AssonanceError


@pytest.fixture
def kaldi(tmp_path):
    """Make a directory of two recordings and the files given."""

    def make(**files):
        for name in ("r1", "r2"):
            write(tmp_path / "audio" / f"{name}.wav", seconds=1)
        folder = tmp_path / "train"
        folder.mkdir(exist_ok=True)
        scp = "".join(f"{name} {tmp_path}/audio/{name}.wav\n" for name in ("r1", "r2"))
        for name, text in {"wav.scp": scp, **files}.items():
            (folder / name.replace("wav_scp", "wav.scp")).write_text(text)
        return folder

    return make


def test_recordings_are_utterances_where_there_are_no_segments(kaldi):
    folder = kaldi(utt2spk="r1 ann\nr2 bo\n", text="r1 good day\nr2\n", utt2lang="r1 en\n")
    corpus = Corpus.from_path(folder)
    assert (corpus.name, ids(corpus)) == ("train", ["r1", "r2"])
    assert [each.speaker for each in corpus] == ["ann", "bo"]
    assert [each.text for each in corpus] == ["good day", ""]
    assert [each.language for each in corpus] == ["en", None]
    assert [each.recording for each in corpus] == ["r1", "r2"]


def test_segments_are_cut_from_their_recordings_in_their_order(kaldi):
    folder = kaldi(
        segments="u2 r1 0.50 -1\nu1 r1 0.00 0.25\nu3 r9 0 1\nu4 r2 0.5 0.2\n",
        utt2spk="u1 ann\nu2 bo\n",
    )
    corpus = Corpus.from_path(folder)
    assert ids(corpus) == ["u2", "u1"]
    assert [each.recording for each in corpus] == ["r1", "r1"]
    assert [each.speaker for each in corpus] == ["bo", "ann"]
    whole, _ = soundfile.read(folder.parent / "audio" / "r1.wav", dtype="float32")
    np.testing.assert_array_equal(corpus.utterances[0].read(16000), whole[8000:])
    np.testing.assert_array_equal(corpus.utterances[1].read(16000), whole[:4000])
    assert reasons(corpus) == {
        "u3": "is cut from r9, which wav.scp does not list",
        "u4": "ends at 0.2 s, not after it starts, at 0.5 s",
    }


@pytest.mark.parametrize("command", ["touch {} |", "| touch {}", "sox x.wav -t wav - |"])
def test_a_command_is_refused_in_one_line_and_never_run(kaldi, tmp_path, command):
    folder = kaldi(wav_scp=f"r1 {command.format(tmp_path / 'ran')}\n")
    with pytest.raises(AssonanceError, match=r"wav\.scp, line 1: .*command, and none is ever run"):
        Corpus.from_path(folder)
    assert not (tmp_path / "ran").exists()


def test_relative_paths_are_from_the_current_folder_or_the_directory(kaldi, tmp_path, monkeypatch):
    folder = kaldi(wav_scp="r1 audio/r1.wav\nr2 ../audio/r2.wav\n")
    monkeypatch.chdir(tmp_path)
    assert ids(Corpus.from_path(folder)) == ["r1", "r2"]
    monkeypatch.chdir(os.sep)
    assert ids(Corpus.from_path(folder)) == ["r2"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"wav_scp": "r1\n"}, r"wav\.scp, line 1: a key without a value"),
        ({"wav_scp": "\n"}, r"wav\.scp: is empty"),
        ({"segments": "u1 r1 0.5\n"}, r"segments, line 1: not an utterance, its recording"),
        ({"segments": "u1 r1 a b\n"}, r"segments, line 1: not an utterance, its recording"),
        ({"segments": "u1 r1 0 1\nu1 r2 0 1\n"}, r"segments, line 2: a second utterance"),
        ({"utt2spk": "r1 ann\nr1 bo\n"}, r"utt2spk, line 2: a second utterance"),
    ],
)
def test_a_malformed_file_is_refused_by_name_and_line(kaldi, files, words):
    with pytest.raises(AssonanceError, match=words):
        Corpus.from_path(kaldi(**files))
