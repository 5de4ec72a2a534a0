"""Folders of audio: the files found, their order and ids, and what is left out."""

import os
import sys
from pathlib import Path

import pytest
from speech_files import ids, reasons, write

from assonance.corpus import Corpus, Utterance
from assonance.errors import AssonanceError


def only(folder: Path) -> Utterance:
    (utterance,) = Corpus.from_path(folder)
    return utterance


def test_a_folder_is_searched_in_depth_and_sorted(tmp_path):
    for name in ("b/z.wav", "b/a.WAV", "a.flac", "c.ogg", "notes.txt", ".hidden.wav", "._a.wav"):
        if name.endswith(".txt"):
            (tmp_path / name).write_text("no audio")
        else:
            write(tmp_path / name)
    corpus = Corpus.from_path(tmp_path)
    assert ids(corpus) == ["a", "b/a", "b/z", "c"]
    assert corpus.name == tmp_path.name
    assert corpus.left_out == ()


def test_files_that_differ_in_suffix_alone_keep_it_in_their_ids(tmp_path):
    for name in ("a.wav", "a.flac", "a.wav.wav", "b.wav"):
        write(tmp_path / name)
    assert ids(Corpus.from_path(tmp_path)) == ["a.flac", "a.wav", "a.wav.wav", "b"]


def test_a_link_back_up_is_not_followed_for_ever(tmp_path):
    write(tmp_path / "in" / "a.wav")
    (tmp_path / "in" / "again").symlink_to(tmp_path)
    assert ids(Corpus.from_path(tmp_path)) == ["in/a"]


def test_a_file_that_links_to_itself_is_left_out(tmp_path):
    write(tmp_path / "good.wav")
    (tmp_path / "self.wav").symlink_to("self.wav")
    (tmp_path / "gone.wav").symlink_to("nowhere.wav")
    assert reasons(Corpus.from_path(tmp_path)) == dict.fromkeys(
        ("gone", "self"), "there is no such file"
    )


def test_a_linked_folder_is_searched_and_keeps_the_name_of_the_link(tmp_path):
    write(tmp_path / "elsewhere" / "a.wav")
    (tmp_path / "mine").symlink_to(tmp_path / "elsewhere")
    corpus = Corpus.from_path(tmp_path / "mine")
    assert (corpus.name, ids(corpus)) == ("mine", ["a"])


@pytest.mark.parametrize("name", ["größe 音声", "two\nlines", "quote'\"<b>", "a.b.c", "%s{}"])
def test_any_name_that_is_text_is_read_and_kept_as_id(tmp_path, name):
    write(tmp_path / f"{name}.wav")
    utterance = only(tmp_path)
    assert utterance.id == name
    assert len(utterance.read(16000)) == 1600


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are not text")
def test_a_name_that_is_no_text_is_left_out_in_one_line(tmp_path):
    write(tmp_path / "good.wav")
    bad = os.fsencode(tmp_path) + b"/\xff\n.wav"
    Path(os.fsdecode(bad)).write_bytes((tmp_path / "good.wav").read_bytes())
    (left_out,) = Corpus.from_path(tmp_path).left_out
    assert "UTF-8" in left_out.reason
    f"{left_out.id}{left_out.path}".encode()
    assert "\n" not in f"{left_out.id}{left_out.path}"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may list any folder"
)
def test_a_folder_that_cannot_be_listed_is_left_out(tmp_path):
    write(tmp_path / "a.wav")
    (tmp_path / "closed").mkdir(mode=0)
    (left_out,) = Corpus.from_path(tmp_path).left_out
    assert "cannot be listed" in left_out.reason


def test_a_listing_failure_becomes_an_utterance_left_out(tmp_path, monkeypatch):
    write(tmp_path / "a.wav")
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def refusing(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    (left_out,) = Corpus.from_path(tmp_path).left_out
    assert left_out.id == "closed"
    assert left_out.reason == "is a folder that cannot be listed: Permission denied"


def test_a_folder_without_audio_is_refused_by_name(tmp_path):
    (tmp_path / "notes.txt").write_text("no audio")
    with pytest.raises(AssonanceError, match=rf"{tmp_path.name}: no audio in this folder"):
        Corpus.from_path(tmp_path)
