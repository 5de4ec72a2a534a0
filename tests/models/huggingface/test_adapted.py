"""Models adapted by LoRA: loaded as their base with the adapter merged, and described as such."""

import json
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
import transformers
from adapters import adapt, set_config
from safetensors.torch import load_file
from signals import voice

from assonance.errors import AssonanceError
from assonance.models.checkpoints.published import Opening
from assonance.models.huggingface.description import describe
from assonance.models.loading import Loading, find, load_model
from assonance.utils.progress import Silent

peft = pytest.importorskip("peft", reason="adapters are merged by peft, which is not installed")

LABELS = tuple(f"encoder.{k}" for k in range(4))


@pytest.fixture
def base(checkpoint):
    return checkpoint(head="ForCTC")


@pytest.fixture
def adapter(base, tmp_path):
    return adapt(base, "Wav2Vec2ForCTC", tmp_path / "lora")


def by_peft(base, out, samples):
    """Run the base with its adapter unmerged, as peft does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = transformers.Wav2Vec2ForCTC.from_pretrained(base, attn_implementation="eager")
        adapted = peft.PeftModel.from_pretrained(whole, out).eval()
    extractor = transformers.AutoFeatureExtractor.from_pretrained(base)
    values = extractor(samples, sampling_rate=16000, return_tensors="pt").input_values
    with torch.no_grad():
        states = adapted(values, output_hidden_states=True).hidden_states
    return [each[0].numpy() for each in states]


def test_layers_are_those_of_the_adapted_model(base, adapter):
    samples = voice(0.7, seed=1)
    found = load_model(adapter).run(samples).activations
    alone = load_model(base).run(samples).activations
    for label, expected in zip(LABELS, by_peft(base, adapter, samples), strict=True):
        scale = expected.std()
        # Merged or not, the sums differ by rounding: 6e-8, which three blocks do not make 1e-3.
        np.testing.assert_allclose(found[label], expected, rtol=0, atol=1e-3 * scale)
        if label != "encoder.0":  # before any adapted weight
            assert np.abs(found[label] - alone[label]).max() > 0.1 * scale


def test_the_card_names_adapter_base_and_task(base, adapter):
    card = load_model(adapter).info
    assert (card.source, card.base) == (str(adapter), str(base))
    assert (card.fine_tuned, card.task) == (True, "speech recognition")
    assert card.weights == "model.safetensors, adapted by adapter_model.safetensors"
    assert load_model(adapter).name == "lora"
    assert load_model(base).info.base is None


def test_an_adapted_model_is_fine_tuned_whatever_its_class(checkpoint, tmp_path):
    out = adapt(checkpoint(), "Wav2Vec2Model", tmp_path / "lora")
    card = load_model(out).info
    assert (card.fine_tuned, card.task) == (True, None)
    whisper = checkpoint("whisper", head="ForConditionalGeneration")
    out = adapt(whisper, "WhisperForConditionalGeneration", tmp_path / "spoken")
    assert load_model(out).info.fine_tuned
    assert load_model(out).fingerprint != load_model(whisper).fingerprint


def test_its_twin_is_that_of_its_base(base, adapter):
    twin = load_model(f"random:{adapter}@3")
    assert twin.fingerprint == load_model(f"random:{base}@3").fingerprint
    assert (twin.info.fine_tuned, twin.info.base, twin.info.task) == (False, None, None)


def test_a_base_in_the_same_folder_is_adapted(base, adapter):
    expected = load_model(adapter).fingerprint
    for file in base.iterdir():
        shutil.copy(file, adapter)
    set_config(adapter, base_model_name_or_path=str(adapter))
    assert load_model(adapter).fingerprint == expected != load_model(base).fingerprint


def test_preprocessing_is_the_adapters_own_if_it_has_any(base, adapter):
    assert "zero mean" in load_model(adapter).info.input
    settings = json.loads((base / "preprocessor_config.json").read_text())
    own = json.dumps({**settings, "do_normalize": False})
    (adapter / "preprocessor_config.json").write_text(own)
    assert "not normalised" in load_model(adapter).info.input


def test_pickled_weights_of_an_adapter_are_read_as_data(adapter, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSONANCE_CACHE", str(tmp_path / "cache"))
    expected = load_model(adapter).fingerprint
    torch.save(load_file(adapter / "adapter_model.safetensors"), adapter / "adapter_model.bin")
    (adapter / "adapter_model.safetensors").unlink()
    assert load_model(adapter).fingerprint == expected
    with pytest.raises(AssonanceError, match="which --no-pickles refuses"):
        load_model(adapter, pickles=False)


def test_adapter_and_base_may_be_on_the_hub(hub, base, adapter):
    expected = load_model(adapter).fingerprint
    set_config(adapter, base_model_name_or_path="acme/base", revision="v1")
    hub.add("acme/base", {file.name: file.read_bytes() for file in base.iterdir()}, "v1")
    hub.add("acme/tuned", {file.name: file.read_bytes() for file in adapter.iterdir()})
    found = find("acme/tuned", Loading())
    assert [(where, file.name) for where, file in found.downloads] == [
        ("acme/base@v1", "model.safetensors"),
        ("acme/tuned", "adapter_model.safetensors"),
    ]
    model = found.load(Silent())
    assert model.fingerprint == expected
    assert (model.name, model.info.base) == ("tuned", "acme/base@v1")
    assert load_model("acme/tuned", offline=True).fingerprint == expected
    fetched = {path.rsplit("/", 1)[1] for _, path, _ in hub.requests if "/resolve/" in path}
    assert "README.md" not in fetched


def test_the_description_names_base_and_files(base, adapter):
    facts = describe(adapter, Opening()).facts
    assert facts["fine-tuned"] == f"for speech recognition, from {base}"
    assert facts["adapter"].startswith("adapter_model.safetensors, ")
    assert facts["opens"] == "yes"


def test_peft_is_imported_for_adapters_alone(base, adapter):
    program = """
import sys
from assonance import load_model
for folder in sys.argv[1:]:
    load_model(folder)
    print("peft" in sys.modules)
"""
    command = [sys.executable, "-c", program, str(base), str(adapter)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


# Refusals


def refusal(spec):
    with pytest.raises(AssonanceError) as caught:
        load_model(spec)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(spec))
    return message


def test_a_base_that_is_not_there_is_named(adapter):
    set_config(adapter, base_model_name_or_path="/home/someone/model")
    message = refusal(adapter)
    assert "an adapter whose base cannot be opened: /home/someone/model: no such direc" in message


def test_an_adapter_of_an_adapter_is_refused(adapter, tmp_path):
    other = shutil.copytree(adapter, tmp_path / "other")
    set_config(adapter, base_model_name_or_path=str(other))
    set_config(other, base_model_name_or_path=str(adapter))
    assert f"{other}: an adapter itself; merge it into its own base" in refusal(adapter)


def test_a_file_of_an_adapter_is_not_the_adapter(adapter):
    assert "a part of an adapter; give the folder" in refusal(adapter / "adapter_model.safetensors")


def test_damage_in_the_base_is_said_of_both(base, adapter, tmp_path):
    spoiled = shutil.copytree(base, tmp_path / "spoiled")
    set_config(adapter, base_model_name_or_path=str(spoiled))
    config = json.loads((spoiled / "config.json").read_text())
    (spoiled / "config.json").write_text(json.dumps({**config, "intermediate_size": 40}))
    message = refusal(adapter)
    assert message.startswith(f"{adapter} (an adapter of {spoiled}): the checkpoint holds in other")


def test_an_adapter_of_another_size_is_refused(adapter, checkpoint):
    set_config(adapter, base_model_name_or_path=str(checkpoint(head="ForCTC", hidden_size=48)))
    assert f"{adapter}: the adapter cannot be merged into " in refusal(adapter)
