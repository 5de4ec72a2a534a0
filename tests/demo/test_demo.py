"""The bundled models and speech show what the demo says they show."""

import json
import shutil
import subprocess
import sys
from html import unescape

import numpy as np
import pytest

from assonance import Comparison, Corpus, compare, load_model
from assonance.cli.main import app
from assonance.comparison.records import ModelRecord
from assonance.comparison.relations import Relations
from assonance.demo import MODELS, SPEECH, elsewhere, find, miniatures
from assonance.errors import AssonanceError, AssonanceWarning
from assonance.report.summary import sentences


def test_the_bundled_speech_is_whole():
    corpus = Corpus.from_path(SPEECH)
    assert not corpus.left_out
    assert corpus.seconds >= 300
    assert len(corpus.speakers) == 4
    assert len(corpus.languages) == 5
    assert corpus.sampling_rates == (16000,)


def test_the_installed_package_has_the_same_recordings_as_opus():
    lossless, compressed = (
        Corpus.from_path(SPEECH.with_name(n)) for n in ("speech", "speech_opus")
    )
    assert [each.id for each in compressed] == [each.id for each in lossless]
    for one, other in zip(lossless, compressed, strict=True):
        assert (other.duration, other.sampling_rate) == (one.duration, one.sampling_rate)
        assert (other.speaker, other.language, other.text) == (one.speaker, one.language, one.text)
    for place in (0, 40, 80, 120):
        sent, heard = (each.utterances[place].read(16000) for each in (lossless, compressed))
        # A codec that keeps the waveform: delayed by a single sample it would be far below.
        assert np.corrcoef(sent, heard)[0, 1] > 0.98


ALL = [each.path for each in miniatures()]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_the_bundled_models_load_and_say_what_they_are(path):
    model = load_model(path, offline=True)
    assert model.info.n_parameters < 3e6
    assert model.info.objective in ("contrastive", "predictive")


@pytest.mark.slow
def test_trained_miniatures_share_a_space_and_hardly_a_neuron():
    measures = ["maxcorr", "maxcorr_rotated", "linreg_heldout", "linreg_heldout_r"]
    with pytest.warns(AssonanceWarning, match="only 4 are named"):
        found = compare(MODELS, SPEECH, measures, offline=True)
    a, second, b = found.models
    for row, col in ((a, b), (b, a), (second, b), (b, second)):
        shared = found.matrix("linreg_heldout", row, col).max("layer_col")
        floor = found.matrix("linreg_heldout", row, found.twin(col)).max("layer_col")
        assert (shared > floor + 0.15).all()
        assert float(np.abs(found.matrix("localisation", row, col)).max()) < 0.3


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_every_bundled_model_says_how_it_was_made(path):
    names = {each.name for each in path.iterdir()}
    assert {"README.md", "config.json", "model.safetensors", "evaluation.json"} <= names
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
    first, second, third = (path.name for path in MODELS)
    assert lines[0].startswith(f"{first}, {second} and {third} on ")
    assert lines[1:-2] == [f"  {sentence}" for sentence in sentences(found)]
    assert lines[-1] == "report:  mine/report.html"
    page = unescape((tmp_path / "mine" / "report.html").read_text("utf-8"))
    for sentence in sentences(found):
        assert sentence in page
    assert [each.seed_of for each in found.provenance.models[:3]] == [None, first, None]
    assert not any(each.tuned_from for each in found.provenance.models)
    # On real speech, what was learned is shared and single neurons are not.
    assert found.provenance.corpus.seconds > 300
    for row, col in ((first, third), (third, first)):
        shared = found.matrix("linreg_heldout", row, col).max("layer_col").mean()
        floor = found.matrix("linreg_heldout", row, found.twin(col)).max("layer_col").mean()
        assert float(shared - floor) > 0.15
        index = found.matrix("localisation", row, col)
        assert float(index.mean()) < 0.3


def test_a_bundled_model_can_be_named_where_no_directory_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find("hubert-mini") == MODELS[0]
    assert find("hubert-maxi") is None
    named = load_model("hubert-mini", offline=True)
    assert named.fingerprint == load_model(MODELS[0], offline=True).fingerprint
    assert load_model("random:hubert-mini@3", offline=True).name == "random:hubert-mini@3"
    (tmp_path / "hubert-mini").mkdir()
    with pytest.raises(AssonanceError, match=r"config\.json"):
        load_model("hubert-mini", offline=True)


def test_miniatures_fit_into_the_repository():
    assert sum(each.megabytes for each in miniatures()) <= 40


def test_another_seed_of_a_recipe_is_known_by_its_settings(tmp_path, monkeypatch):
    for name, seed in (("hubert-mini", None), ("hubert-mini-late", 7)):
        shutil.copytree(MODELS[0], tmp_path / name)
        if seed:
            told = tmp_path / name / "evaluation.json"
            result = json.loads(told.read_text("utf-8"))
            result["recipe"] |= {"name": name, "seed": seed}
            told.write_text(json.dumps(result), "utf-8")
    monkeypatch.setattr("assonance.demo._MODELS", tmp_path)
    assert [each.seed_of for each in miniatures()] == [None, "hubert-mini"]
    assert "another seed of hubert-mini" in str(miniatures()[1])


def test_models_lists_each_with_its_folder(capsys):
    app(["models"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    for each, first, second in zip(miniatures(), lines[::2], lines[1::2], strict=True):
        assert first == f"{each.name}  [{each}]"
        assert second.strip() == str(each.path)
    assert "predictive, pretrained, 6 layers × 128, 1.42 M parameters" in lines[0]


def test_miniatures_that_are_not_installed_are_named_with_their_place(
    tmp_path, monkeypatch, capsys
):
    for path in MODELS:
        shutil.copytree(path, tmp_path / path.name)
    assert elsewhere() == ()
    others = {path.name for path in ALL} - {path.name for path in MODELS}
    monkeypatch.setattr("assonance.demo._MODELS", tmp_path)
    assert set(elsewhere()) == others
    app(["models"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * len(MODELS) + 1
    assert all(name in lines[-1] for name in others)
    with pytest.raises(AssonanceError, match=r"not part of the installed package; .*demo/models"):
        load_model(sorted(others)[0], offline=True)


def test_the_rule_finds_the_bases_that_the_bundled_models_were_made_from():
    models = []
    for each in miniatures():
        loaded = load_model(each.path, offline=True)
        card = dict(vars(loaded.info))
        assert card.pop("notes") == ()
        models.append(
            ModelRecord(
                name=each.name,
                **card,
                fingerprint="",
                layers=loaded.meanings,
                seed_of=each.seed_of,
            )
        )
    relations = Relations(models)
    assert {each.name: each.fine_tuned_from for each in miniatures()} == {
        each.name: relations.base(each.name) for each in miniatures()
    }
    assert relations.unknown_bases() == []
