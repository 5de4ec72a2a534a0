"""Every family of encoders: the conformance kit, and what transformers itself gives."""

import shutil

import numpy as np
import pytest
import torch
from checkpoints import FAMILIES
from encoders import every_family, library, reference
from safetensors.torch import load_file, save_file
from signals import voice

from assonance import testing
from assonance.errors import AssonanceError
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
every_kind = pytest.mark.parametrize(("family", "head"), KINDS_OF)
WAVEFORM = [each for each, (_, _, by, _) in FAMILIES.items() if by in ("Wav2Vec2", "SpeechT5")]
BLOCKS = ("encoder.1", "encoder.2", "encoder.3")


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


@pytest.mark.parametrize("family", ["sew", "sew-d"])
def test_squeezed_encoders_have_half_the_frames(checkpoint, family):
    model = load_model(checkpoint(family), record=("cnn", "blocks"))
    assert model.n_frames(16000) == 24
    activations = model.run(voice(1, seed=1)).activations
    assert {len(values) for values in activations.values()} == {24}


# What can be recorded


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
