"""Every form that a checkpoint comes in opens as the model that was saved, or is refused."""

import json
import shutil

import numpy as np
import pytest
import torch
from checkpoints import save
from foreign_files import (
    small_model,
    write_fairseq,
    write_s3prl,
    write_torchaudio,
    write_wavlm,
)
from safetensors.torch import load_file
from signals import voice

from assonance.errors import AssonanceError
from assonance.models.loading import load_model

PREPROCESSING = {
    "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    "do_normalize": False,
    "sampling_rate": 16000,
}


def layers(model):
    return model.run(voice(0.4, seed=1)).activations


@pytest.fixture
def assert_same(tmp_path):
    """Check that a model has, to the bit, the layers of one that transformers saved."""

    def check(model, original, *, normalize=True):
        folder = tmp_path / "saved by transformers"
        original.save_pretrained(folder)
        settings = PREPROCESSING | {"do_normalize": normalize}
        (folder / "preprocessor_config.json").write_text(json.dumps(settings))
        expected, found = layers(load_model(folder)), layers(model)
        assert found.keys() == expected.keys()
        for label, values in expected.items():
            np.testing.assert_array_equal(found[label], values)

    return check


def refusal(spec, **how):
    with pytest.raises(AssonanceError) as caught:
        load_model(spec, **how)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("family", "style", "head"),
    [
        ("wav2vec2", "base", "Model"),
        ("wav2vec2", "large", "Model"),
        ("wav2vec2", "large", "ForCTC"),
        ("hubert", "base", "Model"),
        ("hubert", "large", "Model"),
        ("hubert", "large", "ForCTC"),
    ],
)
def test_a_fairseq_checkpoint_is_a_model(tmp_path, assert_same, family, style, head, legacy):
    original = small_model(family, style, head)
    path = write_fairseq(tmp_path / "checkpoint_best.pt", original, legacy=legacy)
    model = load_model(path)
    assert_same(model, original)
    assert model.name == "checkpoint_best"
    assert model.info.fine_tuned is (head == "ForCTC")
    assert model.info.weights.startswith("converted from checkpoint_best.pt (sha256 ")


def test_a_file_settles_whether_its_input_is_normalised(tmp_path, assert_same):
    original = small_model("hubert")
    path = write_fairseq(tmp_path / "hubert.pt", original, normalize=False)
    model = load_model(path)
    assert model.info.input == "16000 Hz, not normalised"
    assert_same(model, original, normalize=False)


def test_an_s3prl_checkpoint_is_a_model(tmp_path, assert_same):
    original = small_model("hubert")
    assert_same(load_model(write_s3prl(tmp_path / "converted.pt", original)), original)


def test_a_wavlm_checkpoint_needs_a_sampling_rate(tmp_path, assert_same):
    original = small_model("wavlm")
    path = write_wavlm(tmp_path / "WavLM-Base.pt", original)
    assert "does not settle its sampling rate and normalisation; name a" in refusal(path)
    settings = tmp_path / "preprocessor_config.json"
    settings.write_text(json.dumps(PREPROCESSING))
    assert "states that its input is normalised, and the given preprocessing that it is not" in (
        refusal(path, preprocessor=settings)
    )
    settings.write_text(json.dumps(PREPROCESSING | {"do_normalize": True}))
    assert_same(load_model(path, preprocessor=settings), original)


def test_settings_that_contradict_the_weights_are_refused_by_the_files_name(tmp_path):
    def change(content):
        content["cfg"]["model"]["encoder_embed_dim"] = 64

    path = write_fairseq(tmp_path / "odd.pt", small_model("hubert"), change=change)
    message = refusal(path)
    assert message.startswith(f"{path}: ")
    assert "64" in message
    assert "32" in message


def test_torchaudio_weights_need_a_configuration_and_preprocessing(
    tmp_path, assert_same, checkpoint
):
    original = small_model("hubert")
    folder = checkpoint("hubert")
    path = write_torchaudio(tmp_path / "hubert_fairseq_base.pth", original)
    assert "name one of the same architecture with --model-config FILE_OR_ID" in refusal(path)
    assert "with --preprocessor FILE_OR_ID" in refusal(path, config=folder)
    model = load_model(path, config=folder / "config.json", preprocessor=folder)
    assert_same(model, original)
    assert model.info.notes == (
        f"hubert_fairseq_base: configuration taken from {folder / 'config.json'}",
        f"hubert_fairseq_base: preprocessing taken from {folder}",
    )


def test_a_configuration_of_another_architecture_is_refused(tmp_path, checkpoint):
    path = write_torchaudio(tmp_path / "small.pth", small_model("hubert"))
    folder = checkpoint("hubert", intermediate_size=40)
    message = refusal(path, config=folder, preprocessor=folder)
    assert message.startswith(f"{path}: the checkpoint holds in other shapes than config.json says")


@pytest.mark.parametrize("name", ["model.safetensors", "weights.pt"])
def test_a_file_of_weights_uses_the_configuration_beside_it(checkpoint, tmp_path, name):
    folder = shutil.copytree(checkpoint(), tmp_path / "whole")
    if name != "model.safetensors":
        torch.save(load_file(folder / "model.safetensors"), folder / name)
        (folder / "model.safetensors").unlink()
    assert load_model(folder / name).fingerprint == load_model(checkpoint()).fingerprint


def test_a_file_that_has_a_configuration_takes_no_other(tmp_path, checkpoint):
    path = write_fairseq(tmp_path / "own.pt", small_model("hubert"))
    for own in (path, checkpoint("hubert")):
        assert "has its own configuration; leave out --model-config" in refusal(
            own, config=checkpoint("hubert")
        )


def test_pickled_files_can_be_refused(tmp_path):
    path = write_fairseq(tmp_path / "own.pt", small_model("hubert"))
    assert refusal(path, pickles=False) == f"{path}: pickled weights, which --no-pickles refuses"


def test_weights_of_no_known_form_are_refused_with_those_known(tmp_path):
    torch.save({"layer.weight": torch.ones(2, 2)}, tmp_path / "own.pt")
    assert refusal(tmp_path / "own.pt") == (
        f"{tmp_path / 'own.pt'}: holds weights of no known form (layer.weight); known are those "
        "of transformers, fairseq, torchaudio and s3prl"
    )


def test_preprocessing_can_be_given_to_a_model_without(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint("hubert"), tmp_path / "content-vec")
    own = folder / "preprocessor_config.json"
    shutil.move(own, tmp_path / "other.json")
    assert "name one with --preprocessor FILE_OR_ID" in refusal(folder)
    model = load_model(folder, preprocessor=tmp_path / "other.json")
    assert model.fingerprint == load_model(checkpoint("hubert")).fingerprint
    assert model.info.notes == (f"content-vec: preprocessing taken from {tmp_path / 'other.json'}",)


def test_given_preprocessing_replaces_a_models_own(checkpoint, tmp_path):
    path = tmp_path / "plain.json"
    path.write_text(json.dumps(PREPROCESSING))
    assert load_model(checkpoint()).info.input == "16000 Hz, zero mean and unit variance"
    assert load_model(checkpoint(), preprocessor=path).info.input == "16000 Hz, not normalised"


@pytest.mark.parametrize("form", ["random:{}@1", "rotated:{}@1", "rotated:random:{}@1@2"])
def test_given_preprocessing_reaches_twins_and_rotated_models(checkpoint, tmp_path, form):
    path = tmp_path / "plain.json"
    path.write_text(json.dumps(PREPROCESSING))
    model = load_model(form.format(checkpoint()), preprocessor=path)
    assert model.info.input == "16000 Hz, not normalised"


def test_preprocessing_without_a_type_is_that_of_the_family(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint("wav2vec2-bert"), tmp_path / "old")
    path = folder / "preprocessor_config.json"
    settings = json.loads(path.read_text())
    del settings["feature_extractor_type"]
    path.write_text(json.dumps(settings))
    assert load_model(folder).fingerprint == load_model(checkpoint("wav2vec2-bert")).fingerprint


def test_a_quantised_model_is_refused(tmp_path):
    folder = save(tmp_path / "small", "hubert", "base", "Model", 0)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes"}
    (folder / "config.json").write_text(json.dumps(config))
    assert "its weights are quantised" in refusal(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "pytorch_model.bin"])
def test_an_address_in_place_of_a_large_file_is_named(checkpoint, tmp_path, name):
    folder = shutil.copytree(checkpoint(), tmp_path / "cloned")
    if name == "pytorch_model.bin":
        (folder / "model.safetensors").unlink()
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    message = refusal(folder)
    assert message.startswith(f"{folder / name}: ")
    assert "run git lfs pull" in message
