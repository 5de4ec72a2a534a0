"""Peaks are the highest activations, once an utterance; stretches are in standard deviations."""

import numpy as np
import pytest

from assonance.activations.peaks import Stretch, find_peaks, read_stretches
from assonance.activations.store import ActivationStore

COUNT, WIDTH = 7, 5


@pytest.fixture
def frames():
    rng = np.random.default_rng(3)
    lengths = rng.integers(20, 40, COUNT)
    return [(rng.normal(5, 2, (length, WIDTH))).astype(np.float32) for length in lengths]


@pytest.fixture
def store(frames, tmp_path):
    made = ActivationStore(tmp_path / "store", fingerprint={"model": "m"}, layers={"a": WIDTH})
    for k, each in enumerate(frames):
        made.write(f"u{k}", {"a": each}, 0.01 + 0.02 * np.arange(len(each)), "audio")
    return made


def names(count=COUNT):
    return [f"u{k}" for k in range(count)]


def test_peaks_are_those_of_a_plain_search(store, frames):
    found = find_peaks(store, names(), ["a"], 3)["a"]
    everything = np.concatenate(frames)
    np.testing.assert_allclose(found.mean, everything.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found.deviation, everything.std(0), rtol=1e-6)
    for neuron in range(WIDTH):
        highest = sorted(range(COUNT), key=lambda k: -frames[k][:, neuron].max())[:3]
        assert found.utterance[:, neuron].tolist() == highest
        for rank, k in enumerate(highest):
            at = frames[k][:, neuron].argmax()
            assert found.value[rank, neuron] == frames[k][at, neuron]
            assert found.time[rank, neuron] == pytest.approx(0.01 + 0.02 * at)


def test_fewer_utterances_than_peaks_leave_the_rest_empty(store):
    found = find_peaks(store, names(2), ["a"], 4)["a"]
    assert (found.utterance[:2] >= 0).all()
    assert (found.utterance[2:] == -1).all()


def test_a_stretch_is_linear_between_frames_and_missing_beyond_the_utterance(store, frames):
    peaks = find_peaks(store, names(), ["a"], 1)
    times = np.array([-0.1, 0.01, 0.04, 0.05])
    (found,) = read_stretches(store, [Stretch("u1", "a", 2, times)], peaks)
    own = (frames[1][:, 2] - peaks["a"].mean[2]) / peaks["a"].deviation[2]
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], [own[0], (own[1] + own[2]) / 2, own[2]], rtol=1e-5)


def test_a_constant_neuron_divides_by_nothing(tmp_path):
    made = ActivationStore(tmp_path / "flat", fingerprint={"model": "m"}, layers={"a": 1})
    made.write("u0", {"a": np.full((4, 1), 2, np.float32)}, np.arange(4.0), "audio")
    peaks = find_peaks(made, ["u0"], ["a"], 1)
    (found,) = read_stretches(made, [Stretch("u0", "a", 0, np.arange(4.0))], peaks)
    assert peaks["a"].deviation == 0
    assert (found == 0).all()
