"""Models are run once for activations and attention, and no bit of a result depends on it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from assonance import Corpus, compare
from assonance.comparison import prepared as module
from assonance.comparison.plan import READING
from assonance.comparison.prepared import prepare
from assonance.comparison.read_once import seconds_with_attention
from assonance.comparison.request import Request
from assonance.errors import AssonanceWarning, UnusableAudio
from assonance.models.huggingface.encoder import HuggingFaceModel
from assonance.scoring.frame_pass import LAYERS
from assonance.settings import find_settings
from assonance.utils.progress import Silent
from assonance.utils.work import Here

BOTH = ["cka", "attn_frobenius"]


@pytest.fixture
def runs(monkeypatch):
    """Counts the runs of each model, by its name and the number of samples."""
    counted = Counter()
    run = HuggingFaceModel._run

    def counting(self, batch, attend, **named):
        counted.update((self.name, len(samples)) for samples in batch)
        return run(self, batch, attend, **named)

    monkeypatch.setattr(HuggingFaceModel, "_run", counting)
    return counted


@pytest.fixture
def twice(monkeypatch):
    """Reads speech first and compares attention later, as if one had nothing of the other."""

    def apply():
        monkeypatch.setattr(module, "read_with_attention", lambda *_: None)

    return apply


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.glob("*/*/*.safetensors")
    }


def test_each_model_is_run_once_over_each_utterance(pair, speech, runs):
    compare(pair, speech, BOTH, uncertainty=False)
    names = {name for name, _ in runs}
    assert len(names) == 4  # with a random twin of each
    assert len(runs) == len(names) * len(Corpus.from_path(speech))
    assert set(runs.values()) == {1}


def test_activations_and_scores_are_the_same_to_the_last_bit(pair, speech, twice, runs, tmp_path):
    compare(pair, speech, BOTH, out=tmp_path / "once").save(tmp_path / "once.nc")
    once = sum(runs.values())
    twice()
    compare(pair, speech, BOTH, out=tmp_path / "twice").save(tmp_path / "twice.nc")
    assert sum(runs.values()) == 3 * once
    assert contents(tmp_path / "once") == contents(tmp_path / "twice") != {}
    assert (tmp_path / "once.nc").read_bytes() == (tmp_path / "twice.nc").read_bytes()


def test_features_and_half_precision_on_disk_are_read_beside_it(pair, speech, twice, tmp_path):
    request = Request(measures=tuple(BOTH), store="float16", uncertainty=False)
    for name in ("once", "twice"):
        prepared = prepare([*pair, "mel"], speech, request, Silent())
        prepared.run(tmp_path / name, Silent()).save(tmp_path / f"{name}.nc")
        twice()
    assert contents(tmp_path / "once") == contents(tmp_path / "twice")
    assert (tmp_path / "once.nc").read_bytes() == (tmp_path / "twice.nc").read_bytes()


def test_models_whose_activations_are_there_are_run_for_their_attention_alone(
    pair, speech, runs, tmp_path
):
    compare(pair, speech, ["cka"], uncertainty=False, out=tmp_path)
    runs.clear()
    compare(pair, speech, BOTH, uncertainty=False, out=tmp_path)
    assert set(runs.values()) == {1}


def test_an_utterance_that_cannot_be_used_is_left_out_as_before(pair, speech, monkeypatch, twice):
    run = HuggingFaceModel.run
    spoilt = Corpus.from_path(speech).utterances[2]

    def refusing(self, samples, **named):
        if len(samples) == spoilt.samples(16000):
            raise UnusableAudio("it is spoilt", spoilt.path)
        return run(self, samples, **named)

    monkeypatch.setattr(HuggingFaceModel, "run", refusing)
    once = compare(pair, speech, BOTH, uncertainty=False)
    (left_out,) = once.provenance.left_out
    assert "spoilt" in left_out.reason
    twice()
    assert compare(pair, speech, BOTH, uncertainty=False).scores.identical(once.scores)


@pytest.mark.parametrize(
    ("measures", "longest", "seconds_once"),
    [
        (BOTH, 10.0, 4.5),
        (["cka"], 10.0, 0),
        (["attn_frobenius"], 10.0, 0),
        (BOTH, 2.0, 2.5),
        (BOTH, 1.0, 0),
    ],
)
def test_whole_utterances_are_read_once_if_they_are_most_of_the_speech(
    pair, tmp_path, measures, longest, seconds_once
):
    for number, seconds in enumerate((1.0, 1.5, 2.0 + 1 / 16)):
        noise = np.random.default_rng(number).normal(0, 0.1, int(seconds * 16000))
        soundfile.write(tmp_path / f"{number}.wav", noise, 16000)
    request = Request(
        measures=tuple(measures),
        settings=replace(find_settings("default"), attention_seconds=longest),
    )
    prepared = prepare(pair, tmp_path, request, Silent())
    counted = seconds_with_attention(prepared.roster, prepared.speech, prepared.measures, request)
    assert counted == pytest.approx(seconds_once, abs=0.1)


def test_where_most_speech_is_cut_for_attention_it_is_read_first(pair, tmp_path, runs):
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * 16000)
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", noise[number * 1000 :], 16000)
    settings = replace(find_settings("default"), attention_seconds=1.0)
    with pytest.warns(AssonanceWarning, match="cut into equal pieces"):
        compare(pair, tmp_path, BOTH, settings=settings, uncertainty=False)
    whole = {samples for _, samples in runs if samples > 2 * 16000}
    assert len(whole) == 3
    assert len({samples for _, samples in runs} - whole) > 0


def test_half_precision_is_run_for_itself(checkpoint, speech, runs):
    compare([checkpoint(seed=1)], speech, BOTH, precision="bfloat16", twins=False)
    assert min(runs.values()) >= 2


def test_workers_are_given_the_batches_and_then_what_is_left(pair, speech, tmp_path):
    class Noting(Here):
        def __init__(self):
            self.stages = []

        def read(self, progress):
            self.stages.append("the rest")

        def each(self, stage, *given):
            self.stages.append(stage)
            return super().each(stage, *given)

    work = Noting()
    request = Request(measures=tuple(BOTH), uncertainty=False)
    prepare(pair, speech, request, Silent()).run(tmp_path, Silent(), work=work)
    assert work.stages == [READING, "the rest", LAYERS]
