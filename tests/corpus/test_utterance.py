"""Samples of utterances in every audio format, and files that are cut off."""

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from signals import voice
from speech_files import ids, reasons, write

from assonance.corpus import Corpus, Utterance
from assonance.demo import SPEECH
from assonance.errors import UnusableAudio

# Format, how a sample is stored, suffix, and the largest error of a sample; None where the
# format keeps how speech sounds and not its samples.
WRITTEN = [
    *(("WAV", "PCM_U8", "wav", 2**-7), ("WAV", "PCM_16", "wav", 2**-15)),
    *(("WAV", "PCM_24", "wav", 2**-15), ("WAV", "FLOAT", "wav", 2**-15)),
    *(("WAV", "ULAW", "wav", 0.02), ("WAV", "ALAW", "wav", 0.02)),
    *(("WAVEX", "PCM_16", "wav", 2**-15), ("RF64", "PCM_16", "rf64", 2**-15)),
    *(("W64", "PCM_16", "w64", 2**-15), ("AIFF", "PCM_16", "aiff", 2**-15)),
    *(("AU", "PCM_16", "au", 2**-15), ("CAF", "PCM_16", "caf", 2**-15)),
    *(("NIST", "PCM_16", "sph", 2**-15), ("NIST", "ULAW", "sph", 0.02)),
    *(("FLAC", "PCM_16", "flac", 2**-15), ("FLAC", "PCM_24", "flac", 2**-15)),
    *(("OGG", "VORBIS", "ogg", None), ("OGG", "OPUS", "opus", None)),
    ("MP3", "MPEG_LAYER_III", "mp3", None),
]
# Command lines that make a file of speech.flac.
COMMANDS = [
    ("ffmpeg", "-c:a pcm_s16le speech.wav"),
    ("ffmpeg", "-c:a pcm_f32le -ar 44100 -ac 2 speech.wav"),
    ("ffmpeg", "-c:a libopus speech.opus"),
    ("ffmpeg", "-c:a libvorbis speech.ogg"),
    ("ffmpeg", "-c:a libmp3lame -b:a 64k speech.mp3"),
    ("sox", "-t sph speech.sph"),
    ("sox", "-b 8 -e unsigned-integer speech.wav"),
    ("sox", "-b 24 speech.flac.flac"),
    ("sox", "-t wav -r 8000 speech.8k.wav"),
]


@pytest.fixture(scope="module")
def speech():
    """Samples of a real sentence, 16 kHz."""
    path = SPEECH / "en" / "conf-now-muted.flac"
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 16000
    return path, samples


def alike(found, samples):
    """The correlation at the lag where it is largest: coders delay speech."""
    best = 0.0
    length = min(len(found), len(samples)) - 2000
    for lag in range(-1000, 1001, 4):
        a = found[1000 + lag : 1000 + lag + length]
        best = max(best, np.corrcoef(a, samples[1000 : 1000 + len(a)])[0, 1])
    return best


def supported(format, subtype):
    return soundfile.check_format(format, subtype)


@pytest.mark.parametrize(("format", "subtype", "suffix", "error"), WRITTEN)
def test_speech_of_every_format_comes_back(tmp_path, speech, format, subtype, suffix, error):
    if not supported(format, subtype):
        pytest.skip(f"this libsndfile writes no {format} of {subtype}")
    _, samples = speech
    soundfile.write(tmp_path / f"a.{suffix}", samples, 16000, format=format, subtype=subtype)
    (utterance,) = Corpus.from_path(tmp_path)
    found = utterance.read(16000)
    assert len(found) == len(samples)
    if error is None:
        assert alike(found, samples) > 0.9
    else:
        np.testing.assert_allclose(found, samples, atol=1.01 * error)


@pytest.mark.parametrize(("format", "subtype", "suffix", "error"), WRITTEN)
def test_a_part_is_that_part_of_the_whole(tmp_path, speech, format, subtype, suffix, error):
    if not supported(format, subtype):
        pytest.skip(f"this libsndfile writes no {format} of {subtype}")
    _, samples = speech
    long = np.tile(samples, 6)
    soundfile.write(tmp_path / f"a.{suffix}", long, 16000, format=format, subtype=subtype)
    whole, _ = soundfile.read(tmp_path / f"a.{suffix}", dtype="float32")
    (tmp_path / "l.csv").write_text(f"path,start,end\na.{suffix},2.5,3.25\na.{suffix},0.3,0.5\n")
    first, second = Corpus.from_path(tmp_path / "l.csv")
    np.testing.assert_allclose(first.read(16000), whole[40000:52000], atol=1e-6)
    np.testing.assert_allclose(second.read(16000), whole[4800:8000], atol=1e-6)


@pytest.mark.parametrize(("format", "subtype", "suffix", "error"), WRITTEN)
def test_what_was_cut_off_is_never_taken_for_whole(
    tmp_path, speech, format, subtype, suffix, error
):
    if not supported(format, subtype):
        pytest.skip(f"this libsndfile writes no {format} of {subtype}")
    _, samples = speech
    soundfile.write(tmp_path / "whole.flac", samples, 16000)
    content = io.BytesIO()
    soundfile.write(content, samples, 16000, format=format, subtype=subtype)
    half = content.getvalue()[: len(content.getvalue()) // 2]
    (tmp_path / f"cut.{suffix}").write_bytes(half)
    corpus = Corpus.from_path(tmp_path)
    if "cut" not in reasons(corpus):
        with pytest.raises(UnusableAudio, match=r"ends early|cannot be read"):
            corpus.utterances[ids(corpus).index("cut")].read(16000)


@pytest.mark.parametrize(("program", "arguments"), COMMANDS)
def test_what_other_programs_write_is_read(tmp_path, speech, program, arguments):
    path, samples = speech
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    start = [program, "-loglevel", "error", "-i"] if program == "ffmpeg" else [program]
    subprocess.run([*start, str(path), *arguments.split()], cwd=tmp_path, check=True)
    (utterance,) = Corpus.from_path(tmp_path)
    assert utterance.duration == pytest.approx(len(samples) / 16000, abs=0.1)
    assert alike(utterance.read(16000), samples) > 0.9


@pytest.mark.parametrize("program", ["ffmpeg", "sox"])
def test_a_wav_that_was_written_to_a_pipe_is_whole(tmp_path, speech, program):
    path, samples = speech
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    wav = {
        "ffmpeg": ["ffmpeg", "-loglevel", "error", "-i", str(path), "-f", "wav", "-"],
        "sox": ["sox", str(path), "-t", "wav", "-"],
    }
    written = subprocess.run(wav[program], check=True, stdout=subprocess.PIPE).stdout
    (tmp_path / "a.wav").write_bytes(written)
    (utterance,) = Corpus.from_path(tmp_path)
    np.testing.assert_allclose(utterance.read(16000), samples, atol=2**-14)


def test_a_wrong_suffix_does_not_hide_the_format(tmp_path, speech):
    _, samples = speech
    soundfile.write(tmp_path / "a.ogg", samples, 16000, format="FLAC")
    soundfile.write(tmp_path / "b.wav", samples, 16000, format="NIST")
    for utterance in Corpus.from_path(tmp_path):
        np.testing.assert_allclose(utterance.read(16000), samples, atol=2**-14)


def only(folder: Path) -> Utterance:
    (utterance,) = Corpus.from_path(folder)
    return utterance


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
