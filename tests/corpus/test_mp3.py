"""The length of MP3 files: counted where nothing gives it, and wrong ones named."""

import io

import numpy as np
import pytest
import soundfile

from assonance.corpus import Corpus
from assonance.corpus import mp3 as module
from assonance.corpus.mp3 import count_samples, fault_of_length

RATE, SECONDS = 16000, 4
ALLOWED = 4 * 1152  # samples: the encoder's delay, and incomplete frames


def encoded(*parts, mode="VARIABLE", rate=RATE, channels=1):
    """Noise, a tone and silence as an MP3 file with a Xing header."""
    time = np.arange(rate * SECONDS)
    sounds = {
        "noise": 0.2 * np.random.default_rng(0).normal(size=len(time)),
        "tone": 0.3 * np.sin(0.05 * time),
        "silence": np.zeros(len(time)),
    }
    samples = np.concatenate([sounds[part] for part in parts])
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer,
        "w",
        rate,
        channels,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode=mode,
        compression_level=0.5,
    ) as file:
        file.write(np.repeat(samples[:, None], channels, axis=1))
    return buffer.getvalue()


def headless(content):
    """Cut the first frame off, which holds the length, as in bastibe/python-soundfile#379."""
    start = content.index(b"\xff")
    assert b"Xing" in content[start : start + 100] or b"Info" in content[start : start + 100]
    return content[content.index(content[start : start + 2], start + 2) :]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000])
@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
def test_samples_are_counted_without_decoding(mode, rate, channels):
    content = encoded("tone", "noise", mode=mode, rate=rate, channels=channels)
    assert 0 <= count_samples(content) - 2 * SECONDS * rate <= ALLOWED


@pytest.mark.parametrize("parts", [("noise", "silence"), ("tone", "noise")])
def test_a_variable_bit_rate_without_a_header_is_left_out_and_named(tmp_path, parts):
    (tmp_path / "bad.mp3").write_bytes(headless(encoded(*parts)))
    (tmp_path / "good.mp3").write_bytes(encoded(*parts))
    corpus = Corpus.from_path(tmp_path)
    assert [each.id for each in corpus] == ["good"]
    (left_out,) = corpus.left_out
    assert left_out.id == "bad"
    assert "header of the length is absent or wrong; convert it" in left_out.reason
    assert left_out.reason.startswith("is an mp3 of 12")


def test_a_constant_bit_rate_needs_no_header(tmp_path):
    (tmp_path / "a.mp3").write_bytes(headless(encoded("tone", "noise", mode="CONSTANT")))
    (utterance,) = Corpus.from_path(tmp_path, window=None)
    assert abs(len(utterance.read(RATE)) - 2 * SECONDS * RATE) <= ALLOWED


def test_a_header_that_explains_the_size_is_believed(monkeypatch):
    monkeypatch.setattr(module, "count_samples", None)
    for after in (b"", b"TAG" + bytes(125)):
        content = encoded("tone", "noise") + after
        assert fault_of_length(io.BytesIO(content), 2 * SECONDS * RATE) is None


def test_two_files_joined_are_longer_than_the_first_header():
    content = encoded("tone", "noise") + encoded("noise", "tone")
    fault = fault_of_length(io.BytesIO(content), 2 * SECONDS * RATE)
    assert f"of which only {2 * SECONDS * RATE} would be read" in fault


@pytest.mark.parametrize("junk", [b"\xff" * 50, b"\xff\xfb\x90\x64" + bytes(100), bytes(700)])
def test_tags_and_bytes_between_frames_are_no_audio(junk):
    content = headless(encoded("tone", "noise"))
    expected = count_samples(content)
    assert count_samples(junk + content) == expected
    tag = b"ID3\x04\x00\x00\x00\x00\x01\x00" + (junk * 128)[:128]
    assert fault_of_length(io.BytesIO(tag + content), expected) is None
    assert str(expected) in fault_of_length(io.BytesIO(tag + content), expected // 2)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"ID3", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f", b"no"]
)
def test_what_is_no_audio_has_no_samples(content):
    assert count_samples(content) == 0
    assert fault_of_length(io.BytesIO(content), 0) is None
