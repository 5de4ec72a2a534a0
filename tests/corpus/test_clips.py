"""Clips hold the speech that was asked for; the same speech gives the same bytes."""

import io

import numpy as np
import pytest
import soundfile

from assonance.corpus import Corpus
from assonance.corpus.clips import GAP, RATE, cut, licence_of, make_sprite, write_wavs


@pytest.fixture
def utterances(speech):
    return Corpus.from_path(speech).utterances


def heard(sprite):
    samples, rate = soundfile.read(io.BytesIO(sprite.content), dtype="float32")
    assert rate in (RATE, 48_000)
    return samples[:: rate // RATE]


def test_each_stretch_is_where_the_sprite_says(utterances):
    parts = [(utterances[3], 0.1, 0.5), (utterances[0], 0.0, 0.3)]
    sprite = make_sprite(parts)
    sound = heard(sprite)
    assert sprite.starts == pytest.approx((0.0, 0.4 + GAP))
    assert sprite.seconds == pytest.approx(0.7)
    for (utterance, start, end), at in zip(parts, sprite.starts, strict=True):
        wanted = cut(utterance, start, end)
        near = sound[max(round(at * RATE) - 200, 0) :][: len(wanted) + 400]
        lag = np.correlate(near, wanted, "valid").argmax()
        assert abs(lag - min(round(at * RATE), 200)) <= 1


def test_the_same_speech_gives_the_same_bytes(utterances):
    first, second = (make_sprite([(utterances[1], 0.0, 0.4)]).content for _ in range(2))
    assert first == second
    assert first.startswith(b"OggS")


def test_loud_speech_is_scaled_not_clipped(tmp_path):
    soundfile.write(tmp_path / "loud.wav", 4 * np.sin(np.arange(RATE) / 8), RATE, subtype="FLOAT")
    (utterance,) = Corpus.from_path(tmp_path).utterances
    sprite = make_sprite([(utterance, 0.0, 1.0)])
    wanted, found = cut(utterance, 0.2, 0.8), heard(sprite)[3200:12800]
    assert np.corrcoef(wanted, found)[0, 1] > 0.98


def test_nothing_to_hear_is_a_stream_too():
    assert make_sprite([]).seconds == 0


def test_wav_files_hold_the_samples(utterances, tmp_path):
    samples = cut(utterances[2], 0.0, 0.2)
    write_wavs({tmp_path / "new" / "a.wav": samples})
    read, rate = soundfile.read(tmp_path / "new" / "a.wav", dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(read, samples, atol=2**-14)


@pytest.mark.parametrize("name", ["LICENSE", "licence.txt", "COPYING"])
def test_the_licence_is_what_lies_beside_the_speech(tmp_path, name):
    assert licence_of(str(tmp_path)) == ""
    (tmp_path / name).write_text("\n  CC BY 4.0 \nand more", "utf-8")
    assert licence_of(str(tmp_path)) == "CC BY 4.0"
    assert licence_of(str(tmp_path / "manifest.csv")) == "CC BY 4.0"
    assert licence_of(str(tmp_path / "not" / "there")) == ""
