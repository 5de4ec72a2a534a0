"""Heads: whatever a checkpoint was saved with, its encoder and its task are found."""

import json
import shutil

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from assonance.errors import AssonanceError
from assonance.models.checkpoints.published import Opening
from assonance.models.huggingface.checkpoint import find_checkpoint, load_encoder
from assonance.models.loading import load_model

HEADS = {
    "ForXVector": "speaker verification",
    "ForAudioFrameClassification": "frame classification",
    "ForSequenceClassification": "utterance classification",
    "ForCTC": "speech recognition",
    "ForPreTraining": "pretraining",
    "Model": "pretraining",
}
BEGINS = {"wav2vec2": "Wav2Vec2", "wavlm": "WavLM", "wav2vec2-bert": "Wav2Vec2Bert"}
SAVED = [
    (family, head)
    for family, begins in BEGINS.items()
    for head in HEADS
    if hasattr(transformers, f"{begins}{head}")
]


def assert_encoder(folder, expected):
    checkpoint = find_checkpoint(folder, Opening(offline=True))
    encoder, _ = load_encoder(checkpoint, checkpoint.published.weights())
    found = encoder.state_dict()
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        assert torch.equal(found[name], weight), name


@pytest.mark.parametrize(("family", "head"), SAVED)
def test_the_encoder_is_that_of_the_whole_model(checkpoint, family, head):
    folder = checkpoint(family, head=head)
    whole = getattr(transformers, f"{BEGINS[family]}{head}").from_pretrained(folder)
    assert_encoder(folder, whole.base_model.state_dict())
    card = load_model(folder).info
    assert card.task == HEADS[head]
    assert card.fine_tuned is (HEADS[head] != "pretraining")


def set_classes(folder, names):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": names}))


@pytest.mark.parametrize("prefix", ["", "hubert."])
def test_contentvec_is_pretrained(checkpoint, tmp_path, prefix):
    folder = shutil.copytree(checkpoint("hubert"), tmp_path / "contentvec")
    weights = load_file(folder / "model.safetensors")
    expected = transformers.HubertModel.from_pretrained(folder).state_dict()
    weights = {f"{prefix}{name}": weight for name, weight in weights.items()}
    weights |= {"final_proj.weight": torch.ones(8, 32), "final_proj.bias": torch.ones(8)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    set_classes(folder, ["HubertModelWithFinalProj"])
    assert_encoder(folder, expected)
    card = load_model(folder).info
    assert (card.task, card.fine_tuned) == ("pretraining", False)


def test_a_supervised_model_with_a_head_for_a_class_is_fine_tuned(checkpoint):
    tuned = load_model(checkpoint("whisper", head="ForAudioClassification")).info
    assert (tuned.task, tuned.fine_tuned) == ("utterance classification", True)
    whole = load_model(checkpoint("whisper", head="ForConditionalGeneration")).info
    assert (whole.task, whole.fine_tuned) == ("speech recognition", False)


def test_a_class_that_is_not_known_is_noted(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint(), tmp_path / "own")
    set_classes(folder, ["EmotionModel"])
    card = load_model(folder).info
    assert (card.task, card.fine_tuned) == (None, False)
    assert card.notes == (
        "own: taken as pretrained, since its class EmotionModel is not known; if it was "
        "fine-tuned, state its base with --tuned-from",
    )
    for known in ([], ["Wav2Vec2ForSpeechClassification"]):
        set_classes(folder, known)
        assert load_model(folder).info.notes == ()


@pytest.mark.parametrize("names", [7, "Wav2Vec2Model", {"a": 1}, [None]])
def test_classes_that_are_no_list_of_names_do_not_matter(checkpoint, tmp_path, names):
    folder = shutil.copytree(checkpoint(), tmp_path / "own")
    set_classes(folder, names)
    assert not load_model(folder).info.fine_tuned


def test_several_files_are_as_one(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint("wavlm", head="ForXVector"), tmp_path / "sharded")
    whole = transformers.WavLMForXVector.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    whole.save_pretrained(folder, max_shard_size="50KB")
    assert_encoder(folder, whole.base_model.state_dict())


def add(folder, name, like):
    weights = load_file(folder / "model.safetensors")
    weights[name] = weights[like] + 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("name", ["encoder.layers.1.layer_norm.bias", "wavlm.encoder.more.bias"])
def test_a_weight_that_is_there_twice_or_has_no_place_is_refused(checkpoint, tmp_path, name):
    folder = shutil.copytree(checkpoint("wavlm", head="ForXVector"), tmp_path / "model")
    add(folder, name, like="wavlm.encoder.layers.1.layer_norm.bias")
    why = "beyond what config" if name.startswith("wavlm") else "twice, with 'wavlm.' before the"
    with pytest.raises(AssonanceError, match=f"holds {why}"):
        load_model(folder)
