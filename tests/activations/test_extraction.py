"""Extraction: everything usable is computed once, whatever is bad or interrupts."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import signals
import soundfile
from signals import voice

from assonance.activations.extraction import extract
from assonance.corpus import Corpus, LeftOut
from assonance.errors import AssonanceError, UnusableAudio
from assonance.models.loading import load_model

PROMPTS = tuple(f"prompt{number}" for number in range(6))


@pytest.fixture(scope="session")
def model(checkpoint):
    return load_model(checkpoint())


@pytest.fixture
def recordings(speech, tmp_path):
    """Six recordings of one's own to spoil."""
    return shutil.copytree(speech, tmp_path / "recordings")


class Counting:
    """A model that counts its runs, and does something at one of them."""

    def __init__(self, model, at=None, then=None):
        self._model, self._at, self._then, self.runs = model, at, then, 0

    def __getattr__(self, name):
        return getattr(self._model, name)

    def run(self, samples, *, attend=None):
        self.runs += 1
        if self.runs == self._at:
            self._then()
        return self._model.run(samples, attend=attend)


class Recorder:
    """A progress that keeps what it is told."""

    def __init__(self):
        self.name, self.total, self.steps = None, None, []

    @contextmanager
    def stage(self, name, total, *, unit=""):
        self.name, self.total = name, total
        yield self.steps.append


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_utterance_is_what_the_model_makes_of_its_samples(model, speech, tmp_path):
    corpus = Corpus.from_path(speech)
    result = extract(model, corpus, tmp_path / "store")
    assert result.ids == PROMPTS == result.store.ids
    assert (result.computed, result.reused, result.left_out, result.resampled) == (6, 0, (), 0)
    assert result.seconds > 0
    for utterance in corpus:
        expected = model.run(utterance.read(16000)).activations
        found = result.store.read(utterance.id)
        assert list(found) == list(model.layers)
        for label in expected:
            np.testing.assert_array_equal(found[label], expected[label])
        assert result.store.n_frames(utterance.id) == model.n_frames(
            round(utterance.duration * 16000)
        )


def test_a_second_run_computes_nothing(model, speech, tmp_path):
    corpus = Corpus.from_path(speech)
    extract(model, corpus, tmp_path / "store")
    before = contents(tmp_path / "store")
    counting = Counting(model)
    result = extract(counting, corpus, tmp_path / "store")
    assert (result.computed, result.reused, counting.runs) == (0, 6, 0)
    assert result.ids == PROMPTS
    assert contents(tmp_path / "store") == before


def test_progress_is_told_in_seconds_of_audio_whatever_is_left_out(model, recordings, tmp_path):
    soundfile.write(recordings / "prompt2.wav", voice(0.01, seed=1), 16000)
    corpus = Corpus.from_path(recordings)
    for _ in ("computed", "reused"):
        heard = Recorder()
        extract(model, corpus, tmp_path / "store", progress=heard)
        assert heard.name == f"reading speech with {model.name}"
        assert heard.total == pytest.approx(corpus.seconds)
        assert heard.steps == [utterance.duration for utterance in corpus]


def spoil_with_nan(path):
    audio = voice(0.4, seed=1)
    audio[100] = np.nan
    soundfile.write(path, audio, 16000, subtype="FLOAT")


def spoil_by_truncation(path):
    soundfile.write(path, voice(2, seed=1), 16000, format="FLAC")
    path.write_bytes(path.read_bytes()[:30_000])


BAD = pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: soundfile.write(path, voice(0.01, seed=1), 16000), "too short: 160 samples"),
        (spoil_with_nan, "holds samples that are NaN or infinite"),
        (spoil_by_truncation, "cannot be read"),
    ],
    ids=["too short", "NaN", "truncated"],
)


@BAD
def test_a_bad_utterance_is_left_out_with_its_reason_and_the_rest_go_on(
    model, recordings, tmp_path, spoil, reason
):
    spoil(recordings / "prompt3.wav")
    result = extract(model, Corpus.from_path(recordings), tmp_path / "store")
    assert result.ids == tuple(name for name in PROMPTS if name != "prompt3")
    (left_out,) = result.left_out
    assert isinstance(left_out, LeftOut)
    assert (left_out.id, left_out.path) == ("prompt3", str(recordings / "prompt3.wav"))
    assert left_out.reason.startswith(reason)
    assert "\n" not in left_out.reason


@BAD
def test_a_bad_utterance_stops_a_run_that_was_told_to_stop(
    model, recordings, tmp_path, spoil, reason
):
    spoil(recordings / "prompt3.wav")
    corpus = Corpus.from_path(recordings)
    with pytest.raises(UnusableAudio) as caught:
        extract(model, corpus, tmp_path / "store", on_error="stop")
    assert str(caught.value).startswith(f"{recordings / 'prompt3.wav'}: {reason}")
    # What came before it is kept.
    assert extract(model, corpus, tmp_path / "store").reused == 3


def test_what_the_corpus_left_out_stops_a_run_that_was_told_to_stop(model, recordings, tmp_path):
    (recordings / "prompt3.wav").write_bytes(b"")
    corpus = Corpus.from_path(recordings)
    with pytest.raises(UnusableAudio, match=r"prompt3\.wav: is an empty file"):
        extract(model, corpus, tmp_path / "store", on_error="stop")
    result = extract(model, corpus, tmp_path / "store")
    assert (len(result.ids), result.left_out) == (5, ())


def test_a_corpus_that_a_model_can_use_nothing_of_is_an_error(model, tmp_path):
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, voice(0.01, seed=1), 16000)
    with pytest.raises(AssonanceError, match=r"can use none of the 2 .*a\.wav: too short"):
        extract(model, Corpus.from_path(tmp_path), tmp_path / "store")


def test_audio_at_another_rate_is_resampled_and_counted(model, recordings, tmp_path):
    soundfile.write(recordings / "prompt1.wav", voice(0.5, seed=1, rate=8000), 8000)
    soundfile.write(recordings / "prompt2.wav", voice(0.5, seed=1, rate=44100), 44100)
    corpus = Corpus.from_path(recordings)
    result = extract(model, corpus, tmp_path / "store")
    assert result.resampled == 2
    assert result.store.n_frames("prompt1") == model.n_frames(8000) == 24
    assert extract(model, corpus, tmp_path / "store").resampled == 2


# What changed since


def test_changed_audio_is_computed_anew_and_nothing_else(model, recordings, tmp_path):
    extract(model, Corpus.from_path(recordings), tmp_path / "store")
    soundfile.write(recordings / "prompt4.wav", voice(0.5, seed=99), 16000)
    corpus = Corpus.from_path(recordings)
    result = extract(model, corpus, tmp_path / "store")
    assert (result.computed, result.reused) == (1, 5)
    expected = model.run(corpus.utterances[4].read(16000)).activations
    np.testing.assert_array_equal(result.store.read("prompt4")["encoder.2"], expected["encoder.2"])


def test_removed_audio_is_no_longer_among_the_ids(model, recordings, tmp_path):
    extract(model, Corpus.from_path(recordings), tmp_path / "store")
    (recordings / "prompt0.wav").unlink()
    assert extract(model, Corpus.from_path(recordings), tmp_path / "store").ids == PROMPTS[1:]


@pytest.mark.parametrize("how", ["torn", "damaged"])
def test_a_spoiled_shard_is_computed_anew(model, speech, tmp_path, how):
    corpus = Corpus.from_path(speech)
    extract(model, corpus, tmp_path / "store")
    before = contents(tmp_path / "store")
    shard = sorted((tmp_path / "store").glob("*.safetensors"))[2]
    content = bytearray(shard.read_bytes())
    if how == "torn":
        del content[len(content) // 2 :]
    else:
        content[-1] ^= 1
    shard.write_bytes(content)
    assert extract(model, corpus, tmp_path / "store").computed == 1
    assert contents(tmp_path / "store") == before


def test_another_model_never_mixes_into_a_store(model, checkpoint, speech, tmp_path):
    corpus = Corpus.from_path(speech)
    extract(model, corpus, tmp_path / "store")
    before = contents(tmp_path / "store")
    for other in (checkpoint(seed=1), f"random:{checkpoint()}@1", checkpoint("hubert")):
        with pytest.raises(AssonanceError, match=r"made with model .*, now model .*; delete"):
            extract(load_model(other), corpus, tmp_path / "store")
    assert contents(tmp_path / "store") == before


def test_another_version_never_mixes_into_a_store(model, speech, tmp_path, monkeypatch):
    corpus = Corpus.from_path(speech)
    extract(model, corpus, tmp_path / "store")
    monkeypatch.setattr("assonance.activations.extraction.__version__", "999")
    with pytest.raises(AssonanceError, match="now version 999"):
        extract(model, corpus, tmp_path / "store")


# Interruptions


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_was_computed_before_an_interruption_is_kept(model, speech, tmp_path, error):
    def interrupt():
        raise error

    corpus = Corpus.from_path(speech)
    with pytest.raises(error):
        extract(Counting(model, at=4, then=interrupt), corpus, tmp_path / "store")
    result = extract(model, corpus, tmp_path / "store")
    assert (result.computed, result.reused) == (3, 3)
    extract(model, corpus, tmp_path / "whole")
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that cannot be caught")
def test_a_run_killed_and_taken_up_again_ends_with_the_same_bytes(
    model, checkpoint, speech, tmp_path
):
    program = f"""
import os, signal, sys, torch
from pathlib import Path
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(signals.__file__).parent)!r}]
from test_extraction import Counting
from assonance.corpus import Corpus
from assonance.activations.extraction import extract
from assonance.models import load_model
torch.set_num_threads(1)  # as here: sums depend on how they are shared out
model = Counting(
    load_model({str(checkpoint())!r}), at=3, then=lambda: os.kill(os.getpid(), signal.SIGKILL)
)
extract(model, Corpus.from_path({str(speech)!r}), Path({str(tmp_path / "store")!r}))
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    corpus = Corpus.from_path(speech)
    assert extract(model, corpus, tmp_path / "store").reused == 2
    extract(model, corpus, tmp_path / "whole")
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


def test_a_full_disk_stops_the_run_and_is_not_blamed_on_an_utterance(
    model, speech, tmp_path, monkeypatch
):
    corpus = Corpus.from_path(speech)
    extract(model, corpus, tmp_path / "store")
    for shard in sorted((tmp_path / "store").glob("*.safetensors"))[:3]:
        shard.unlink()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AssonanceError, match="No space left on device") as caught:
        extract(model, corpus, tmp_path / "store")
    assert not isinstance(caught.value, UnusableAudio)


# In batches


def close(found, expected):
    """Equal but for rounding, as the protocol promises of batches."""
    for label, values in expected.items():
        np.testing.assert_allclose(found[label], values, rtol=0, atol=1e-5 * values.std())


@pytest.fixture(scope="session", params=["wav2vec2", "sew", "whisper", "wav2vec2-bert"])
def any_model(request, checkpoint):
    return load_model(checkpoint(request.param))


def test_batches_hold_what_comes_of_utterances_one_by_one(any_model, speech, tmp_path):
    corpus = Corpus.from_path(speech)
    result = extract(any_model, corpus, tmp_path / "store", batch_seconds=1.5)
    assert (result.ids, result.computed, result.left_out) == (PROMPTS, 6, ())
    for utterance in corpus:
        expected = any_model.run(utterance.read(16000)).activations
        close(result.store.read(utterance.id), expected)


def test_batches_taken_up_again_end_with_the_same_bytes(model, speech, tmp_path):
    corpus = Corpus.from_path(speech)
    whole = extract(model, corpus, tmp_path / "whole", batch_seconds=1.5)
    extract(model, corpus, tmp_path / "store", batch_seconds=1.5)
    before = contents(tmp_path / "store")
    for lost in sorted((tmp_path / "store").glob("*.safetensors"))[::2]:
        lost.unlink()
    again = extract(model, corpus, tmp_path / "store", batch_seconds=1.5)
    assert (again.computed, again.reused) == (3, 3)
    assert contents(tmp_path / "store") == before == contents(tmp_path / "whole")
    assert whole.computed == 6
    assert extract(model, corpus, tmp_path / "store", batch_seconds=1.5).computed == 0


def test_a_bad_utterance_costs_its_batch_nothing(model, recordings, tmp_path):
    soundfile.write(recordings / "prompt1.wav", np.zeros(300), 16000)
    soundfile.write(recordings / "prompt3.wav", np.full(9000, np.nan), 16000, "FLOAT")
    corpus = Corpus.from_path(recordings)
    result = extract(model, corpus, tmp_path / "store", batch_seconds=10)
    assert result.ids == ("prompt0", "prompt2", "prompt4", "prompt5")
    assert [each.id for each in result.left_out] == ["prompt1", "prompt3"]
    assert "too short" in result.left_out[0].reason
    with pytest.raises(UnusableAudio, match="mend or remove it"):
        extract(model, corpus, tmp_path / "other", batch_seconds=10, on_error="stop")


def test_a_batch_that_does_not_fit_into_memory_is_run_one_by_one(model, speech, tmp_path):
    class Small(Counting):
        def run_batch(self, batch):
            raise UnusableAudio("too long: 3 s at once need more memory than there is")

    corpus = Corpus.from_path(speech)
    small = Small(model)
    result = extract(small, corpus, tmp_path / "store", batch_seconds=10)
    assert (result.computed, small.runs, result.left_out) == (6, 6, ())


def test_an_accelerator_is_given_batches_unasked(model, speech, tmp_path):
    class Accelerated(Counting):
        device = "cuda"
        batches = ()

        def run_batch(self, batch):
            self.batches += (len(batch),)
            return self._model.run_batch(batch)

    there = Accelerated(model)
    assert extract(there, Corpus.from_path(speech), tmp_path / "store").computed == 6
    assert there.batches == (6,)


# Half precision


@pytest.mark.parametrize(("precision", "least", "most"), [("bfloat16", 1e-3, 0.2)])
def test_half_precision_says_what_it_costs(checkpoint, speech, tmp_path, precision, least, most):
    corpus = Corpus.from_path(speech)
    folder = checkpoint(initializer_range=0.05)
    exact, half = load_model(folder), load_model(folder, precision=precision)
    assert half.fingerprint != exact.fingerprint
    result = extract(half, corpus, tmp_path / "store")
    assert extract(exact, corpus, tmp_path / "exact").notes == ()
    (note,) = result.notes
    samples = corpus.utterances[0].read(16000)
    found, expected = half.run(samples).activations, exact.run(samples).activations
    errors = {
        label: np.sqrt(
            np.mean((found[label].astype(float) - values) ** 2)
            / np.mean((values - values.mean(0)) ** 2)
        )
        for label, values in expected.items()
    }
    worst = max(errors, key=errors.__getitem__)
    assert least < errors[worst] < most
    assert f"computed in {precision}: on prompt0" in note
    assert f"up to {errors[worst]:.1%} of their standard deviation (most in {worst})" in note
    assert all(values.dtype == np.float32 for values in found.values())


def test_attention_maps_are_float32_in_any_precision(checkpoint):
    maps, expected = {}, {}
    samples = voice(0.4, seed=1)
    load_model(checkpoint(), precision="bfloat16").run(samples, attend=maps.__setitem__)
    load_model(checkpoint()).run(samples, attend=expected.__setitem__)
    for label, heads in expected.items():
        np.testing.assert_array_equal(maps[label], heads)


def test_a_precision_that_there_is_not_is_refused(checkpoint):
    with pytest.raises(AssonanceError, match="'int8': choose from float32, bfloat16, float16"):
        load_model(checkpoint(), precision="int8")
