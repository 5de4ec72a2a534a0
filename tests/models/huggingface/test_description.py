"""A checkpoint is described, with whether it opens, before its weights are read."""

import json
import shutil

import pytest
import torch
from checkpoints import FAMILIES
from foreign_files import small_model, write_fairseq, write_torchaudio
from safetensors.torch import load_file

from assonance.errors import AssonanceError
from assonance.models.checkpoints.published import Opening
from assonance.models.huggingface.description import describe
from assonance.models.loading import load_model

OPENING = Opening(offline=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_of_every_family_is_described_as_it_loads(checkpoint, family):
    folder = checkpoint(family)
    found, model = describe(folder, OPENING), load_model(folder)
    assert found.name == str(folder)
    assert found.facts["family"] == model.info.family
    assert found.facts["layers"] == f"{model.layers[0]} to {model.layers[-1]}"
    assert found.facts["size"].startswith(model.info.size)
    assert f"{model.info.n_parameters / 1e6:.1f} M parameters" in found.facts["size"]
    assert found.facts["input"] == model.info.input
    assert found.facts["opens"] == "yes"


def test_frames_are_described_in_milliseconds(checkpoint):
    facts = describe(checkpoint("hubert"), OPENING).facts
    assert facts["frames"] == "one every 20 ms, the first from 25 ms of speech"


def test_a_fine_tuned_model_is_described_by_its_task_and_base(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint("wav2vec2", head="ForCTC"), tmp_path / "tuned")
    config = json.loads((folder / "config.json").read_text())
    config["_name_or_path"] = "facebook/wav2vec2-base"
    (folder / "config.json").write_text(json.dumps(config))
    facts = describe(folder, OPENING).facts
    assert facts["fine-tuned"] == "for speech recognition, from facebook/wav2vec2-base"
    assert facts["saved as"] == "Wav2Vec2ForCTC"
    assert describe(checkpoint(), OPENING).facts["fine-tuned"] == "no"


def test_a_pickled_file_is_described_and_not_converted(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSONANCE_CACHE", str(tmp_path / "cache"))
    folder = shutil.copytree(checkpoint(), tmp_path / "pickled")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    found = describe(folder, OPENING)
    assert found.facts["weights"].startswith("pytorch_model.bin, ")
    assert "converted once to safetensors" in found.facts["weights"]
    assert found.facts["opens"] == "yes"
    assert not (tmp_path / "cache").exists()


def test_a_fairseq_file_is_described(tmp_path):
    path = write_fairseq(tmp_path / "hubert.pt", small_model("hubert"))
    found = describe(path, OPENING)
    assert (found.facts["form"], found.facts["family"]) == ("fairseq", "hubert")
    assert found.facts["opens"] == "yes"


def test_damage_is_found_without_reading_the_weights(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint(), tmp_path / "cut")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    found = describe(folder, OPENING)
    assert found.refusal.endswith("get a complete copy")
    assert found.facts["opens"] == f"no: {found.refusal}"


def test_a_model_without_weights_is_still_described(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint(), tmp_path / "bare")
    (folder / "model.safetensors").unlink()
    found = describe(folder, OPENING)
    assert found.facts["family"] == "wav2vec2"
    assert found.refusal.startswith("no weights; ")


def test_what_cannot_be_described_is_refused(tmp_path):
    path = write_torchaudio(tmp_path / "bare.pth", small_model("hubert"))
    with pytest.raises(AssonanceError, match="--model-config"):
        describe(path, OPENING)
