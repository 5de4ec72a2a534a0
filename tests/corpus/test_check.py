"""The check says each thing that is wrong of the files that have it, and of no others."""

import numpy as np
import pytest
import soundfile
from signals import voice
from speech_files import write

from assonance.corpus import Corpus
from assonance.corpus.check import check


@pytest.fixture
def checked(tmp_path):
    """Write files of the samples given beside a good one, and check."""
    soundfile.write(tmp_path / "good.wav", voice(1, seed=99), 16000, subtype="FLOAT")

    def checked(deep=True, rate=16000, **samples):
        for name, values in samples.items():
            soundfile.write(tmp_path / f"{name}.wav", values, rate, subtype="FLOAT")
        corpus = Corpus.from_path(tmp_path, window=None)
        return {each.what.split(":")[0]: each for each in check(corpus, deep=deep)}

    return checked


def names(finding):
    return [line.split(" ")[0].split(":")[0] for line in finding.where]


def test_sound_files_have_nothing_wrong_with_them(checked):
    assert checked(other=voice(1, seed=1)) == {}


@pytest.mark.parametrize(
    ("samples", "severity", "what"),
    [
        (np.full(16000, np.nan), "error", "cannot be used"),
        (voice(0.01, seed=1), "error", "shorter than 25 ms, too short for a frame of most models"),
        (voice(0.05, seed=1), "warning", "shorter than 100 ms"),
        (20 * voice(1, seed=1), "warning", "beyond full scale"),
        (np.clip(20 * voice(1, seed=1), -1, 1), "warning", "clipped"),
        (np.zeros(16000), "warning", "silent"),
        (voice(1, seed=99), "warning", "with the same audio as another"),
        (
            np.stack([voice(1, seed=1), -voice(1, seed=1)], 1),
            "warning",
            "with channels that cancel each other in their mean; choose one (--channel)",
        ),
    ],
)
def test_what_is_wrong_with_the_samples_is_found(checked, samples, severity, what):
    found = checked(odd=samples)
    assert list(found) == [what]
    assert found[what].severity == severity
    assert len(found[what].where) == 1
    if what != "with the same audio as another":
        assert names(found[what]) == ["odd"]


def test_a_lower_rate_is_named_and_the_rates_are_counted(checked):
    found = checked(slow=voice(1, seed=1, rate=8000), rate=8000)
    (rates,) = [each for what, each in found.items() if what == "sampled at several rates"]
    assert rates.where == ("1 at 8000 Hz", "1 at 16000 Hz")
    (low,) = [each for what, each in found.items() if "less than 16000 Hz" in what]
    assert names(low) == ["slow"]


def test_8_bits_are_named_from_the_header_alone(checked, tmp_path):
    write(tmp_path / "old.wav", seconds=1, subtype="PCM_U8")
    assert names(checked(deep=False)["stored in 8 bits"]) == ["old"]


def test_the_quick_check_reads_no_samples(checked):
    assert checked(deep=False, odd=np.full(16000, np.nan)) == {}


def test_what_the_corpus_left_out_is_an_error_with_its_reason(checked, tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "film.m4a").write_bytes(b"x")
    whole = write(tmp_path / "torn.flac", seconds=2).read_bytes()
    (tmp_path / "torn.flac").write_bytes(whole[: len(whole) // 2])
    empty, film, torn = checked()["cannot be used"].where
    assert empty.endswith("empty.wav: is an empty file")
    assert film.endswith("film.m4a: is .m4a, which cannot be read; convert it to FLAC or WAV")
    assert torn.startswith("torn (")
    assert "cannot be read" in torn


def test_segments_that_overlap_are_named_with_how_much(tmp_path):
    write(tmp_path / "a.wav", seconds=4)
    write(tmp_path / "b.wav", seconds=4, seed=2)
    rows = ("a.wav,0,2,x", "a.wav,1.5,3,y", "a.wav,3,4,z", "b.wav,0,4,w", "a.wav,0.5,1,v")
    (tmp_path / "l.csv").write_text("\n".join(["path,start,end,id", *rows]))
    (found,) = check(Corpus.from_path(tmp_path / "l.csv"))
    assert found.what == "overlap others of the same file"
    assert [line.partition(": ")[2] for line in found.where] == [
        "0.500 s of it are also in x",
        "0.500 s of it are also in x",
    ]
    assert names(found) == ["v", "y"]


def test_missing_speakers_are_named_where_others_have_one(tmp_path):
    for number in range(3):
        write(tmp_path / f"{number}.wav", seed=number)
    (tmp_path / "l.csv").write_text("path,speaker\n0.wav,ann\n1.wav,\n2.wav,bo\n")
    (found,) = check(Corpus.from_path(tmp_path / "l.csv"))
    assert names(found) == ["1"]
    (tmp_path / "l.csv").write_text("path,speaker\n0.wav,\n1.wav,\n2.wav,\n")
    assert check(Corpus.from_path(tmp_path / "l.csv")) == []
