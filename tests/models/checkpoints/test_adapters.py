"""LoRA adapters: merged as defined, into the encoder alone, or refused in one line."""

from functools import partial

import numpy as np
import pytest
import torch
import transformers
from adapters import adapt, set_config
from safetensors.torch import load_file, save_file

from assonance.errors import AssonanceError
from assonance.models.checkpoints.adapters import (
    CONFIG,
    PICKLED,
    WEIGHTS,
    is_adapter,
    merge,
    read_adapter,
)
from assonance.models.checkpoints.files import LocalFiles

pytest.importorskip("peft", reason="adapters are merged by peft, which is not installed")

ROUNDING = 2.0**-24


def merge_from(out, encoder, places=("wav2vec2.", "")):
    adapter = read(out)
    merge(encoder, adapter, adapter.weights.read()[0], places)


def read(out, *, pickles=True):
    return read_adapter(LocalFiles(out), pickles=pickles)


def merged(folder, out, class_name="Wav2Vec2Model", places=("wav2vec2.", ""), path=""):
    encoder = getattr(transformers, class_name).from_pretrained(folder).eval().get_submodule(path)
    before = {name: weight.clone() for name, weight in encoder.state_dict().items()}
    merge_from(out, encoder, places)
    return before, encoder.state_dict()


def products(out, top, scale):
    """By name of the adapted weight, its change scale·B·A in float64, and how much it may be off.

    A sum of r products in float32, scaled and added to the weight, each step rounded.
    """
    stored = load_file(out / WEIGHTS)
    changes = {}
    for name, weight in stored.items():
        if name.startswith(top) and name.endswith("lora_A.weight"):
            A = weight.double()
            B = stored[name.replace("lora_A", "lora_B")].double()
            module = name.removeprefix(top).removesuffix(".lora_A.weight")
            factor = scale(module, len(A))
            off = (len(A) + 2) * ROUNDING * factor * (B.abs() @ A.abs())
            changes[f"{module}.weight"] = factor * (B @ A), off
    return changes


def assert_merged(before, after, changes):
    assert changes
    assert before.keys() == after.keys()
    for name, weight in before.items():
        if name not in changes:
            assert torch.equal(after[name], weight), name
            continue
        change, off = changes[name]
        expected = weight.double() + change
        allowed = 1.01 * (off + ROUNDING * expected.abs())
        assert (after[name].double() - expected).abs().le(allowed).all(), name
        assert change.abs().max() > 0.01


@pytest.mark.parametrize(
    ("class_name", "top"),
    [("Wav2Vec2ForCTC", "base_model.model.wav2vec2."), ("Wav2Vec2Model", "base_model.model.")],
)
def test_weights_are_w_plus_alpha_over_r_times_b_a(checkpoint, tmp_path, class_name, top):
    folder = checkpoint(head=class_name.removeprefix("Wav2Vec2"))
    out = adapt(folder, class_name, tmp_path / "lora")
    before, after = merged(folder, out)
    changes = products(out, top, lambda module, r: 6 / r)
    assert len(changes) == 2 * 3
    assert_merged(before, after, changes)


def test_settings_of_single_modules_count(checkpoint, tmp_path):
    out = adapt(
        checkpoint(head="ForCTC"),
        "Wav2Vec2ForCTC",
        tmp_path / "lora",
        rank_pattern={"wav2vec2.encoder.layers.1.attention.q_proj": 2},
        alpha_pattern={"out_proj": 10},
        use_rslora=True,
    )
    before, after = merged(checkpoint(head="ForCTC"), out)
    changes = products(
        out,
        "base_model.model.wav2vec2.",
        lambda module, r: (10 if module.endswith("out_proj") else 6) / r**0.5,
    )
    ranks = {len(weight) for name, weight in load_file(out / WEIGHTS).items() if "lora_A" in name}
    assert ranks == {2, 4}
    assert_merged(before, after, changes)


def test_decomposed_weights_keep_their_magnitudes(checkpoint, tmp_path):
    """DoRA: each row of W + s·B·A is scaled to the length that was learned for it."""
    folder = checkpoint(head="ForCTC")
    out = adapt(folder, "Wav2Vec2ForCTC", tmp_path / "lora", use_dora=True)
    stored = load_file(out / WEIGHTS)
    top = "base_model.model.wav2vec2."
    for name in [name for name in stored if name.endswith("lora_magnitude_vector")]:
        stored[name] = stored[name] * 1.5
    save_file(stored, out / WEIGHTS)
    before, after = merged(folder, out)
    changes = products(out, top, lambda module, r: 6 / r)
    assert changes
    for name, (change, _) in changes.items():
        moved = before[name].double() + change
        length = stored[f"{top}{name.removesuffix('.weight')}.lora_magnitude_vector"].double()
        expected = moved * (length / moved.norm(dim=1))[:, None]
        np.testing.assert_allclose(after[name].numpy(), expected.numpy(), rtol=2e-5, atol=2e-5)


def test_only_the_encoder_of_a_model_with_a_decoder_changes(checkpoint, tmp_path):
    folder = checkpoint("whisper", head="ForConditionalGeneration")
    out = adapt(
        folder, "WhisperForConditionalGeneration", tmp_path / "lora", target_modules=["v_proj"]
    )
    before, after = merged(folder, out, "WhisperModel", ("model.encoder.", "encoder."), "encoder")
    changes = products(out, "base_model.model.model.encoder.", lambda module, r: 6 / r)
    assert len(changes) == 3
    assert_merged(before, after, changes)


def test_a_layer_of_the_head_named_as_the_encoders_is_left_out(checkpoint, tmp_path):
    folder = checkpoint("wavlm", head="ForXVector")
    out = adapt(
        folder,
        "WavLMForXVector",
        tmp_path / "lora",
        target_modules=["out_proj"],
        modules_to_save=["feature_extractor", "projector"],
    )
    assert "base_model.model.feature_extractor.weight" in load_file(out / WEIGHTS)
    before, after = merged(folder, out, "WavLMModel", ("wavlm.", ""))
    assert_merged(before, after, products(out, "base_model.model.wavlm.", lambda module, r: 6 / r))


@pytest.mark.parametrize("head", ["ForCTC", "Model"])
def test_weights_that_an_adapter_holds_whole_replace_the_encoders(checkpoint, tmp_path, head):
    def train(adapted):
        for name, weight in adapted.named_parameters():
            if weight.requires_grad and "lora_" not in name:
                weight.data += 1

    out = adapt(
        checkpoint(head=head),
        f"Wav2Vec2{head}",
        tmp_path / "lora",
        change=train,
        bias="all",
        modules_to_save=["feature_projection"],
    )
    before, after = merged(checkpoint(head=head), out)
    place = "wav2vec2." if head == "ForCTC" else ""
    lora = products(out, f"base_model.model.{place}", lambda module, r: 6 / r)
    whole = {
        name for name in before if name.endswith("bias") or name.startswith("feature_projection.")
    }
    for name in whole:
        assert torch.equal(after[name], before[name] + 1), name
    kept = before.keys() - whole
    assert_merged({name: before[name] for name in kept}, {name: after[name] for name in kept}, lora)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_are_merged_in_single(checkpoint, tmp_path, dtype):
    out = adapt(checkpoint(), "Wav2Vec2Model", tmp_path / "lora")
    halves = {name: weight.to(dtype) for name, weight in load_file(out / WEIGHTS).items()}
    save_file(halves, out / WEIGHTS)
    before, after = merged(checkpoint(), out)
    changes = products(out, "base_model.model.", lambda module, r: 6 / r)
    assert_merged(before, after, changes)


def test_merging_leaves_the_random_state_and_the_modules_as_they_were(checkpoint, tmp_path):
    out = adapt(checkpoint(), "Wav2Vec2Model", tmp_path / "lora")
    encoder = transformers.Wav2Vec2Model.from_pretrained(checkpoint()).eval()
    modules, state = dict(encoder.named_modules()), torch.get_rng_state()
    merge_from(out, encoder)
    assert dict(encoder.named_modules()) == modules
    assert not any(module.training for module in modules.values())
    assert torch.equal(torch.get_rng_state(), state)


# What it is


def test_an_adapter_is_recognised_by_its_files(tmp_path):
    for name in ("config.json", "model.safetensors", "adapter.fra.safetensors"):
        (tmp_path / name).touch()
    assert not is_adapter(LocalFiles(tmp_path))
    for name in (CONFIG, WEIGHTS, PICKLED):
        (tmp_path / name).touch()
        assert is_adapter(LocalFiles(tmp_path))
        (tmp_path / name).unlink()


def test_its_base_and_task_are_read(checkpoint, tmp_path):
    folder = checkpoint(head="ForCTC")
    out = adapt(folder, "Wav2Vec2ForCTC", tmp_path / "lora", revision="main")
    adapter = read(out)
    assert (adapter.base, adapter.task) == (str(folder), "speech recognition")
    assert (adapter.where, adapter.beside) == (str(out), False)
    set_config(out, base_model_name_or_path="acme/tiny", auto_mapping=None)
    adapter = read(out)
    assert (adapter.base, adapter.task) == ("acme/tiny@main", None)


def test_a_base_beside_its_adapter_is_found(adapter):
    (adapter / "model.safetensors").touch()
    for base in (str(adapter), f"{adapter.parent}/./{adapter.name}"):
        set_config(adapter, base_model_name_or_path=base)
        assert read(adapter).beside


# Refusals


@pytest.mark.parametrize(
    "whole",
    ["model.safetensors", "pytorch_model.bin", "model.safetensors.index.json"],
)
def test_weights_of_some_other_model_beside_an_adapter_are_refused(adapter, whole):
    set_config(adapter, base_model_name_or_path="acme/tiny")
    (adapter / whole).touch()
    assert refusal(read, adapter) == (
        f"{adapter}: an adapter of acme/tiny beside the weights of a whole model; move either to a "
        "folder of its own, and give that"
    )


def test_an_adapter_of_itself_is_refused(adapter):
    set_config(adapter, base_model_name_or_path=str(adapter))
    assert "which holds no whole model; correct base_model" in refusal(read, adapter)


def test_missing_weights_are_refused(adapter):
    (adapter / WEIGHTS).unlink()
    assert "without adapter_model.safetensors; get a complete copy" in refusal(read, adapter)


def test_pickled_weights_are_chosen_only_if_they_may_be_and_are_the_only_ones(adapter):
    (adapter / PICKLED).touch()
    assert not read(adapter, pickles=False).weights.pickled
    (adapter / WEIGHTS).unlink()
    assert read(adapter).weights.pickled
    words = "with pickled weights (adapter_model.bin), which --no-pickles refuses"
    assert words in refusal(partial(read, pickles=False), adapter)


@pytest.fixture
def adapter(checkpoint, tmp_path):
    return adapt(checkpoint(), "Wav2Vec2Model", tmp_path / "lora")


def refusal(act, *arguments):
    with pytest.raises(AssonanceError) as caught:
        act(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"peft_type": "IA3"}, "an adapter of acme/tiny by IA3, not by LoRA; merge it into its"),
        ({"peft_type": None}, "by None, not by LoRA"),
        ({"init_lora_weights": "pissa"}, "by LoRA with init_lora_weights='pissa', which is not"),
        ({"init_lora_weights": [1]}, "by LoRA with init_lora_weights=[1]"),
        ({"layer_replication": [[0, 2]]}, "with layer_replication=[[0, 2]], which is not"),
        ({"of_the_future": True}, "with of_the_future=True"),
        ({"base_model_name_or_path": None}, "an adapter that does not name its base; set base_"),
        ({"base_model_name_or_path": 3}, "an adapter that does not name its base"),
    ],
    ids=str,
)
def test_what_cannot_be_merged_is_refused_by_name(adapter, values, words):
    set_config(adapter, **{"base_model_name_or_path": "acme/tiny"} | values)
    assert refusal(read, adapter).startswith(f"{adapter}: ")
    assert words in refusal(read, adapter)


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100_000])
def test_a_malformed_configuration_is_refused(adapter, content):
    (adapter / CONFIG).write_text(content)
    assert refusal(read, adapter).startswith(f"{adapter}/{CONFIG}: ")


def test_weights_without_a_configuration_are_refused(adapter):
    (adapter / CONFIG).unlink()
    assert "weights of an adapter without adapter_config.json" in refusal(read, adapter)


def test_without_peft_the_remedy_is_to_install_it(adapter, monkeypatch):
    set_config(adapter, base_model_name_or_path="acme/tiny")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert refusal(read, adapter) == (
        f"{adapter}: an adapter of acme/tiny by LoRA: merging needs peft; "
        "pip install 'assonance[peft]'"
    )


FIRST = "base_model.model.encoder.layers.0.attention.q_proj.lora_A.weight"


def lose(weights):
    weights.pop(FIRST)


def misname(weights):
    weights["base_model.model.encoder.layers.9.attention.q_proj.lora_A.weight"] = weights.pop(FIRST)


def misplace(weights):
    for name in list(weights):
        weights[name.replace("base_model.model.", "base_model.model.own.")] = weights.pop(name)


def widen(weights):
    weights[FIRST] = torch.ones(4, 33)


def deepen(weights):
    weights[FIRST] = torch.ones(5, 32)


def spoil(weights):
    weights[FIRST][0, 0] = float("nan")


def add(weights):
    weights["base_model.model.encoder.layer_norm.gain"] = torch.ones(32)


def stretch(weights):
    weights["base_model.model.encoder.layer_norm.bias"] = torch.ones(33)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lose, "does not fit {base} in 1 weights: encoder.layers.0.attention.q_proj.lora_A"),
        (misname, "does not fit {base} in 1 weights: encoder.layers.9.attention.q_proj.lora_A"),
        (misplace, "the adapter holds no weight of the encoder of {base}; if it adapts only"),
        (widen, "the adapter cannot be merged into {base} ("),
        (deepen, "the adapter cannot be merged into {base} ("),
        (spoil, "the adapter holds NaN or infinity in 1 weights: encoder.layers.0."),
        (add, "does not fit {base} in 1 weights: encoder.layer_norm.gain"),
        (stretch, "does not fit {base} in 1 weights: encoder.layer_norm.bias"),
        (dict.clear, "the adapter holds no weight of the encoder of {base}"),
    ],
)
def test_weights_that_do_not_fit_are_named(checkpoint, adapter, damage, words):
    weights = load_file(adapter / WEIGHTS)
    damage(weights)
    save_file(weights, adapter / WEIGHTS)
    encoder = transformers.Wav2Vec2Model.from_pretrained(checkpoint())
    message = refusal(merge_from, adapter, encoder)
    assert words.format(base=checkpoint()) in message


def test_magnitudes_that_cannot_be_scaled_are_refused(checkpoint, tmp_path):
    out = adapt(checkpoint(), "Wav2Vec2Model", tmp_path / "lora", use_dora=True)
    encoder = transformers.Wav2Vec2Model.from_pretrained(checkpoint())
    weights = {
        name: weight if "magnitude" in name else torch.zeros_like(weight)
        for name, weight in load_file(out / WEIGHTS).items()
    }
    save_file(weights, out / WEIGHTS)
    encoder.encoder.layers[1].attention.q_proj.weight.data[3] = 0
    message = refusal(merge_from, out, encoder)
    assert "makes NaN or infinity of 1 weights: encoder.layers.1.attention.q_proj" in message


@pytest.mark.parametrize("kept", [0, 7, -1])
def test_damaged_weights_are_refused(checkpoint, adapter, kept):
    (adapter / WEIGHTS).write_bytes((adapter / WEIGHTS).read_bytes()[:kept])
    encoder = transformers.Wav2Vec2Model.from_pretrained(checkpoint())
    message = refusal(merge_from, adapter, encoder)
    assert message.startswith(f"{adapter}/{WEIGHTS}: its weights cannot be loaded")


@pytest.mark.parametrize("values", [{"r": "many"}, {"r": 0}, {"r": 10**12}, {"rank_pattern": [1]}])
def test_settings_that_no_adapter_can_have_are_refused(checkpoint, adapter, values):
    set_config(adapter, **values)
    encoder = transformers.Wav2Vec2Model.from_pretrained(checkpoint())
    assert refusal(merge_from, adapter, encoder).startswith(f"{adapter}: the adapter cannot be me")
