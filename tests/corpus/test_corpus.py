"""Corpora: what is found, in what order, under what ids, and what is left out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from signals import voice
from speech_files import ids, reasons, write

from assonance.corpus import Corpus
from assonance.errors import AssonanceError, UnusableAudio


def only(folder: Path) -> object:
    (utterance,) = Corpus.from_path(folder)
    return utterance


# Folders


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


# Headers


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


def test_a_corpus_counts_hours_speakers_languages_and_rates(tmp_path):
    write(tmp_path / "a.wav", seconds=0.9)
    write(tmp_path / "b.wav", seconds=0.9, rate=8000)
    (tmp_path / "manifest.csv").write_text(
        "path,speaker,language\na.wav,June,en\nb.wav,,\n", encoding="utf-8"
    )
    corpus = Corpus.from_path(tmp_path)
    assert corpus.hours == pytest.approx(1.8 / 3600)
    assert (corpus.speakers, corpus.languages) == (("June",), ("en",))
    assert corpus.sampling_rates == (8000, 16000)
    assert len(corpus) == 2


# Samples


def test_channels_are_averaged(tmp_path):
    left, right = voice(0.1, seed=1), voice(0.1, seed=2)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16000, subtype="FLOAT")
    samples = only(tmp_path).read(16000)
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, (left + right) / 2, atol=1e-7)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
def test_a_tone_keeps_its_pitch_and_strength_through_resampling(tmp_path, rate):
    time = np.arange(rate) / rate
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 1000 * time), rate)
    samples = only(tmp_path).read(16000)
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    assert len(samples) == 16000
    np.testing.assert_allclose(samples[800:-800], expected[800:-800], atol=2e-3)


@pytest.mark.parametrize(
    ("subtype", "step"), [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23)]
)
def test_integers_of_any_width_come_on_the_same_scale(tmp_path, subtype, step):
    audio = voice(0.1, seed=3)
    soundfile.write(tmp_path / "a.wav", audio, 16000, subtype=subtype)
    np.testing.assert_allclose(only(tmp_path).read(16000), audio, atol=1.01 * step)


def test_floats_beyond_one_are_left_as_they_are(tmp_path):
    soundfile.write(tmp_path / "a.wav", 5 * voice(0.1, seed=3), 16000, subtype="FLOAT")
    np.testing.assert_allclose(only(tmp_path).read(16000), 5 * voice(0.1, seed=3), rtol=1e-6)


def test_a_wrong_suffix_does_not_matter_where_the_content_is_audio(tmp_path):
    write(tmp_path / "a.flac").rename(tmp_path / "a.wav")
    assert len(only(tmp_path).read(16000)) == 1600


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_numbers_are_refused_by_file(tmp_path, bad):
    audio = voice(0.1, seed=3)
    audio[7] = bad
    soundfile.write(tmp_path / "a.wav", audio, 16000, subtype="FLOAT")
    with pytest.raises(UnusableAudio, match=r"a\.wav: holds samples that are NaN"):
        only(tmp_path).read(16000)


def test_a_truncated_flac_is_refused_by_file(tmp_path):
    whole = write(tmp_path / "a.flac", seconds=2).read_bytes()
    (tmp_path / "a.flac").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnusableAudio, match=r"a\.flac: cannot be read"):
        only(tmp_path).read(16000)


@pytest.mark.skipif("MP3" not in soundfile.available_formats(), reason="libsndfile without MP3")
def test_a_truncated_mp3_is_refused_by_file(tmp_path):
    whole = write(tmp_path / "a.mp3", seconds=2).read_bytes()
    (tmp_path / "a.mp3").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnusableAudio, match=r"a\.mp3: ends early: \d+ of the 32000 samples"):
        only(tmp_path).read(16000)


def test_audio_deleted_since_is_refused_by_file(tmp_path):
    utterance = only(write(tmp_path / "a.wav").parent)
    utterance.path.unlink()
    with pytest.raises(UnusableAudio, match=r"a\.wav: cannot be read"):
        utterance.read(16000)
    with pytest.raises(UnusableAudio, match=r"a\.wav: cannot be read: No such file"):
        utterance.fingerprint()


def test_too_few_samples_to_resample_are_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(1), 44100)
    with pytest.raises(UnusableAudio, match="holds no audio"):
        only(tmp_path).read(16000)


def test_fingerprints_follow_the_bytes_of_the_file(tmp_path):
    utterance = only(write(tmp_path / "a.wav").parent)
    before = utterance.fingerprint()
    assert before == only(tmp_path).fingerprint()
    content = bytearray(utterance.path.read_bytes())
    content[-1] ^= 1
    utterance.path.write_bytes(content)
    assert utterance.fingerprint() != before


# Manifests


def test_a_csv_manifest_gives_order_ids_and_what_is_known(tmp_path):
    for name in ("a.wav", "b.wav"):
        write(tmp_path / "audio" / name)
    manifest = tmp_path / "list.csv"
    manifest.write_text(
        "id,path,speaker,language,text,ignored\n"
        'second,audio/b.wav,Allison,en,"hello, ""you""\nthere",x\n'
        ",audio/a.wav,,,,\n",
        encoding="utf-8-sig",
    )
    corpus = Corpus.from_path(manifest)
    second, first = corpus
    assert (corpus.name, ids(corpus)) == ("list", ["second", "audio/a"])
    assert (second.speaker, second.language) == ("Allison", "en")
    assert second.text == 'hello, "you"\nthere'
    assert (first.speaker, first.language, first.text) == (None, None, None)
    assert first.path == tmp_path / "audio" / "a.wav"


def test_a_jsonl_manifest_says_the_same(tmp_path):
    write(tmp_path / "a.wav")
    row = {"path": str(tmp_path / "a.wav"), "id": 7, "speaker": "Ж", "text": None}
    (tmp_path / "list.jsonl").write_text(f"\n{json.dumps(row)}\n\n", encoding="utf-8")
    (utterance,) = Corpus.from_path(tmp_path / "list.jsonl")
    assert (utterance.id, utterance.speaker, utterance.text) == ("7", "Ж", None)


def test_a_manifest_in_a_folder_is_used_in_its_stead(tmp_path):
    for name in ("a.wav", "b.wav"):
        write(tmp_path / name)
    (tmp_path / "manifest.csv").write_text("path\nb.wav\n")
    corpus = Corpus.from_path(tmp_path)
    assert (corpus.name, ids(corpus)) == (tmp_path.name, ["b"])


def test_a_file_that_a_manifest_names_and_is_not_there_is_left_out(tmp_path):
    write(tmp_path / "a.wav")
    (tmp_path / "list.csv").write_text("path\na.wav\ngone.wav\n")
    (left_out,) = Corpus.from_path(tmp_path / "list.csv").left_out
    assert (left_out.id, left_out.reason) == ("gone", "there is no such file")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("l.csv", "file\na.wav\n", "no column named path"),
        ("l.csv", "", "no column named path"),
        ("l.csv", "path\n", "lists no utterances"),
        ("l.csv", "path,id\n,x\n", "line 2: no path"),
        ("l.csv", "path,text\na.wav,one, two\n", "line 2: more cells than columns"),
        ("l.csv", 'path\n"a.wav', "not valid CSV after line 1"),
        ("l.csv", "path,id\na.wav,x\nb.wav,x\n", "line 3: a second utterance with the id 'x'"),
        ("l.csv", "path\na.wav\na.wav\n", "line 3: a second utterance"),
        ("l.csv", b"path\n\xff.wav\n", "cannot be read as UTF-8"),
        ("l.jsonl", "{oh}\n", "line 1: not JSON"),
        ("l.jsonl", '{"path": "\\ud800.wav"}\n', "line 1: holds half a character"),
        ("l.jsonl", "[" * 100_000, "line 1: not JSON"),
        ("l.jsonl", '"a.wav"\n', "line 1: not a JSON object"),
        ("l.jsonl", '{"file": "a.wav"}\n', "line 1: no path"),
        ("l.txt", "a.wav\n", "neither a folder nor a .csv or .jsonl manifest"),
    ],
)
def test_a_malformed_manifest_is_refused_by_name_in_one_line(tmp_path, name, content, words):
    write(tmp_path / "a.wav")
    write(tmp_path / "b.wav")
    raw = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(AssonanceError) as caught:
        Corpus.from_path(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


# Nothing to read


def test_a_missing_folder_is_refused_by_name(tmp_path):
    for path in (tmp_path / "gone", "gone", "~nobody/gone", f"{'x' * 5000}gone"):
        with pytest.raises(AssonanceError, match="gone: no such folder or manifest"):
            Corpus.from_path(path)


def test_a_folder_without_audio_is_refused_by_name(tmp_path):
    (tmp_path / "notes.txt").write_text("no audio")
    with pytest.raises(AssonanceError, match=rf"{tmp_path.name}: no audio in this folder"):
        Corpus.from_path(tmp_path)


def test_a_folder_without_any_usable_audio_is_refused_with_the_first_reason(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(AssonanceError, match=r"none of its 2 .*a\.wav: is an empty file"):
        Corpus.from_path(tmp_path)


def test_reading_corpora_and_stores_and_naming_models_needs_no_torch():
    program = (
        "import sys, assonance.corpus, assonance.models;"
        "import assonance.activations.store, assonance.activations.extraction;"
        "sys.exit(any(heavy in sys.modules for heavy in ('torch', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
