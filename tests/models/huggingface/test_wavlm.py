"""WavLM encoders: the library's outputs to the bit or nearly, and the heads it averages."""

import numpy as np
import pytest
import torch
import transformers
from signals import voice

from assonance.models.loading import load_model

STYLES = pytest.mark.parametrize("style", ["base", "large"])


@pytest.fixture(scope="module")
def made(checkpoint):
    """By style: the library's outputs and ours of one utterance."""
    samples = voice(0.7, seed=1)
    outputs = {}
    for style in ("base", "large"):
        folder = checkpoint("wavlm", style)
        extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
        library = transformers.WavLMModel.from_pretrained(folder)
        with torch.no_grad():
            theirs = library(
                extractor(samples, sampling_rate=16000, return_tensors="pt").input_values,
                output_hidden_states=True,
                output_attentions=True,
            )
        maps = {}
        ours = load_model(folder).run(samples, attend=maps.__setitem__)
        outputs[style] = theirs, ours.activations, maps
    return outputs


@STYLES
def test_layers_are_those_of_the_library(made, style):
    theirs, activations, _ = made[style]
    assert len(activations) == 4
    for values, tensor in zip(activations.values(), theirs.hidden_states, strict=True):
        np.testing.assert_allclose(values, tensor[0].numpy(), rtol=0, atol=2e-5)


@STYLES
def test_heads_average_to_the_maps_of_the_library(made, style):
    theirs, _, maps = made[style]
    assert list(maps) == ["encoder.1", "encoder.2", "encoder.3"]
    for heads, tensor in zip(maps.values(), theirs.attentions, strict=True):
        averaged = tensor[0].numpy()
        assert (averaged == averaged[0]).all()
        assert heads.shape == averaged.shape
        np.testing.assert_allclose(heads.mean(0), averaged[0], rtol=0, atol=1e-6)


@STYLES
def test_heads_differ_and_their_rows_sum_to_one(made, style):
    _, _, maps = made[style]
    for heads in maps.values():
        np.testing.assert_allclose(heads.sum(-1), 1, atol=1e-6)
        for one in range(4):
            for other in range(one):
                assert np.abs(heads[one] - heads[other]).max() > 1e-3


@STYLES
def test_the_outputs_of_the_heads_are_those_of_their_maps(checkpoint, style):
    """Each block's attention is the maps times the values, projected: by the weights alone."""
    folder = checkpoint("wavlm", style)
    library = transformers.WavLMModel.from_pretrained(folder)
    model, maps, blocks = load_model(folder), {}, []
    for block in library.encoder.layers:
        block.attention.register_forward_hook(
            lambda module, inputs, outputs: blocks.append((module, inputs[0], outputs[0]))
        )
    samples = voice(0.4, seed=2)
    model.run(samples, attend=maps.__setitem__)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    with torch.no_grad():
        library(extractor(samples, sampling_rate=16000, return_tensors="pt").input_values)
        for heads, (module, hidden, expected) in zip(maps.values(), blocks, strict=True):
            values = module.v_proj(hidden)[0].view(len(hidden[0]), 4, -1)
            mixed = torch.einsum("hqk,khd->qhd", torch.from_numpy(heads), values)
            found = module.out_proj(mixed.flatten(1))
            torch.testing.assert_close(found, expected[0], rtol=0, atol=2e-5)


def test_a_twin_with_random_weights_has_heads_of_its_own(checkpoint):
    maps = {}
    twin = load_model(f"random:{checkpoint('wavlm')}@0")
    twin.run(voice(0.3, seed=3), attend=maps.__setitem__)
    assert twin.info.family == "wavlm"
    assert len({one.tobytes() for heads in maps.values() for one in heads}) == 12
