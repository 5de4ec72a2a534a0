import re

import pytest
import torch
import transformers
from foreign_files import (
    fairseq_weights,
    small_model,
    write_fairseq,
    write_s3prl,
    write_torchaudio,
    write_wavlm,
)
from safetensors.torch import load_file

from assonance.errors import AssonanceError
from assonance.models.checkpoints.architecture import recognise
from assonance.models.checkpoints.pickled.conversion import convert, stored_settings

SPEECH = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
# Numbers that transformers would not have chosen by itself.
UNUSUAL = {"num_attention_heads": 2, "hidden_act": "relu", "num_conv_pos_embeddings": 6}


def opened(path):
    """Return the weights of a file, and its settings, as they are in the cache."""
    converted = convert(path).path
    return load_file(converted), stored_settings(converted)


def recognised(path):
    weights, settings = opened(path)
    return recognise({name: tuple(each.shape) for name, each in weights.items()}, settings)


def loaded(path, config=None):
    """Load the encoder of a file through transformers alone."""
    weights, _ = opened(path)
    found = recognised(path)
    config = config or transformers.AutoConfig.for_model(**found.config)
    model, report = transformers.AutoModel._model_mapping[type(config)].from_pretrained(
        None,
        config=config,
        state_dict={new: weights[old] for old, new in found.names.items()},
        output_loading_info=True,
    )
    assert (report["missing_keys"], report["mismatched_keys"]) == (set(), set())
    assert {key for key in report["unexpected_keys"] if not key.startswith("lm_head.")} == set()
    return model


def layers(model):
    with torch.no_grad():
        return model(SPEECH, output_hidden_states=True).hidden_states


def assert_same_encoder(model, expected):
    expected = expected.base_model
    assert type(model) is type(expected)
    weights, wanted = model.state_dict(), expected.state_dict()
    assert weights.keys() == wanted.keys()
    assert all(torch.equal(weights[name], wanted[name]) for name in wanted)
    for layer, wanted_layer in zip(layers(model), layers(expected), strict=True):
        assert torch.equal(layer, wanted_layer)


@pytest.fixture(scope="module")
def wav2vec2():
    return small_model("wav2vec2")


@pytest.fixture(scope="module")
def wavlm():
    return small_model("wavlm")


@pytest.mark.parametrize(
    ("style", "form"), [("base", "args"), ("layer", "namespace"), ("large", "cfg")]
)
@pytest.mark.parametrize("family", ["wav2vec2", "hubert"])
@pytest.mark.parametrize("head", ["Model", "ForCTC"])
def test_fairseq_files_give_back_the_encoder_bit_by_bit(tmp_path, family, style, form, head):
    model = small_model(family, style, head, **UNUSUAL)
    path = write_fairseq(tmp_path / "checkpoint.pt", model, form=form)
    assert_same_encoder(loaded(path), model)


def test_the_legacy_form_of_torch_makes_no_difference(tmp_path, wav2vec2):
    path = write_fairseq(tmp_path / "wav2vec_small.pt", wav2vec2, form="args", legacy=True)
    assert_same_encoder(loaded(path), wav2vec2)


def test_weights_in_half_precision_keep_their_numbers(tmp_path):
    model = small_model("hubert")
    path = write_fairseq(tmp_path / "hubert_base.pt", model, form="namespace", half=True)
    assert_same_encoder(loaded(path).half().float(), model.half().float())


def test_hubert_with_a_batch_norm_before_its_positions(tmp_path):
    model = small_model("hubert", conv_pos_batch_norm=True)
    model.encoder.pos_conv_embed.batch_norm.running_mean.normal_(
        generator=torch.Generator().manual_seed(1)
    )
    path = write_fairseq(tmp_path / "mhubert.pt", model)
    assert recognised(path).config["conv_pos_batch_norm"] is True
    assert_same_encoder(loaded(path), model)


@pytest.mark.parametrize("style", ["base", "large"])
def test_files_of_wavlm_give_back_the_encoder_bit_by_bit(tmp_path, style):
    model = small_model("wavlm", style, max_bucket_distance=50, num_buckets=40)
    path = write_wavlm(tmp_path / "WavLM-Base.pt", model)
    assert recognised(path).config["architectures"] == ["WavLMModel"]
    assert_same_encoder(loaded(path), model)


@pytest.mark.parametrize("head", ["Model", "ForCTC"])
def test_data2vec_has_many_convolutions_over_positions(tmp_path, head):
    model = small_model("data2vec-audio", head=head, num_conv_pos_embeddings=3)
    assert_same_encoder(loaded(write_fairseq(tmp_path / "audio_base_ls.pt", model)), model)


@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "data2vec-audio"])
def test_files_of_s3prl_give_back_the_encoder_bit_by_bit(tmp_path, family):
    model = small_model(family)
    path = write_s3prl(tmp_path / "converted.pt", model)
    assert recognised(path).origin == "s3prl"
    assert_same_encoder(loaded(path), model)


@pytest.mark.parametrize("prefix", ["", "model."])
@pytest.mark.parametrize("head", ["Model", "ForCTC"])
@pytest.mark.parametrize("family", ["wav2vec2", "hubert"])
def test_files_of_torchaudio_need_a_configuration_and_no_more(tmp_path, family, head, prefix):
    model = small_model(family, "large", head)
    path = write_torchaudio(tmp_path / "torchaudio.pth", model, prefix=prefix)
    found = recognised(path)
    assert (found.origin, found.config, found.preprocessing) == ("torchaudio", None, None)
    assert found.lacks is None
    weights, _ = opened(path)
    encoder = type(model.base_model)(model.config).eval()
    named = {new: weights[old] for old, new in found.names.items()}
    head_names = {"lm_head.weight", "lm_head.bias"} if head == "ForCTC" else set()
    assert head_names == named.keys() & {"lm_head.weight", "lm_head.bias"}
    # torchaudio has no embedding of masks; nothing in evaluation uses it.
    named["masked_spec_embed"] = model.base_model.masked_spec_embed.detach()
    for name in head_names:
        assert torch.equal(named.pop(name), model.state_dict()[name])
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        place = "encoder.pos_conv_embed.conv."
        named[f"{place}parametrizations.weight.{new}"] = named.pop(place + old)
    encoder.load_state_dict(named)
    assert_same_encoder(encoder, model)


@pytest.mark.parametrize(
    ("family", "stored"),
    [
        ("hubert", {"cfg": {"model": {"_name": "hubert"}, "task": {"normalize": False}}}),
        ("wav2vec2", {"args": {"arch": "wav2vec2", "normalize": False}}),
        ("wavlm", {"cfg": {"normalize": False, "max_distance": 800, "num_buckets": 320}}),
    ],
)
def test_settings_of_published_base_models_give_the_defaults_of_transformers(family, stored):
    # The defaults of transformers are the configurations of the published base models.
    default = transformers.AutoConfig.for_model(family)
    with torch.device("meta"):
        model = transformers.AutoModel.from_config(default)
    shapes = {name: tuple(each.shape) for name, each in fairseq_weights(model).items()}
    model_settings = stored.get("args") or stored["cfg"].get("model") or stored["cfg"]
    model_settings |= {
        **{"extractor_mode": "default", "encoder_layers": 12, "encoder_embed_dim": 768},
        **{"encoder_ffn_embed_dim": 3072, "encoder_attention_heads": 12, "activation_fn": "gelu"},
        **{"layer_norm_first": False, "conv_bias": False, "conv_pos": 128, "conv_pos_groups": 16},
        "conv_feature_layers": "[(512,10,5)] + [(512,3,2)] * 4 + [(512,2,2)] * 2",
    }
    found = transformers.AutoConfig.for_model(**recognise(shapes, stored).config)
    found.architectures = None
    assert found.to_dict() == default.to_dict()


def test_names_of_transformers_are_kept_and_need_a_configuration():
    for model in (small_model("hubert"), small_model("hubert", head="ForCTC")):
        shapes = {name: tuple(each.shape) for name, each in model.state_dict().items()}
        found = recognise(shapes, {})
        assert (found.origin, found.config, found.preprocessing) == ("transformers", None, None)
        assert found.names == {name: name for name in shapes}


def test_other_weights_are_not_recognised():
    assert recognise({"layer1.0.conv1.weight": (64, 64, 3, 3)}, {}) is None
    assert recognise({}, {"cfg": {"model": {"_name": "hubert"}}}) is None


@pytest.mark.parametrize(
    ("family", "head", "expected"),
    [
        ("wav2vec2", "Model", "Wav2Vec2ForPreTraining"),
        ("wav2vec2", "ForCTC", "Wav2Vec2ForCTC"),
        ("hubert", "Model", "HubertModel"),
        ("hubert", "ForCTC", "HubertForCTC"),
        ("data2vec-audio", "ForCTC", "Data2VecAudioForCTC"),
    ],
)
def test_the_class_shows_whether_a_model_was_fine_tuned(tmp_path, family, head, expected):
    path = write_fairseq(tmp_path / "checkpoint.pt", small_model(family, head=head))
    config = recognised(path).config
    assert config["architectures"] == [expected]
    assert config.get("vocab_size") == (20 if head == "ForCTC" else None)
    assert hasattr(transformers, expected)


def test_an_encoder_taken_out_of_a_fine_tuned_model_stays_fine_tuned(tmp_path):
    model = small_model("wav2vec2", head="ForCTC")

    def take_out(held):
        prefix = "w2v_encoder.w2v_model."
        weights = held["model"]
        held["model"] = {
            name.removeprefix(prefix): weights[name] for name in weights if prefix in name
        }

    path = write_fairseq(tmp_path / "checkpoint.pt", model, change=take_out)
    config = recognised(path).config
    assert config["architectures"] == ["Wav2Vec2ForCTC"]
    assert "vocab_size" not in config
    assert_same_encoder(loaded(path), model)


def test_a_file_without_settings_needs_a_configuration(tmp_path, wav2vec2):
    path = write_fairseq(
        tmp_path / "checkpoint.pt", wav2vec2, change=lambda held: held.update(cfg=None)
    )
    found = recognised(path)
    assert (found.origin, found.config, found.lacks) == ("fairseq", None, None)
    assert_same_encoder(loaded(path, wav2vec2.config), wav2vec2)


@pytest.mark.parametrize(
    "setting",
    ["conv_feature_layers", "encoder_attention_heads", "activation_fn", "layer_norm_first"],
)
def test_a_setting_that_weights_do_not_show_is_missed_by_name(tmp_path, wav2vec2, setting):
    path = write_fairseq(
        tmp_path / "checkpoint.pt",
        wav2vec2,
        change=lambda held: held["cfg"]["model"].pop(setting),
    )
    found = recognised(path)
    assert (found.config, found.lacks) == (None, f"cfg.model.{setting}")
    assert found.preprocessing["do_normalize"] is True


def test_the_distance_of_wavlm_is_missed_by_name(tmp_path, wavlm):
    path = write_wavlm(
        tmp_path / "WavLM.pt", wavlm, change=lambda held: held["cfg"].pop("max_distance")
    )
    assert recognised(path).lacks == "cfg.max_distance"


@pytest.mark.parametrize("value", [None, "/base.pt"])
def test_the_settings_of_a_fine_tuned_encoder_are_missed_by_name(tmp_path, value):
    path = write_fairseq(
        tmp_path / "checkpoint.pt",
        small_model("hubert", head="ForCTC"),
        change=lambda held: held["cfg"]["model"].update(w2v_args=value),
    )
    found = recognised(path)
    assert (found.config, found.lacks) == (None, "cfg.model.w2v_args")


def test_a_fine_tuned_encoder_needs_its_own_settings(tmp_path):
    path = write_fairseq(
        tmp_path / "checkpoint.pt",
        small_model("hubert", head="ForCTC"),
        change=lambda held: held["cfg"]["model"].pop("w2v_args"),
    )
    assert recognised(path).lacks == "cfg.model.w2v_args"


def test_a_family_is_not_guessed(tmp_path, wav2vec2):
    def forget(held):
        del held["cfg"]["model"]["_name"]
        del held["model"]["quantizer.vars"], held["model"]["project_q.weight"]

    path = write_fairseq(tmp_path / "checkpoint.pt", wav2vec2, change=forget)
    assert recognised(path).lacks == "cfg.model._name"


@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "data2vec-audio"])
def test_weights_of_pretraining_show_the_family(tmp_path, family):
    model = small_model(family)
    path = write_s3prl(
        tmp_path / "converted.pt", model, change=lambda held: held["model_cfg"].pop("_name")
    )
    assert_same_encoder(loaded(path), model)


def test_settings_that_weights_show_may_be_missing(tmp_path, wav2vec2):
    def forget(held):
        for name in (
            *("encoder_layers", "encoder_embed_dim", "encoder_ffn_embed_dim", "extractor_mode"),
            *("conv_bias", "conv_pos", "conv_pos_groups"),
        ):
            del held["cfg"]["model"][name]

    path = write_fairseq(tmp_path / "checkpoint.pt", wav2vec2, change=forget)
    assert_same_encoder(loaded(path), wav2vec2)


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("encoder_layers", 4, ["encoder_layers as 4", "as 3"]),
        ("encoder_embed_dim", 64, ["encoder_embed_dim as 64", "as 32"]),
        ("encoder_ffn_embed_dim", "48", ["encoder_ffn_embed_dim as '48'", "as 48"]),
        ("extractor_mode", "layer_norm", ["extractor_mode as 'layer_norm'", "as 'default'"]),
        ("conv_bias", True, ["conv_bias as True", "as False"]),
        ("conv_pos", 128, ["conv_pos as 128", "as 8"]),
        ("conv_pos_groups", 16, ["conv_pos_groups as 16", "as 2"]),
        ("conv_pos_batch_norm", True, ["conv_pos_batch_norm as True", "as False"]),
        ("conv_feature_layers", "[(16, 10, 5)]", ["is 1", "weights 7"]),
        (
            "conv_feature_layers",
            "[(16, 10, 5)] + [(16, 3, 2)] * 3 + [(16, 4, 2)] * 3",
            ["layer 4", "width 16 and kernel 4", "16 and 3"],
        ),
        ("encoder_attention_heads", 5, ["5 attention heads", "32 neurons"]),
        ("encoder_attention_heads", 0, ["encoder_attention_heads as 0", "whole positive"]),
        ("encoder_attention_heads", "four", ["encoder_attention_heads as 'four'"]),
        ("layer_norm_first", "no", ["layer_norm_first as 'no'", "true or false"]),
        ("activation_fn", "gelu_fast", ["activation_fn as 'gelu_fast'", "gelu, relu"]),
        ("activation_fn", ["gelu"], ["activation_fn as ['gelu']", "gelu, relu"]),
        ("_name", "hubert", ["hubert", "wav2vec2"]),
        ("_name", "wav2vec2_conformer", ["'wav2vec2_conformer'", "not supported"]),
        ("_name", ["hubert"], ["['hubert']", "not supported"]),
    ],
)
def test_settings_that_disagree_with_the_weights_are_refused(
    tmp_path, wav2vec2, setting, value, words
):
    path = write_fairseq(
        tmp_path / "checkpoint.pt",
        wav2vec2,
        change=lambda held: held["cfg"]["model"].update({setting: value}),
    )
    assert_refused(path, words)


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("num_buckets", 32, ["cfg.num_buckets as 32", "as 320"]),
        ("encoder_attention_heads", 8, ["cfg.encoder_attention_heads as 8", "as 4"]),
        ("max_distance", 1.5, ["cfg.max_distance as 1.5", "whole positive"]),
    ],
)
def test_settings_of_wavlm_are_held_against_its_weights(tmp_path, wavlm, setting, value, words):
    path = write_wavlm(
        tmp_path / "WavLM.pt", wavlm, change=lambda held: held["cfg"].update({setting: value})
    )
    assert_refused(path, words)


def test_settings_of_data2vec_are_held_against_its_weights(tmp_path):
    model = small_model("data2vec-audio")
    for changes, words in (
        ({"conv_pos": 24}, ["kernel of 3", "weights 19"]),
        ({"conv_pos": None, "pos_conv_depth": 1}, ["pos_conv_depth as 1", "as 8"]),
        ({"pos_conv_depth": 2}, ["pos_conv_depth as 2", "as 8"]),
        ({"layer_norm_first": True}, ["norms in other places", "unlike data2vec-audio"]),
    ):
        path = write_fairseq(
            tmp_path / "checkpoint.pt",
            model,
            change=lambda held, changes=changes: held["cfg"]["model"].update(changes),
        )
        assert_refused(path, words)


def test_a_batch_norm_that_the_family_lacks_is_refused(tmp_path):
    path = write_fairseq(
        tmp_path / "checkpoint.pt",
        small_model("hubert", conv_pos_batch_norm=True),
        change=lambda held: (
            held["cfg"]["model"].update(_name="wav2vec2"),
            held["model"].pop("label_embs_concat"),
        ),
    )
    assert_refused(path, ["batch norm before its positions", "unlike wav2vec2"])


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        ("encoder.layer_norm.weight", ["lacks", "encoder.layer_norm.weight"]),
        ("post_extract_proj.weight", ["no projection between", "unlike wav2vec2"]),
        ("encoder.pos_conv.0.weight_v", ["lacks", "encoder.pos_conv_embed.conv.weight_v"]),
        ("feature_extractor.conv_layers.0.2.weight", ["lacks", "conv_layers.0.layer_norm.weight"]),
    ],
)
def test_missing_weights_are_named(tmp_path, wav2vec2, weight, words):
    path = write_fairseq(
        tmp_path / "checkpoint.pt", wav2vec2, change=lambda held: held["model"].pop(weight)
    )
    assert_refused(path, words)


def test_a_weight_of_other_dimensions_is_named(tmp_path, wav2vec2):
    path = write_fairseq(
        tmp_path / "checkpoint.pt",
        wav2vec2,
        change=lambda held: held["model"].update({"encoder.layer_norm.weight": torch.ones(4, 8)}),
    )
    assert_refused(path, ["encoder.layer_norm.weight in 2 dimensions, not 1"])


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("style", ["base", "large"])
@pytest.mark.parametrize("form", ["cfg", "args"])
@pytest.mark.parametrize("head", ["Model", "ForCTC"])
def test_preprocessing_is_that_of_the_settings(tmp_path, form, head, style, normalize):
    model = small_model("hubert", style, head)
    path = write_fairseq(tmp_path / "checkpoint.pt", model, form=form, normalize=normalize)
    preprocessing = recognised(path).preprocessing
    extractor = transformers.Wav2Vec2FeatureExtractor(**preprocessing)
    assert preprocessing["feature_extractor_type"] == type(extractor).__name__
    assert (extractor.do_normalize, extractor.sampling_rate) == (normalize, 16000)
    assert extractor.return_attention_mask is (style == "large")


def test_a_sampling_rate_of_a_task_is_kept(tmp_path, wav2vec2):
    for stated, expected in ((8000, 8000), (None, 16000)):  # 16 kHz is the default of fairseq
        path = write_fairseq(
            tmp_path / "checkpoint.pt",
            wav2vec2,
            change=lambda held, stated=stated: held["cfg"]["task"].update(sample_rate=stated),
        )
        assert recognised(path).preprocessing["sampling_rate"] == expected


def test_preprocessing_is_not_assumed(tmp_path, wav2vec2, wavlm):
    for change in (
        lambda held: held["cfg"]["task"].pop("normalize"),
        lambda held: held["cfg"].pop("task"),
    ):
        path = write_fairseq(tmp_path / "checkpoint.pt", wav2vec2, change=change)
        found = recognised(path)
        assert found.preprocessing is None
        assert found.config is not None
    # WavLM's own files give no sampling rate.
    assert recognised(write_wavlm(tmp_path / "WavLM.pt", wavlm)).preprocessing is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("normalize", "yes", ["normalize as 'yes'", "true or false"]),
        ("sample_rate", -1, ["sample_rate as -1", "whole positive"]),
        ("sample_rate", "16k", ["sample_rate as '16k'"]),
    ],
)
def test_invalid_preprocessing_is_refused(tmp_path, wav2vec2, name, value, words):
    path = write_fairseq(
        tmp_path / "checkpoint.pt",
        wav2vec2,
        change=lambda held: held["cfg"]["task"].update({name: value}),
    )
    assert_refused(path, words)


def test_pretraining_and_fine_tuning_must_normalise_alike(tmp_path):
    path = write_fairseq(
        tmp_path / "checkpoint.pt",
        small_model("wav2vec2", head="ForCTC"),
        change=lambda held: held["cfg"]["task"].update(normalize=False),
    )
    assert_refused(path, ["normalize as False in fine-tuning and True in pretraining"])


def assert_refused(path, words):
    with pytest.raises(AssonanceError) as refusal:
        recognised(path)
    message = str(refusal.value)
    assert re.sub(r"\s+", " ", message) == message
    for word in words:
        assert word in message
