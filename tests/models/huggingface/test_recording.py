"""Layers that can be recorded: their labels, order and content."""

import numpy as np
import pytest
import torch
from encoders import arguments, every_family, library, reference
from safetensors.torch import load_file
from signals import voice

from assonance.errors import AssonanceError
from assonance.models.huggingface import families
from assonance.models.huggingface.recording import KINDS
from assonance.models.loading import load_model

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
    encoder(**arguments(made, extractor))
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
