"""The front end as matrix products is the front end of transformers."""

import pytest
import torch
from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2ForPreTraining

from recipes.mini_ssl.front_end import FrontEnd
from recipes.mini_ssl.objectives import quantize


def gradients(module, waves):
    module.zero_grad()
    out = module(waves)
    (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum().backward()
    return out, [parameter.grad.clone() for parameter in module.parameters()]


KINDS = pytest.mark.parametrize(("norm", "bias"), [("group", False), ("layer", True)])


def feature_encoder(norm, bias):
    torch.manual_seed(0)
    config = HubertConfig(
        conv_dim=[6, 8, 8, 8, 8, 8, 10], feat_extract_norm=norm, conv_bias=bias, hidden_size=16,
        num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    return HubertModel(config).feature_extractor


@KINDS
def test_features_and_gradients_are_those_of_transformers(norm, bias):
    theirs = feature_encoder(norm, bias).double().train()
    ours = FrontEnd(theirs)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    waves = torch.randn(3, 5_003, dtype=torch.float64)
    expected, expected_gradients = gradients(theirs, waves)
    features, found = gradients(ours, waves)
    torch.testing.assert_close(features, expected, rtol=1e-10, atol=1e-12)
    for gradient, right in zip(found, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, right, rtol=1e-8, atol=1e-10)


@KINDS
def test_half_precision_gives_the_same_features_as_far_as_it_reaches(norm, bias):
    ours = FrontEnd(feature_encoder(norm, bias))
    waves = torch.randn(3, 5_003)
    expected, _ = gradients(ours, waves)
    with torch.autocast("cpu", torch.bfloat16):
        features, found = gradients(ours, waves)
    torch.testing.assert_close(features.float(), expected, rtol=0.05, atol=0.05)
    assert all(gradient.isfinite().all() for gradient in found)


def test_codes_are_those_of_the_quantizer():
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        conv_dim=[8] * 7, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
        num_codevectors_per_group=6, codevector_dim=8,
    )  # fmt: skip
    quantizer = Wav2Vec2ForPreTraining(config).quantizer.eval()
    features, mask = torch.randn(2, 30, 8), torch.rand(2, 30) < 0.5
    expected, perplexity = quantizer(features, mask_time_indices=mask)
    codes, found = quantize(quantizer, features[mask])
    torch.testing.assert_close(codes, expected[mask])
    torch.testing.assert_close(found, perplexity)
