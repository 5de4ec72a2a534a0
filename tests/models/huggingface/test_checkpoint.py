"""Checkpoints: what is refused, in which words, and that nothing untrusted is opened."""

import json
import logging
import pickle
import shutil
import sys

import huggingface_hub
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from assonance.errors import AssonanceError
from assonance.models.huggingface import checkpoint as checkpoint_files
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


def test_a_file_is_not_a_directory(folder):
    assert ": not a directory" in refusal(folder / "config.json")


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
    assert f"{folder}: no weights; model.safetensors is needed" in refusal(folder)


def test_pickled_weights_are_refused_and_never_opened(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    message = refusal(folder)
    assert "only pickled weights (pytorch_model.bin), which are never opened" in message
    assert "convert the weights to safetensors" in message
    assert not (tmp_path / "sprung").exists()


def test_a_pickle_named_as_safetensors_is_refused_and_never_opened(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (folder / "model.safetensors").write_bytes(pickle.dumps(Trap()))
    assert f"{folder}: its weights cannot be loaded" in refusal(folder)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("kept", [0, 7, 1000, -1])
def test_truncated_weights_are_refused(folder, kept):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    assert f"{folder}: its weights cannot be loaded" in refusal(folder)


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


# The hub


@pytest.fixture
def hub(checkpoint, monkeypatch, tmp_path):
    """A local cache that holds acme/tiny as the hub's library keeps it."""
    revision = "0" * 40
    repository = tmp_path / "cache" / "models--acme--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(revision)
    shutil.copytree(checkpoint(), repository / "snapshots" / revision)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


def test_a_hub_id_in_the_cache_loads_offline(hub, checkpoint):
    model = load_model("acme/tiny", offline=True)
    assert (model.name, model.info.source) == ("tiny", "acme/tiny")
    assert model.fingerprint == load_model(checkpoint()).fingerprint
    twin = load_model("random:acme/tiny@3", offline=True)
    assert twin.name == "random:tiny@3"


def test_a_hub_id_that_is_not_in_the_cache_is_refused_offline(hub):
    assert refusal("acme/other", offline=True) == (
        "acme/other: no such directory, and not found in the local cache; "
        "use a local directory, or check the name and the network"
    )


@pytest.fixture
def asked(monkeypatch, checkpoint):
    """Stand in for the hub, and keep what it was asked for."""
    requests = []

    def download(hub_id, **request):
        requests.append((hub_id, request))
        return str(checkpoint())

    monkeypatch.setattr(checkpoint_files, "snapshot_download", download)
    return requests


def test_only_configuration_and_safetensors_are_asked_of_the_hub(asked):
    load_model("acme/tiny")
    ((hub_id, request),) = asked
    assert (hub_id, request["revision"], request["local_files_only"]) == ("acme/tiny", None, False)
    files = ["config.json", "preprocessor_config.json", "processor_config.json"]
    files += ["model.safetensors", "model.safetensors.index.json", "model-00001-of-2.safetensors"]
    others = ["pytorch_model.bin", "tf_model.h5", "adapter.fra.safetensors", "modeling.py"]
    filtered = huggingface_hub.utils.filter_repo_objects(
        files + others, allow_patterns=request["allow_patterns"]
    )
    assert list(filtered) == files


def test_a_revision_may_be_named(asked):
    assert load_model("acme/tiny@refs/pr/2").name == "tiny"
    assert load_model("random:acme/tiny@refs/pr/2@7").name == "random:tiny@7"
    assert [request["revision"] for _, request in asked] == ["refs/pr/2"] * 2


def test_a_hub_out_of_reach_is_said_in_one_line(monkeypatch):
    def unreachable(*args, **kwargs):
        raise ConnectionError("Name or service not known\nand much more")

    monkeypatch.setattr(checkpoint_files, "snapshot_download", unreachable)
    assert refusal("acme/tiny") == (
        "acme/tiny: no such directory, and not found on the Hugging Face Hub "
        "(Name or service not known); use a local directory, or check the name and the network"
    )


def test_a_path_is_never_taken_for_a_hub_id(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "acme" / "tiny").mkdir(parents=True)
    assert "no config.json" in refusal("acme/tiny")
    for spec in (tmp_path / "acme" / "other", "./acme/other", "a/b/c", "acme", ""):
        refusal(spec)
    assert asked == []


def test_loading_leaves_the_global_random_state_alone(folder):
    state = torch.get_rng_state()
    load_model(folder)
    assert torch.equal(torch.get_rng_state(), state)
