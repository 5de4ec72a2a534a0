"""Checkpoints: what is refused, in which words, and that nothing untrusted is opened."""

import hashlib
import json
import logging
import pickle
import shutil
import sys

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from assonance.errors import AssonanceError
from assonance.models.loading import load_model


@pytest.fixture
def folder(checkpoint, tmp_path):
    """A checkpoint of one's own to spoil."""
    return shutil.copytree(checkpoint(), tmp_path / "spoiled")


def refusal(spec, **how):
    """Load what cannot be loaded, and give the one line that says so."""
    with pytest.raises(AssonanceError) as caught:
        load_model(spec, **how)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600 + len(str(spec))
    return message


def change_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def change_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


# Directories


def test_a_missing_directory_is_named(tmp_path):
    assert refusal(tmp_path / "gone").startswith(f"{tmp_path / 'gone'}: no such directory")
    for spec in ("gone", "~nobody/x/y", "\0", "x" * 5000):
        assert "no such directory" in refusal(spec)


def test_a_file_that_holds_no_weights_is_refused(folder):
    assert ": not a directory, and not a file of weights" in refusal(folder / "config.json")


def test_a_directory_that_is_no_model_is_refused(tmp_path):
    assert refusal(tmp_path).startswith(f"{tmp_path}: no config.json; give the directory of")


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100_000, "\0"])
def test_a_malformed_config_is_refused(folder, content):
    (folder / "config.json").write_text(content)
    assert refusal(folder).startswith(f"{folder / 'config.json'}: ")


@pytest.mark.parametrize("family", ["bert", None, "wav2vec3", 7, ["hubert"]])
def test_another_family_is_refused_with_those_supported(folder, family):
    change_config(folder, model_type=family)
    assert refusal(folder).startswith(
        f"{folder}: models of type {family!r} are not supported; "
        "supported are wav2vec2, hubert, wavlm, data2vec-audio, "
    )


@pytest.mark.parametrize(
    "values",
    [
        {"num_attention_heads": 5},
        {"conv_kernel": [10, 3]},
        {"hidden_size": "many"},
        {"hidden_act": "no such function"},
        {"num_hidden_layers": 0},
        {"conv_stride": [5, 2, 2, 2, 2, 2, 0]},
    ],
    ids=str,
)
def test_a_config_that_no_model_can_have_is_refused(folder, values):
    change_config(folder, **values)
    assert str(folder) in refusal(folder)


def test_missing_preprocessing_is_refused(folder):
    (folder / "preprocessor_config.json").unlink()
    assert f"{folder}: no preprocessor_config.json" in refusal(folder)


def test_a_processors_file_without_preprocessing_does_not_stand_in_for_it(folder):
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text('{"processor_class": "Wav2Vec2Processor"}')
    assert f"{folder}: no preprocessor_config.json" in refusal(folder)


@pytest.mark.parametrize("content", ["{", '{"feature_extractor_type": "WhisperFeatureExtractor"}'])
def test_preprocessing_of_another_kind_is_refused(folder, content):
    (folder / "preprocessor_config.json").write_text(content)
    assert str(folder) in refusal(folder)


@pytest.mark.parametrize("rate", [0, -1, "fast", 16000.5, None])
def test_a_sampling_rate_that_cannot_be_is_refused(folder, rate):
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sampling_rate": rate}))
    assert f"{folder}: kernels, strides and sampling rate must be" in refusal(folder)


# Weights


def test_missing_weights_are_refused(folder):
    (folder / "model.safetensors").unlink()
    assert f"{folder}: no weights; model.safetensors or pytorch_model.bin" in refusal(folder)


def as_pickle(folder, **how):
    """Save the weights of a folder as torch pickles them."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin", **how)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_weights_make_the_same_model(folder, checkpoint, zipped):
    as_pickle(folder, _use_new_zipfile_serialization=zipped)
    model = load_model(folder)
    assert model.fingerprint == load_model(checkpoint()).fingerprint
    content = (folder / "pytorch_model.bin").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    assert model.info.weights == f"converted from pytorch_model.bin (sha256 {sha256})"


def test_pickled_weights_in_several_files_make_the_same_model(folder, checkpoint):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    shards = [f"pytorch_model-0000{number}-of-00002.bin" for number in (1, 2)]
    places = {}
    for number, shard in enumerate(shards):
        part = {name: weights[name] for name in sorted(weights)[number::2]}
        torch.save(part, folder / shard)
        places |= dict.fromkeys(part, shard)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    model = load_model(folder)
    assert model.fingerprint == load_model(checkpoint()).fingerprint
    assert model.info.weights.endswith(" and 1 more")


def test_pickled_weights_of_half_precision_are_those_of_safetensors(folder):
    change_weights(
        folder, lambda weights: weights.update({k: w.half() for k, w in weights.items()})
    )
    expected = load_model(folder).fingerprint
    as_pickle(folder)
    assert load_model(folder).fingerprint == expected


def test_safetensors_come_before_pickled_weights(folder, checkpoint):
    (folder / "pytorch_model.bin").write_bytes(b"never opened")
    assert load_model(folder).info.weights == "model.safetensors"


def test_pickled_weights_can_be_refused(folder):
    as_pickle(folder)
    assert "only pickled weights (pytorch_model.bin), which --no-pickles refuses" in refusal(
        folder, pickles=False
    )


def test_what_a_pickle_would_run_is_never_run(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(), 2))
    assert f"{folder}/pytorch_model.bin: " in refusal(folder)
    assert not (tmp_path / "sprung").exists()


def test_a_pickle_named_as_safetensors_is_refused_and_never_opened(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (folder / "model.safetensors").write_bytes(pickle.dumps(Trap()))
    assert f"{folder}/model.safetensors: its weights cannot be loaded" in refusal(folder)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("kept", [0, 7, 1000, -1])
def test_truncated_weights_are_refused(folder, kept):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    assert f"{folder}/model.safetensors: its weights cannot be loaded" in refusal(folder)


def test_a_missing_weight_is_named(folder):
    change_weights(folder, lambda weights: weights.pop("encoder.layers.1.attention.k_proj.weight"))
    assert refusal(folder) == (
        f"{folder}: the checkpoint does not hold 1 weights of the encoder: "
        "encoder.layers.1.attention.k_proj.weight; get a complete copy"
    )


def test_many_missing_weights_are_counted_and_a_few_named(folder):
    change_weights(folder, dict.clear)
    message = refusal(folder)
    assert "does not hold" in message
    assert message.count("encoder.") + message.count("feature_") == 3


def test_weights_of_another_width_are_refused(folder):
    change_config(folder, intermediate_size=40)
    assert "in other shapes than config.json says" in refusal(folder)


@pytest.mark.parametrize("head", ["Model", "ForPreTraining", "ForCTC"])
def test_more_blocks_than_the_config_has_place_for_are_refused(checkpoint, tmp_path, head):
    deep = shutil.copytree(checkpoint(head=head), tmp_path / "deep")
    change_config(deep, num_hidden_layers=2)
    assert "beyond what config.json says" in refusal(deep)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_named(folder, bad):
    def spoil(weights):
        weights["encoder.layers.0.feed_forward.output_dense.bias"][3] = bad

    change_weights(folder, spoil)
    message = refusal(folder)
    assert "holds as NaN or infinity" in message
    assert "encoder.layers.0.feed_forward.output_dense.bias" in message


def test_a_missing_file_of_several_is_named(checkpoint, folder):
    model = transformers.Wav2Vec2Model.from_pretrained(checkpoint())
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="50KB")
    lost = sorted(folder.glob("model-*.safetensors"))[1]
    lost.unlink()
    assert f"{folder}: {lost.name}, which model.safetensors.index.json names" in refusal(folder)


@pytest.mark.parametrize("content", ["{}", "{", '{"weight_map": 3}', '{"weight_map": {"a": [1]}}'])
def test_a_malformed_index_is_refused(folder, content):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(content)
    assert "model.safetensors.index.json" in refusal(folder)


@pytest.mark.parametrize("name", ["base_model.model.{}", "{}.base_layer.weight"])
def test_weights_saved_from_inside_an_adapter_are_named(folder, name):
    def wrap(weights):
        plain = "encoder.layers.1.attention.k_proj.weight"
        weights[name.format(plain.removesuffix(".weight"))] = weights.pop(plain)

    change_weights(folder, wrap)
    assert "weights of a model wrapped in an adapter" in refusal(folder)


def test_code_that_a_checkpoint_brings_is_not_run(folder, tmp_path):
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')")
    change_config(folder, auto_map={"AutoConfig": "evil.Config", "AutoModel": "evil.Model"})
    load_model(folder)
    assert not (tmp_path / "sprung").exists()


def test_a_device_that_is_not_there_is_named(folder):
    for device in ("nonsense", "cuda:99"):
        assert refusal(folder, device=device).startswith(f"device {device!r}: cannot be used here")


# Quiet


@pytest.fixture
def talkative():
    """Let transformers show progress bars and say all it has to say, to this test's terminal."""
    speaker = logging.StreamHandler(sys.stderr)
    logging.getLogger("transformers").addHandler(speaker)
    transformers.utils.logging.enable_progress_bar()
    transformers.utils.logging.set_verbosity_info()
    yield
    transformers.utils.logging.set_verbosity_warning()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("transformers").removeHandler(speaker)


def test_neither_success_nor_failure_writes_to_the_terminal(capfd, talkative, checkpoint, folder):
    tuned, plain = checkpoint(head="ForCTC"), checkpoint()
    capfd.readouterr()  # what saving them said, where no test had them saved before
    load_model(tuned)
    load_model(f"random:{plain}@0")
    change_weights(folder, lambda weights: weights.pop("encoder.layer_norm.bias"))
    refusal(folder)
    assert capfd.readouterr() == ("", "")


def test_the_libraries_speak_again_afterwards(capfd, talkative, folder):
    load_model(folder)
    assert transformers.utils.logging.is_progress_bar_enabled()
    transformers.Wav2Vec2Model.from_pretrained(folder)
    said = capfd.readouterr().err
    assert "loading configuration file" in said
    assert "Loading weights: 100%" in said


def test_loading_leaves_the_global_random_state_alone(folder):
    state = torch.get_rng_state()
    load_model(folder)
    assert torch.equal(torch.get_rng_state(), state)
