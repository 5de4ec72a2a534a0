"""Baselines: spectra against a definition written out, rotations against what they keep."""

import numpy as np
import pytest
import scipy.fft
from signals import voice

from assonance import testing
from assonance.errors import AssonanceError, UnusableAudio
from assonance.models.loading import load_model


def hertz_to_mel(frequency):
    return 2595 * np.log10(1 + frequency / 700)


def log_mel(samples):
    """From the definition: DFT sums of windowed frames, triangles on the HTK scale, logarithms."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    places = np.linspace(0, hertz_to_mel(8000), 82)
    edges = 700 * (10 ** (places / 2595) - 1)
    bins = np.arange(257) * 16000 / 512
    frames = []
    for start in range(0, len(samples) - 399, 320):
        frame = samples[start : start + 400].astype(np.float64) * window
        waves = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(400)) / 512)
        power = np.abs(waves @ frame) ** 2
        energies = []
        for low, middle, high in zip(edges, edges[1:], edges[2:], strict=False):
            up, down = (bins - low) / (middle - low), (high - bins) / (high - middle)
            energies.append(np.clip(np.minimum(up, down), 0, None) @ power)
        frames.append(np.log(np.maximum(energies, 1e-10)))
    return np.array(frames)


@pytest.mark.parametrize("name", ["mel", "mfcc"])
def test_baselines_conform(name):
    model = load_model(name)
    testing.check_model(model)
    assert (model.layers, model.info.objective, model.twin(0)) == ((name,), "none", None)


def test_mel_is_the_logarithm_of_power_in_bands():
    samples = voice(0.4, seed=1)
    found = load_model("mel").run(samples).activations["mel"]
    np.testing.assert_allclose(found, log_mel(samples), rtol=0, atol=1e-4)


def test_cepstra_are_cosines_of_mel_with_slopes_over_five_frames():
    samples = voice(0.5, seed=2)
    found = load_model("mfcc").run(samples).activations["mfcc"]
    cepstra = scipy.fft.dct(log_mel(samples), norm="ortho", axis=1)[:, :13]
    assert found.shape == (len(cepstra), 39)
    np.testing.assert_allclose(found[:, :13], cepstra, rtol=0, atol=1e-3)

    def slopes(frames):
        held = np.concatenate([frames[[0, 0]], frames, frames[[-1, -1]]])
        count = len(frames)
        return (
            sum(n * (held[2 + n : 2 + n + count] - held[2 - n : 2 - n + count]) for n in (1, 2))
            / 10
        )

    np.testing.assert_allclose(found[:, 13:26], slopes(cepstra), rtol=0, atol=1e-3)
    np.testing.assert_allclose(found[:, 26:], slopes(slopes(cepstra)), rtol=0, atol=1e-3)


def test_frames_are_those_of_wav2vec2(checkpoint):
    mel, model = load_model("mel"), load_model(checkpoint())
    for count in (0, 399, 400, 719, 720, 16000):
        np.testing.assert_array_equal(mel.frame_times(count), model.frame_times(count))


def test_silence_has_a_spectrum_and_too_little_has_none():
    mel = load_model("mel")
    silence = mel.run(np.zeros(1000, np.float32)).activations["mel"]
    np.testing.assert_allclose(silence, np.log(1e-10), rtol=1e-6)
    with pytest.raises(UnusableAudio, match="too short: 399 samples"):
        mel.run(np.zeros(399, np.float32))


def test_a_folder_called_mel_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mel").mkdir()
    with pytest.raises(AssonanceError, match=r"no config\.json"):
        load_model("mel")


# Rotated
