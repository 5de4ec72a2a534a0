"""What all formats share: ids, paths, and text files."""

from pathlib import Path

import pytest

from assonance.corpus.formats.entry import (
    check_unique_ids,
    ids_of_paths,
    read_text,
    resolve,
    segment_id,
)
from assonance.errors import AssonanceError


def test_paths_are_named_without_their_suffix_unless_two_would_share_it():
    assert ids_of_paths(["a.wav", "b.wav", "b.flac", "c", "c.wav", "a.wav"]) == {
        "a.wav": "a",
        "b.wav": "b.wav",
        "b.flac": "b.flac",
        "c": "c",
        "c.wav": "c.wav",
    }


def test_segments_are_named_to_the_millisecond():
    assert segment_id("talk", 0.5, 12.00049) == "talk:0.500-12.000"


def test_a_path_starts_from_the_current_folder_or_else_from_the_listings(tmp_path, monkeypatch):
    (tmp_path / "here.wav").write_text("")
    monkeypatch.chdir(tmp_path)
    assert resolve(Path("here.wav"), Path("away")) == Path("here.wav")
    assert resolve(Path("gone.wav"), Path("away")) == Path("away/gone.wav")
    assert resolve(tmp_path / "gone.wav", Path("away")) == tmp_path / "gone.wav"


def test_text_that_is_not_utf8_is_refused_by_name(tmp_path):
    (tmp_path / "text").write_bytes(b"\xef\xbb\xbfgood")
    assert read_text(tmp_path / "text") == "good"
    (tmp_path / "text").write_bytes(b"\xff")
    with pytest.raises(AssonanceError, match="text: cannot be read as UTF-8 text"):
        read_text(tmp_path / "text")
    with pytest.raises(AssonanceError, match=r"gone: cannot be read .*No such file"):
        read_text(tmp_path / "gone")


def test_the_first_repeated_id_is_named_with_its_line():
    check_unique_ids("l.csv", [(1, "a"), (2, "b")])
    with pytest.raises(AssonanceError) as caught:
        check_unique_ids("l.csv", [(1, "a"), (3, "a"), (4, "b"), (5, "b")])
    assert str(caught.value) == (
        "l.csv, line 3: a second utterance with the id 'a', as have 1 more lines; make ids unique"
    )
