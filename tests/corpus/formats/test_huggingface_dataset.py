"""Datasets of Hugging Face, saved by `datasets`."""

import numpy as np
import pytest
import soundfile
from speech_files import ids, reasons, write

from assonance.corpus import Corpus
from assonance.corpus.formats import huggingface_dataset
from assonance.errors import AssonanceError

datasets = pytest.importorskip("datasets")
datasets.disable_progress_bars()


@pytest.fixture
def save(tmp_path):
    """Save rows of audio files and whatever else is said of them."""

    def save(files, **columns):
        audio = [{"bytes": path.read_bytes(), "path": path.name} for path in files]
        table = datasets.Dataset.from_dict({"audio": audio, **columns})
        table = table.cast_column("audio", datasets.Audio())
        table.save_to_disk(tmp_path / "set")
        return tmp_path / "set"

    return save


@pytest.fixture
def files(tmp_path):
    return [write(tmp_path / "a.flac", seconds=0.3), write(tmp_path / "b.wav", rate=8000)]


def test_rows_are_utterances_that_are_read_as_their_files_are(save, files):
    corpus = Corpus.from_path(
        save(files, id=["x", "y"], speaker_id=[7, 0], sentence=["hi", ""], locale=["en", None])
    )
    assert (corpus.name, ids(corpus)) == ("set", ["x", "y"])
    assert [each.speaker for each in corpus] == ["7", "0"]
    assert [each.text for each in corpus] == ["hi", None]
    assert [each.language for each in corpus] == ["en", None]
    assert [each.sampling_rate for each in corpus] == [16000, 8000]
    for utterance, path in zip(corpus, files, strict=True):
        expected, rate = soundfile.read(path, dtype="float32")
        np.testing.assert_array_equal(utterance.read(rate), expected)
    first, second = corpus
    assert first.recording != second.recording
    assert first.fingerprint() != second.fingerprint()


def test_rows_without_ids_are_named_by_their_number_and_bad_ones_left_out(save, files, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no audio")
    corpus = Corpus.from_path(save([files[0], bad, files[1]]))
    assert ids(corpus) == ["000000", "000002"]
    assert "is not audio" in reasons(corpus)["000001"]


def test_audio_that_the_dataset_does_not_hold_is_not_fetched():
    row = {"audio": {"bytes": None, "path": "https://example.org/a.wav"}}
    with pytest.raises(ValueError, match="the dataset was saved without it"):
        huggingface_dataset._bytes_of([row], "audio", 0)()


def test_windows_of_a_row_are_read_from_it(save, tmp_path):
    path = write(tmp_path / "long.flac", seconds=3)
    corpus = Corpus.from_path(save([path]), window=2)
    whole, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(np.concatenate([each.read(16000) for each in corpus]), whole)


def test_splits_are_named_to_choose_from(tmp_path):
    split = datasets.Dataset.from_dict({"n": [1]})
    datasets.DatasetDict({"train": split, "test": split}).save_to_disk(tmp_path / "set")
    with pytest.raises(AssonanceError, match="splits test, train; name one"):
        Corpus.from_path(tmp_path / "set")


def test_a_dataset_that_cannot_be_used_is_refused_in_one_line(save, files, tmp_path):
    datasets.Dataset.from_dict({"n": [1]}).save_to_disk(tmp_path / "numbers")
    with pytest.raises(AssonanceError, match="numbers: no column of audio"):
        Corpus.from_path(tmp_path / "numbers")
    with pytest.raises(AssonanceError, match="line 2: a second utterance with the id 'x'"):
        Corpus.from_path(save(files, id=["x", "x"]))
    folder = save(files)
    next(folder.glob("*.arrow")).write_bytes(b"torn")
    with pytest.raises(AssonanceError, match="set: cannot be read as a saved dataset") as caught:
        Corpus.from_path(folder)
    assert "\n" not in str(caught.value)


def test_of_two_columns_of_audio_the_first_is_read(files, tmp_path):
    """After huggingface/datasets#7678 and #7707; other columns are not decoded."""
    audio = [[{"bytes": path.read_bytes(), "path": None}] for path in files]
    table = datasets.Dataset.from_dict({"noisy": audio[0], "clean": audio[1], "speaker": ["ann"]})
    for column in ("noisy", "clean"):
        table = table.cast_column(column, datasets.Audio())
    table.save_to_disk(tmp_path / "set")
    (utterance,) = Corpus.from_path(tmp_path / "set")
    expected, _ = soundfile.read(files[0], dtype="float32")
    np.testing.assert_array_equal(utterance.read(16000), expected)
    assert utterance.speaker == "ann"


def test_a_gap_in_a_column_of_numbers_is_no_name(save, files):
    corpus = Corpus.from_path(save([*files, files[0]], speaker=[12.0, float("nan"), 12.0]))
    assert [each.speaker for each in corpus] == ["12", None, "12"]


def test_columns_are_found_in_any_case(save, files):
    corpus = Corpus.from_path(save(files, **{"Speaker": ["ann", "bob"], "ID ": ["x", "y"]}))
    assert (ids(corpus), corpus.speakers) == (["x", "y"], ("ann", "bob"))


def test_a_column_of_lists_is_no_column_of_names(save, files):
    with pytest.raises(AssonanceError, match="column speaker: list is neither a word nor a number"):
        Corpus.from_path(save(files, speaker=[["ann"], ["bob"]]))
