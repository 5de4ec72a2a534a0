import pytest
from foreign_files import fairseq_weights, small_model

from assonance.errors import AssonanceError
from assonance.models.checkpoints.names import huggingface_names


def names_of(*weights):
    """Return the new names of weights beside those by which fairseq's names are recognised."""
    layout, names = huggingface_names([*weights, "encoder.layers.0.self_attn.k_proj.weight"])
    assert layout == "fairseq"
    return [names.get(weight) for weight in weights]


@pytest.mark.parametrize(
    ("fairseq", "transformers"),
    [
        ("mask_emb", "masked_spec_embed"),
        (
            "feature_extractor.conv_layers.6.0.weight",
            "feature_extractor.conv_layers.6.conv.weight",
        ),
        ("feature_extractor.conv_layers.6.0.bias", "feature_extractor.conv_layers.6.conv.bias"),
        (
            "feature_extractor.conv_layers.0.2.weight",
            "feature_extractor.conv_layers.0.layer_norm.weight",
        ),
        (
            "feature_extractor.conv_layers.5.2.1.bias",
            "feature_extractor.conv_layers.5.layer_norm.bias",
        ),
        ("layer_norm.weight", "feature_projection.layer_norm.weight"),
        ("post_extract_proj.bias", "feature_projection.projection.bias"),
        ("encoder.pos_conv.0.weight_g", "encoder.pos_conv_embed.conv.weight_g"),
        ("encoder.pos_conv.0.weight_v", "encoder.pos_conv_embed.conv.weight_v"),
        ("encoder.pos_conv.0.bias", "encoder.pos_conv_embed.conv.bias"),
        ("encoder.layer_norm.bias", "encoder.layer_norm.bias"),
        (
            "encoder.layers.11.self_attn.out_proj.weight",
            "encoder.layers.11.attention.out_proj.weight",
        ),
        ("encoder.layers.11.self_attn_layer_norm.weight", "encoder.layers.11.layer_norm.weight"),
        ("encoder.layers.3.fc1.bias", "encoder.layers.3.feed_forward.intermediate_dense.bias"),
        ("encoder.layers.3.fc2.weight", "encoder.layers.3.feed_forward.output_dense.weight"),
        ("encoder.layers.3.final_layer_norm.bias", "encoder.layers.3.final_layer_norm.bias"),
        (
            "encoder.layers.2.self_attn.grep_linear.weight",
            "encoder.layers.2.attention.gru_rel_pos_linear.weight",
        ),
        ("encoder.layers.2.self_attn.grep_a", "encoder.layers.2.attention.gru_rel_pos_const"),
        (
            "encoder.layers.0.self_attn.relative_attention_bias.weight",
            "encoder.layers.0.attention.rel_attn_embed.weight",
        ),
    ],
)
def test_the_table_of_fairseq_holds_name_by_name(fairseq, transformers):
    assert names_of(fairseq) == [transformers]


def test_positions_after_a_batch_norm_are_numbered_from_one():
    assert names_of(
        "encoder.pos_conv.0.running_mean",
        "encoder.pos_conv.0.bias",
        "encoder.pos_conv.0.num_batches_tracked",
        "encoder.pos_conv.1.bias",
    ) == [
        "encoder.pos_conv_embed.batch_norm.running_mean",
        "encoder.pos_conv_embed.batch_norm.bias",
        "encoder.pos_conv_embed.batch_norm.num_batches_tracked",
        "encoder.pos_conv_embed.conv.bias",
    ]


def test_data2vec_numbers_its_convolutions_over_positions():
    assert names_of("encoder.pos_conv.0.0.weight", "encoder.pos_conv.4.0.bias") == [
        "encoder.pos_conv_embed.layers.0.conv.weight",
        "encoder.pos_conv_embed.layers.4.conv.bias",
    ]


def test_what_only_pretraining_needs_is_left_out():
    pretraining = [
        *("quantizer.vars", "quantizer.weight_proj.weight", "project_q.weight"),
        *("final_proj.bias", "label_embs_concat", "target_glu.0.weight"),
    ]
    assert names_of(*pretraining) == [None] * len(pretraining)


def test_a_fine_tuned_model_has_its_encoder_under_a_prefix_and_a_head():
    layout, names = huggingface_names(
        [
            "w2v_encoder.w2v_model.encoder.layers.0.self_attn.k_proj.weight",
            "w2v_encoder.w2v_model.mask_emb",
            "w2v_encoder.proj.weight",
        ]
    )
    assert layout == "fairseq"
    assert names == {
        "w2v_encoder.w2v_model.encoder.layers.0.self_attn.k_proj.weight": (
            "encoder.layers.0.attention.k_proj.weight"
        ),
        "w2v_encoder.w2v_model.mask_emb": "masked_spec_embed",
        "w2v_encoder.proj.weight": "lm_head.weight",
    }


@pytest.mark.parametrize("prefix", ["", "model.", "wav2vec2."])
def test_the_table_of_torchaudio_holds_under_each_prefix(prefix):
    table = {
        "feature_extractor.conv_layers.0.layer_norm.weight": (
            "feature_extractor.conv_layers.0.layer_norm.weight"
        ),
        "encoder.feature_projection.projection.weight": "feature_projection.projection.weight",
        "encoder.transformer.pos_conv_embed.conv.weight_g": "encoder.pos_conv_embed.conv.weight_g",
        "encoder.transformer.layers.3.attention.q_proj.bias": (
            "encoder.layers.3.attention.q_proj.bias"
        ),
        "aux.weight": "lm_head.weight",
    }
    layout, names = huggingface_names(prefix + name for name in table)
    assert layout == "torchaudio"
    assert names == {prefix + old: new for old, new in table.items()}


@pytest.mark.parametrize("head", ["Model", "ForCTC"])
@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "wavlm", "data2vec-audio", "sew"])
def test_names_of_transformers_stay(family, head):
    held = small_model(family, head=head).state_dict()
    assert huggingface_names(held) == ("transformers", {name: name for name in held})


def test_every_weight_of_an_encoder_has_another_name_in_transformers():
    model = small_model("wavlm", "large")
    _, names = huggingface_names(fairseq_weights(model))
    place = "encoder.pos_conv_embed.conv."
    expected = {
        name.replace(f"{place}parametrizations.weight.original0", f"{place}weight_g").replace(
            f"{place}parametrizations.weight.original1", f"{place}weight_v"
        )
        for name in model.state_dict()
    }
    assert set(names.values()) == expected


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["layer1.0.conv1.weight", "fc.bias"],
        ["frontend.upstream.upstream.model.encoder.layers.0.self_attn.k_proj.weight"],
        ["encoder.blocks.0.attn.query.weight", "decoder.token_embedding.weight"],
    ],
)
def test_other_names_are_not_recognised(names):
    assert huggingface_names(names) is None


@pytest.mark.parametrize(
    "name",
    [
        "encoder.layers.0.adapter_layer.W_a",
        "encoder.layers.7.conv_module.depthwise_conv.weight",
        "encoder.pos_conv.2.weight",
        "feature_extractor.conv_layers.0.3.weight",
        "encoder.layers.0.\x1b[31mred",
    ],
)
def test_a_weight_that_no_supported_encoder_has_is_refused(name):
    with pytest.raises(AssonanceError) as refusal:
        names_of(name, "layer_norm.weight")
    message = str(refusal.value)
    assert message.startswith("holds weights of an encoder that is not supported (")
    assert message.isprintable()
    assert name.split(".")[0] in message


def test_wavlm_of_torchaudio_is_refused():
    attention = "encoder.transformer.layers.0.attention"
    with pytest.raises(AssonanceError, match="WavLM in the form of torchaudio") as refusal:
        huggingface_names(
            [
                "encoder.feature_projection.projection.weight",
                f"{attention}.attention.in_proj_weight",
                f"{attention}.gru_rel_pos_const",
            ]
        )
    assert f"{attention}.attention.in_proj_weight" in str(refusal.value)
