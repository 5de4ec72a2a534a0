"""The bundled models and speech show what the demo says they show."""

import subprocess
import sys
from html import unescape

import numpy as np
import pytest

from assonance import Comparison, Corpus, compare, load_model
from assonance.demo import MODELS, SPEECH
from assonance.summary import sentences


def test_the_bundled_speech_is_whole():
    corpus = Corpus.from_path(SPEECH)
    assert not corpus.left_out
    assert corpus.seconds >= 300
    assert len(corpus.speakers) == 4
    assert len(corpus.languages) == 5
    assert corpus.sampling_rates == (16000,)


@pytest.mark.parametrize("path", MODELS)
def test_the_bundled_models_load_and_say_what_they_are(path):
    model = load_model(path, offline=True)
    assert model.info.n_parameters < 2e6
    assert model.info.objective in ("contrastive", "predictive")


@pytest.mark.slow
def test_trained_miniatures_share_a_space_and_hardly_a_neuron():
    measures = ["maxcorr", "maxcorr_rotated", "linreg_heldout", "linreg_heldout_r"]
    found = compare(MODELS, SPEECH, measures, offline=True)
    a, b = found.models
    for row, col in ((a, b), (b, a)):
        shared = found.matrix("linreg_heldout", row, col).max("layer_col")
        floor = found.matrix("linreg_heldout", row, found.twin(col)).max("layer_col")
        assert (shared > floor + 0.15).all()
        assert float(np.abs(found.matrix("localisation", row, col)).max()) < 0.3


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_every_bundled_model_says_how_it_was_made(path):
    names = {each.name for each in path.iterdir()}
    assert {"README.md", "config.json", "model.safetensors", "preprocessor_config.json"} <= names
    assert len((path / "README.md").read_text("utf-8")) > 500


@pytest.mark.slow
def test_the_demo_ends_with_the_answer_and_the_report_to_open(tmp_path):
    measures = ("maxcorr", "maxcorr_rotated", "linreg_heldout", "linreg_heldout_r")
    ended = subprocess.run(
        [sys.executable, "-m", "assonance", "demo", "--out", "mine"]
        + [part for name in measures for part in ("-m", name)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = Comparison.load(tmp_path / "mine" / "results.nc")
    lines = ended.stdout.splitlines()
    assert lines[0].startswith(f"{MODELS[0].name} and {MODELS[1].name} on ")
    assert lines[1:-2] == [f"  {sentence}" for sentence in sentences(found)]
    assert lines[-1] == "report:  mine/report.html"
    page = unescape((tmp_path / "mine" / "report.html").read_text("utf-8"))
    for sentence in sentences(found):
        assert sentence in page
    # On real speech, what was learned is shared and single neurons are not.
    assert found.provenance.corpus.seconds > 300
    a, b = found.models
    for row, col in ((a, b), (b, a)):
        shared = found.matrix("linreg_heldout", row, col).max("layer_col").mean()
        floor = found.matrix("linreg_heldout", row, found.twin(col)).max("layer_col").mean()
        assert float(shared - floor) > 0.15
        index = found.matrix("localisation", row, col)
        assert float(index.mean()) < 0.3
