"""Every family of encoders: the conformance kit, and what transformers itself gives."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from checkpoints import FAMILIES
from safetensors.torch import load_file, save_file
from signals import voice

from assonance import testing
from assonance.errors import AssonanceError, UnusableAudio
from assonance.models.huggingface import families
from assonance.models.huggingface.recording import KINDS
from assonance.models.loading import load_model

HEADS = {
    "Model": list(FAMILIES),
    "ForPreTraining": ["wav2vec2", "unispeech", "unispeech-sat", "wav2vec2-conformer"],
    "ForCTC": [
        each
        for each in FAMILIES
        if each
        in (
            *("wav2vec2", "hubert", "wavlm", "data2vec-audio", "unispeech", "unispeech-sat", "sew"),
            *("sew-d", "wav2vec2-conformer", "wav2vec2-bert"),
        )
    ],
    "ForConditionalGeneration": ["whisper", "moonshine", "speech_to_text"],
}
KINDS_OF = [
    pytest.param(family, head, marks=[pytest.mark.slow] * (family == "seamless_m4t"))
    for head, of in HEADS.items()
    for family in of
]
every_family = pytest.mark.parametrize(
    "family", [each for each in FAMILIES if each != "seamless_m4t"]
)
every_kind = pytest.mark.parametrize(("family", "head"), KINDS_OF)
WAVEFORM = [each for each, (_, _, by, _) in FAMILIES.items() if by in ("Wav2Vec2", "SpeechT5")]
BLOCKS = ("encoder.1", "encoder.2", "encoder.3")


def library(folder):
    """The encoder of the class that a checkpoint was saved from, and its inputs."""
    (architecture,) = json.loads((folder / "config.json").read_text())["architectures"]
    whole = getattr(transformers, architecture).from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32
    )
    family = json.loads((folder / "config.json").read_text())["model_type"]
    base = getattr(whole, whole.base_model_prefix, whole)
    if family == "speecht5":
        encoder = whole.speecht5.encoder
    elif family == "seamless_m4t":
        encoder = whole.speech_encoder
    elif family in ("whisper", "moonshine", "speech_to_text", "parakeet_ctc"):
        encoder = getattr(base, "encoder", base)
    else:
        encoder = base
    encoder.config.tie_last_hidden_states = False  # the last block's own output
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    return encoder, extractor


def reference(folder, samples):
    """Hidden states and attentions as transformers gives them, padding cut off."""
    encoder, extractor = library(folder)
    made = extractor(samples, sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        return encoder, encoder(
            **_arguments(made, extractor), output_hidden_states=True, output_attentions=True
        )


def _arguments(made, extractor):
    """What the encoder takes: a mask where features are made with one that has a part."""
    names = {"input_values", "input_features"}
    if type(extractor).__name__ in ("SeamlessM4TFeatureExtractor", "ParakeetFeatureExtractor"):
        names.add("attention_mask")
    return {name: each for name, each in made.items() if name in names}


# What is given is what transformers gives


@every_kind
def test_blocks_maps_and_weights_are_those_of_transformers(checkpoint, family, head):
    """And so is every weight, whatever the class that it was saved from calls it."""
    samples = voice(0.7, seed=1)
    folder = checkpoint(family, head=head)
    saved, expected = reference(folder, samples)
    maps = {}
    model = load_model(folder)
    loaded = model._encoder.state_dict()
    for name, weight in saved.state_dict().items():
        assert name.endswith("masked_spec_embed") or torch.equal(loaded[name], weight), name
    activations = model.run(samples, attend=maps.__setitem__).activations
    assert tuple(activations) == model.layers == ("encoder.0", *BLOCKS)
    assert tuple(maps) == BLOCKS
    frames = model.n_frames(len(samples))
    for label, states in zip(model.layers, expected.hidden_states, strict=True):
        np.testing.assert_array_equal(activations[label], states[0, :frames].numpy(), label)
    for label, given in zip(BLOCKS, expected.attentions, strict=True):
        heads = given[0, :, :frames, :frames]
        if family == "wavlm":  # transformers gives their mean
            np.testing.assert_allclose(maps[label].mean(0), heads[0].numpy(), atol=1e-6)
            continue
        heads = heads / heads.sum(-1, keepdim=True)
        np.testing.assert_allclose(maps[label], heads.numpy(), rtol=0, atol=1e-6)


# The conformance kit


@every_family
def test_every_family_conforms_in_all_that_can_be_recorded(checkpoint, family):
    testing.check_model(load_model(checkpoint(family), record=KINDS))


@every_family
def test_every_family_is_loaded_whole_and_from_safetensors_alone(checkpoint, family):
    testing.check_checkpoint(checkpoint(family))


@pytest.mark.slow
def test_the_largest_model_conforms(checkpoint):
    # Its checkpoint is not held to the kit: a missing position weight is not noticed there.
    testing.check_model(load_model(checkpoint("seamless_m4t"), record=KINDS))


@pytest.mark.parametrize("style", ["large", "layer"])
@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "wavlm", "unispeech", "unispeech-sat"])
def test_styles_conform(checkpoint, family, style):
    model = load_model(checkpoint(family, style), record=KINDS)
    assert model.in_batches
    testing.check_model(model)


def test_every_family_is_tested():
    assert set(FAMILIES) == set(families.FAMILIES)


@pytest.mark.parametrize("family", ["data2vec-audio", "sew", "sew-d", "wav2vec2-conformer"])
def test_families_that_padding_would_change_are_run_one_by_one(checkpoint, family):
    model = load_model(checkpoint(family))
    assert not model.in_batches
    batch = [voice(0.5, seed=1), voice(0.3, seed=2)]
    for outputs, samples in zip(model.run_batch(batch), batch, strict=True):
        for label, values in model.run(samples).activations.items():
            np.testing.assert_array_equal(outputs.activations[label], values)


def test_a_batch_norm_before_the_blocks_is_not_run_in_batches(checkpoint):
    assert not load_model(checkpoint("hubert", conv_pos_batch_norm=True)).in_batches


# Frames


@pytest.mark.parametrize("family", WAVEFORM)
def test_a_frame_is_centred_on_the_samples_that_move_it(checkpoint, family):
    """By the gradient, past the norms: what one frame of the convolutions sees."""
    encoder, _ = library(checkpoint(family))
    module = encoder.get_submodule(families.FAMILIES[family].features)
    for norm in [m for m in encoder.modules() if isinstance(m, torch.nn.GroupNorm)]:
        norm.forward = lambda values: values  # its statistics see the whole clip
    samples = torch.tensor(voice(0.25, seed=1)[None], requires_grad=True)
    seen = []
    module.register_forward_hook(lambda module, inputs, output: seen.append(output))
    encoder(samples)
    model = load_model(checkpoint(family))
    config = model._config
    features = families.FAMILIES[family].from_features(seen[0], config)
    times = model.frame_times(samples.shape[1])
    assert features.shape[1] == len(times) > 2
    for frame, time in enumerate(times):
        (gradient,) = torch.autograd.grad(features[0, frame].sum(), samples, retain_graph=True)
        (places,) = torch.nonzero(gradient[0], as_tuple=True)
        assert time == pytest.approx((places[0] + places[-1]).item() / 2 / 16000, abs=1e-9)


@pytest.mark.parametrize(
    ("family", "of_window", "hop"),
    [
        ("whisper", lambda place: 160 * place, 320),
        ("speech_to_text", lambda place: 160 * place + 199.5, 640),
        ("parakeet_encoder", lambda place: 160 * place, 1280),
        ("wav2vec2-bert", lambda place: 160 * place + 199.5, 320),
    ],
)
def test_a_frame_is_centred_on_the_windows_that_move_it(checkpoint, family, of_window, hop):
    """By the gradient of the first block's input, and where each window of the features lies."""
    encoder, extractor = library(checkpoint(family))
    samples = voice(0.9, seed=1)
    made = extractor(samples, sampling_rate=16000, return_tensors="pt")
    features = made.input_features.clone().requires_grad_()
    first = encoder.get_submodule(families.FAMILIES[family].blocks)[0]
    seen = []
    first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    encoder(features)
    times = load_model(checkpoint(family)).frame_times(len(samples))
    axis = 2 if family == "whisper" else 1
    for frame in range(2, len(times) - 2):
        (gradient,) = torch.autograd.grad(seen[0][0, frame].sum(), features, retain_graph=True)
        places = torch.nonzero(gradient.abs().sum(3 - axis)[0]).flatten()
        middle = (places[0] + places[-1]).item() / 2
        if family == "wav2vec2-bert":  # a row is two windows
            middle = 2 * middle + 0.5
        assert times[frame] == pytest.approx(of_window(middle) / 16000, abs=1e-9)
    assert np.diff(times) == pytest.approx(hop / 16000)


def test_frames_of_padding_are_dropped(checkpoint):
    """Of Whisper's two seconds here, and of w2v-BERT's last row where windows are odd in number."""
    model = load_model(checkpoint("whisper"))
    assert model.n_frames(16000) == 50
    assert [model.n_frames(count) for count in (0, 1, 320, 321)] == [0, 1, 1, 2]
    assert len(model.run(voice(1, seed=1)).activations["encoder.3"]) == 50
    stacked = load_model(checkpoint("wav2vec2-bert"))
    for count, frames in ((16000, 49), (16080, 49), (16160, 49), (16320, 50)):
        assert stacked.n_frames(count) == frames
        assert len(stacked.run(voice(count / 16000, seed=1)).activations["encoder.3"]) == frames


def test_more_than_a_model_takes_is_unusable(checkpoint):
    model = load_model(checkpoint("whisper"))
    model.run(voice(2, seed=1))
    with pytest.raises(UnusableAudio, match=r"too long: 2\.1 s, where .* takes 2 s at most"):
        model.run(voice(2.1, seed=1))


@pytest.mark.parametrize("family", ["sew", "sew-d"])
def test_squeezed_encoders_have_half_the_frames(checkpoint, family):
    model = load_model(checkpoint(family), record=("cnn", "blocks"))
    assert model.n_frames(16000) == 24
    activations = model.run(voice(1, seed=1)).activations
    assert {len(values) for values in activations.values()} == {24}


# What can be recorded


@every_family
def test_kinds_have_their_labels_in_the_order_of_the_computation(checkpoint, family):
    model = load_model(checkpoint(family), record=KINDS)
    two = "ffn1.1" in model.layers
    block = ["ffn1"] * two + ["heads", "attention", "ffn2" if two else "ffn", "encoder"]
    expected = ["encoder.0", *(f"{each}.{k}" for k in (1, 2, 3) for each in block)]
    assert [each for each in model.layers if each not in ("cnn", "encoder.final")] == expected
    assert tuple(load_model(checkpoint(family), record="ffn").layers) == tuple(
        each for each in expected if each.startswith("ffn")
    )


@every_family
def test_mixed_outputs_of_heads_are_what_attention_gives(checkpoint, family):
    """From the weights in the file: attention.k is heads.k through the block's own linear map."""
    folder = checkpoint(family)
    model = load_model(folder, record=("heads", "attention"))
    activations = model.run(voice(0.5, seed=2)).activations
    blocks, mixing = families.FAMILIES[family].blocks, families.FAMILIES[family].mixing
    weights = load_file(folder / "model.safetensors")
    for k in (1, 2, 3):
        place = f"{blocks}.{k - 1}.{mixing}."
        found = {
            n.rpartition(place)[2]: w
            for n, w in weights.items()
            if place in f".{n}" and "decoder" not in n
        }
        expected = activations[f"heads.{k}"].astype(np.float64) @ found["weight"].double().numpy().T
        expected += found["bias"].double().numpy() if "bias" in found else 0
        np.testing.assert_allclose(activations[f"attention.{k}"], expected, atol=2e-5)


NEURONS = {
    "whisper": "activation_fn",
    "speech_to_text": "activation_fn",
    "moonshine": "mlp.activation_fn",
    "sew-d": "intermediate.intermediate_act_fn",
    "wav2vec2-conformer": "ffn2.intermediate_act_fn",
    "wav2vec2-bert": "ffn2.intermediate_act_fn",
    "parakeet_encoder": "feed_forward2.activation",
    "parakeet_ctc": "feed_forward2.activation",
}


@every_family
def test_neurons_are_what_the_activation_function_gives(checkpoint, family):
    samples, given = voice(0.5, seed=2), []
    folder = checkpoint(family)
    encoder, extractor = library(folder)
    for block in encoder.get_submodule(families.FAMILIES[family].blocks):
        block.get_submodule(
            NEURONS.get(family, "feed_forward.intermediate_act_fn")
        ).register_forward_hook(lambda module, inputs, output: given.append(output[0].detach()))
    model = load_model(folder, record="ffn")
    found = model.run(samples).activations
    made = extractor(samples, sampling_rate=16000, return_tensors="pt")
    encoder(**_arguments(made, extractor))
    labels = [each for each in found if each.startswith(("ffn.", "ffn2."))]
    assert len(labels) == len(given) == 3
    for label, expected in zip(labels, given, strict=True):
        frames = model.n_frames(len(samples))
        np.testing.assert_allclose(found[label], expected[:frames].numpy(), atol=1e-5)


@every_family
def test_the_final_norm_has_a_label_of_its_own_where_there_is_one(checkpoint, family):
    samples = voice(0.5, seed=2)
    style = "large" if family in ("wav2vec2", "hubert", "wavlm", "unispeech-sat") else "base"
    folder = checkpoint(family, style)
    _, expected = reference(folder, samples)
    model = load_model(folder, record=("blocks", "final"))
    activations = model.run(samples).activations
    last = expected.last_hidden_state[0, : model.n_frames(len(samples))].numpy()
    if "encoder.final" in model.layers:
        np.testing.assert_array_equal(activations["encoder.final"], last)
        assert not np.array_equal(activations["encoder.3"], last)
        assert "before the encoder's final layer norm" in model.meanings["encoder.3"]
    elif not family.startswith("sew"):  # whose last hidden state is at another rate
        np.testing.assert_array_equal(activations["encoder.3"], last)
        assert "final" not in model.meanings["encoder.3"]


@pytest.mark.parametrize("family", ["wav2vec2", "wavlm", "data2vec-audio", "unispeech"])
def test_convolutional_features_are_those_that_transformers_normalises(checkpoint, family):
    samples = voice(0.5, seed=2)
    encoder, expected = reference(checkpoint(family), samples)
    found = load_model(checkpoint(family), record="cnn").run(samples).activations["cnn"]
    with torch.no_grad():
        normed = encoder.feature_projection.layer_norm(torch.from_numpy(found))
    np.testing.assert_array_equal(normed.numpy(), expected.extract_features[0].numpy())


def test_what_a_family_lacks_is_an_error_only_where_nothing_is_left(checkpoint):
    folder = checkpoint("wav2vec2-bert")
    assert "cnn" not in load_model(folder, record=("blocks", "cnn")).layers
    with pytest.raises(AssonanceError, match="wav2vec2-bert have nothing of final, cnn to record"):
        load_model(folder, record=("cnn", "final"))


@pytest.mark.parametrize("record", ["neurons", ("blocks", "neurons"), ()])
def test_what_cannot_be_recorded_is_refused_with_what_can(checkpoint, record):
    with pytest.raises(AssonanceError, match="choose from blocks, final, ffn, attention, heads"):
        load_model(checkpoint(), record=record)


def test_maps_go_with_the_blocks(checkpoint):
    assert load_model(checkpoint(), record="ffn").heads == {}


def test_what_is_recorded_is_another_fingerprint(checkpoint):
    kinds = ("blocks", "ffn", ("blocks", "ffn"))
    assert len({load_model(checkpoint(), record=each).fingerprint for each in kinds}) == 3


# Ways of saving


@pytest.mark.parametrize("family", ["wavlm", "unispeech", "unispeech-sat", "sew", "sew-d"])
def test_old_names_of_the_weight_norm_are_the_same_model(checkpoint, tmp_path, family):
    folder = checkpoint(family)
    old = shutil.copytree(folder, tmp_path / "old")
    new = "parametrizations.weight.original"
    weights = load_file(folder / "model.safetensors")
    renamed = {
        key.replace(f"{new}0", "weight_g").replace(f"{new}1", "weight_v"): weight
        for key, weight in weights.items()
    }
    assert set(renamed) != set(weights)
    save_file(renamed, old / "model.safetensors", metadata={"format": "pt"})
    assert load_model(old).fingerprint == load_model(folder).fingerprint


@pytest.mark.parametrize("family", ["wav2vec2", "wavlm", "unispeech-sat", "wav2vec2-bert"])
def test_an_adapter_behind_the_encoder_changes_no_layer(checkpoint, family):
    folder = checkpoint(family, add_adapter=True)
    model = load_model(folder)
    testing.check_model(model)
    _, expected = reference(folder, voice(0.7, seed=1))
    activations = model.run(voice(0.7, seed=1)).activations
    for label, states in zip(model.layers, expected.hidden_states, strict=True):
        frames = len(activations[label])
        np.testing.assert_array_equal(activations[label], states[0, :frames].numpy())


def test_adapters_in_the_blocks_have_their_part(checkpoint):
    folder = checkpoint("wav2vec2", "large", head="ForCTC", adapter_attn_dim=8)
    testing.check_model(load_model(folder))
    _, expected = reference(folder, voice(0.7, seed=1))
    found = load_model(folder).run(voice(0.7, seed=1)).activations["encoder.3"]
    np.testing.assert_array_equal(found, expected.hidden_states[-1][0].numpy())


def test_preprocessing_of_another_family_is_refused(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint("wav2vec2-bert"), tmp_path / "model")
    shutil.copy(checkpoint() / "preprocessor_config.json", folder)
    with pytest.raises(AssonanceError, match="Wav2Vec2FeatureExtractor is not supported for"):
        load_model(folder)
