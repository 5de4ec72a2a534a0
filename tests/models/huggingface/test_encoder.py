"""wav2vec2 and HuBERT encoders against transformers' own outputs and against brute force."""

import itertools
import json
import shutil
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import transformers
from encoders import copy
from safetensors.torch import load_file, save_file
from signals import voice

from assonance.errors import UnusableAudio
from assonance.models.huggingface.encoder import describe_size
from assonance.models.loading import load_model

KINDS = [
    (family, style, head)
    for family in ("wav2vec2", "hubert")
    for style in ("base", "large")
    for head in ("Model", "ForPreTraining", "ForCTC")
    if (family, head) != ("hubert", "ForPreTraining")  # transformers has no such class
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=" ".join)
LABELS = ("encoder.0", "encoder.1", "encoder.2", "encoder.3")


def reference(folder, samples):
    """Run a checkpoint by the class that it was saved from, and take its encoder's outputs."""
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    (architecture,) = json.loads((folder / "config.json").read_text())["architectures"]
    whole = getattr(transformers, architecture).from_pretrained(folder, attn_implementation="eager")
    encoder = getattr(whole, whole.base_model_prefix, whole)
    with torch.no_grad():
        return encoder, encoder(
            extractor(samples, sampling_rate=16000, return_tensors="pt").input_values,
            output_hidden_states=True,
            output_attentions=True,
        )


def run(model, samples):
    """Activations and attention maps, kept as they are handed over."""
    maps = {}
    outputs = model.run(samples, attend=maps.__setitem__)
    return outputs.activations, maps


# What is given is what transformers gives


@every_kind
def test_layers_and_maps_are_those_of_transformers(checkpoint, kind):
    samples = voice(0.7, seed=1)
    folder = checkpoint(*kind)
    _, expected = reference(folder, samples)
    activations, maps = run(load_model(folder), samples)
    assert tuple(activations) == LABELS
    assert tuple(maps) == LABELS[1:]
    for label, tensor in zip(LABELS, expected.hidden_states, strict=True):
        np.testing.assert_array_equal(activations[label], tensor[0].numpy(), label)
    for label, tensor in zip(LABELS[1:], expected.attentions, strict=True):
        np.testing.assert_array_equal(maps[label], tensor[0].numpy(), label)


@every_kind
def test_the_model_says_what_it_is(checkpoint, kind):
    family, _, head = kind
    folder = checkpoint(*kind)
    encoder, _ = reference(folder, voice(0.1, seed=1))
    model = load_model(folder)
    assert model.name == folder.name
    assert model.layers == LABELS
    assert model.widths == dict.fromkeys(LABELS, 32)
    assert model.heads == dict.fromkeys(LABELS[1:], 4)
    assert model.sampling_rate == 16000
    assert model.info.family == family
    assert model.info.objective == {"wav2vec2": "contrastive", "hubert": "predictive"}[family]
    assert model.info.size == "3 blocks of 32"
    assert model.info.n_parameters == sum(weight.numel() for weight in encoder.parameters())
    assert model.info.fine_tuned is (head == "ForCTC")
    assert model.info.source == str(folder)


def test_a_size_that_has_a_name_is_given_it():
    assert describe_size(12, 768) == "base, 12 blocks of 768"
    assert describe_size(24, 1024) == "large, 24 blocks of 1024"
    assert describe_size(4, 128) == "4 blocks of 128"


@pytest.mark.parametrize("family", ["wav2vec2", "hubert"])
def test_the_last_layer_is_before_the_final_norm_only_where_blocks_norm_first(checkpoint, family):
    samples = voice(0.5, seed=2)
    for style, normed in (("base", True), ("large", False)):
        folder = checkpoint(family, style)
        encoder, expected = reference(folder, samples)
        model = load_model(folder)
        last = torch.tensor(model.run(samples).activations["encoder.3"])
        final = expected.last_hidden_state[0]
        assert torch.equal(last, final) is normed
        if not normed:
            assert torch.equal(encoder.encoder.layer_norm(last), final)
        assert ("before the encoder's final layer norm" in model.meanings["encoder.3"]) != normed


@pytest.mark.parametrize(("style", "words"), [("base", "after"), ("large", "not normalised")])
def test_meanings_say_whether_a_layer_is_normalised(checkpoint, style, words):
    model = load_model(checkpoint("hubert", style))
    activations = model.run(voice(0.5, seed=2)).activations
    for label in LABELS[:-1]:
        # A fresh layer norm has unit gain and no bias: every frame has mean 0 and deviation 1.
        normed = np.allclose(activations[label].std(axis=1), 1, atol=1e-2)
        assert normed is (style == "base")
        assert words in model.meanings[label]


@every_kind
def test_every_row_of_every_head_sums_to_one_and_heads_differ(checkpoint, kind):
    _, maps = run(load_model(checkpoint(*kind)), voice(0.4, seed=3))
    for heads in maps.values():
        assert heads.dtype == np.float32
        assert heads.min() >= 0
        np.testing.assert_allclose(heads.sum(axis=-1), 1, atol=1e-6)
        for one in range(4):
            for other in range(one):
                assert np.abs(heads[one] - heads[other]).max() > 1e-3


def test_asking_for_maps_changes_nothing_else(checkpoint):
    model = load_model(checkpoint())
    samples = voice(0.4, seed=3)
    without, (also, _) = model.run(samples).activations, run(model, samples)
    for label in LABELS:
        np.testing.assert_array_equal(without[label], also[label])


def test_maps_are_not_kept_once_they_are_handed_over(checkpoint):
    seen = []
    load_model(checkpoint()).run(
        voice(0.4, seed=3), attend=lambda label, maps: seen.append(weakref.ref(maps))
    )
    assert [each() for each in seen] == [None] * 3


@every_kind
def test_two_runs_are_equal_to_the_bit(checkpoint, kind):
    model = load_model(checkpoint(*kind))
    samples = voice(0.4, seed=3)
    first, second = model.run(samples).activations, model.run(samples).activations
    for label in LABELS:
        np.testing.assert_array_equal(first[label], second[label])


def test_an_earlier_result_is_not_touched_by_a_later_run(checkpoint):
    model = load_model(checkpoint())
    first = model.run(voice(0.4, seed=3)).activations["encoder.3"]
    before = first.copy()
    model.run(voice(0.4, seed=4))
    np.testing.assert_array_equal(first, before)


# Frames


@pytest.mark.parametrize("n_samples", [400, 719, 720, 721, 5000, 16000, 16080])
def test_frames_are_counted_as_they_come(checkpoint, n_samples):
    model = load_model(checkpoint())
    frames = len(model.run(voice(n_samples / 16000, seed=1)).activations["encoder.0"])
    assert model.n_frames(n_samples) == frames
    assert len(model.frame_times(n_samples)) == frames


def test_frame_times_are_the_centres_of_what_moves_a_frame(checkpoint):
    # With layer norm no statistic of the whole clip comes in: the gradient is the view.
    folder = checkpoint(style="large")
    encoder = transformers.Wav2Vec2Model.from_pretrained(folder)
    samples = torch.tensor(voice(0.2, seed=1)[None], requires_grad=True)
    times = load_model(folder).frame_times(samples.shape[1])
    features = encoder.feature_extractor(samples)
    for frame, time in enumerate(times):
        (gradient,) = torch.autograd.grad(features[0, :, frame].sum(), samples, retain_graph=True)
        (seen,) = torch.nonzero(gradient[0], as_tuple=True)
        assert time == pytest.approx((seen[0] + seen[-1]).item() / 2 / 16000, abs=1e-9)


@pytest.mark.parametrize("n_samples", [0, 1, 399])
def test_too_few_samples_for_a_frame_are_unusable(checkpoint, n_samples):
    model = load_model(checkpoint())
    assert model.n_frames(n_samples) == 0
    with pytest.raises(UnusableAudio, match=f"too short: {n_samples} samples.* needs 400"):
        model.run(np.zeros(n_samples, np.float32))


def test_samples_that_need_more_memory_than_there_is_are_unusable(checkpoint):
    a_day = np.broadcast_to(np.float32(0), (24 * 3600 * 16000,))
    with pytest.raises(UnusableAudio, match="too long: 86400 s at once"):
        load_model(checkpoint()).run(a_day)


def test_running_out_of_memory_costs_the_utterance_alone(checkpoint, monkeypatch):
    model = load_model(checkpoint())
    samples = voice(0.4, seed=3)

    def exhausted(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.functional, "softmax", exhausted)
        with pytest.raises(UnusableAudio, match="need more memory"):
            model.run(samples)
    assert len(model.run(samples).activations) == 4


def test_threads_that_share_a_model_do_not_mix_their_outputs(checkpoint):
    model = load_model(checkpoint())
    speech = [voice(0.3 + 0.05 * number, seed=number) for number in range(12)]
    alone = [run(model, samples) for samples in speech]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda samples: run(model, samples), speech))
    for one, other in zip(alone, together, strict=True):
        for kept, other_kept in zip(one, other, strict=True):
            assert kept.keys() == other_kept.keys()
            for label, array in kept.items():
                np.testing.assert_array_equal(array, other_kept[label])


def test_silence_is_speech_like_any_other(checkpoint):
    activations = load_model(checkpoint()).run(np.zeros(4000, np.float32)).activations
    assert np.isfinite(activations["encoder.3"]).all()


def test_values_that_are_not_numbers_name_model_and_layer(checkpoint):
    model = load_model(checkpoint(head="ForCTC"))
    with pytest.raises(UnusableAudio, match=f"{model.name} gives NaN .* at encoder.0"):
        model.run(np.full(4000, np.nan, np.float32))


# Preprocessing


def test_the_sampling_rate_is_the_checkpoints(checkpoint, tmp_path):
    narrow = load_model(copy(checkpoint(), tmp_path / "narrow", sampling_rate=8000))
    assert narrow.sampling_rate == 8000
    assert narrow.frame_times(720)[1] - narrow.frame_times(720)[0] == pytest.approx(0.04)


# Ways of saving the same model


@every_kind
def test_old_names_of_the_weight_norm_are_the_same_model(checkpoint, tmp_path, kind):
    folder = checkpoint(*kind)
    shutil.copytree(folder, tmp_path / "old")
    weights = load_file(folder / "model.safetensors")
    new = "parametrizations.weight.original"
    renamed = {
        key.replace(f"{new}0", "weight_g").replace(f"{new}1", "weight_v"): weight
        for key, weight in weights.items()
    }
    assert set(renamed) != set(weights)
    save_file(renamed, tmp_path / "old" / "model.safetensors", metadata={"format": "pt"})
    assert load_model(tmp_path / "old").fingerprint == load_model(folder).fingerprint


@every_kind
def test_weights_in_several_files_are_the_same_model(checkpoint, tmp_path, kind):
    folder = checkpoint(*kind)
    shutil.copytree(folder, tmp_path / "sharded")
    (tmp_path / "sharded" / "model.safetensors").unlink()
    (architecture,) = json.loads((folder / "config.json").read_text())["architectures"]
    whole = getattr(transformers, architecture).from_pretrained(folder)
    whole.save_pretrained(tmp_path / "sharded", max_shard_size="50KB")
    assert len(list((tmp_path / "sharded").glob("model-*.safetensors"))) > 1
    assert load_model(tmp_path / "sharded").fingerprint == load_model(folder).fingerprint


def test_half_precision_checkpoints_run_in_float32(checkpoint, tmp_path):
    half = transformers.Wav2Vec2Model.from_pretrained(checkpoint(), dtype=torch.float16)
    half.save_pretrained(tmp_path)
    shutil.copy(checkpoint() / "preprocessor_config.json", tmp_path)
    activations, maps = run(load_model(tmp_path), voice(0.4, seed=3))
    for array in (*activations.values(), *maps.values()):
        assert array.dtype == np.float32
    np.testing.assert_allclose(maps["encoder.3"].sum(-1), 1, atol=1e-6)


# Fingerprints


def test_where_a_checkpoint_lies_has_no_part_in_its_fingerprint(checkpoint, tmp_path):
    shutil.copytree(checkpoint(), tmp_path / "elsewhere")
    assert load_model(tmp_path / "elsewhere").fingerprint == load_model(checkpoint()).fingerprint


def test_anything_that_decides_activations_changes_the_fingerprint(checkpoint, tmp_path):
    weights = load_file(checkpoint() / "model.safetensors")
    weights["encoder.layers.2.final_layer_norm.bias"][0] += 1e-6
    other_weight = copy(checkpoint(), tmp_path / "weight")
    save_file(weights, other_weight / "model.safetensors", metadata={"format": "pt"})
    other_rate = copy(checkpoint(), tmp_path / "rate", sampling_rate=8000)
    other_norm = copy(checkpoint(), tmp_path / "norm", do_normalize=False)
    other_config = copy(checkpoint(), tmp_path / "config")
    config = json.loads((other_config / "config.json").read_text())
    (other_config / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-3}))
    folders = [checkpoint(), other_weight, other_rate, other_norm, other_config]
    folders += [checkpoint(seed=1), checkpoint("hubert"), checkpoint(style="large")]
    assert len({load_model(folder).fingerprint for folder in folders}) == len(folders)


def test_what_has_a_part_in_training_alone_has_none_in_the_fingerprint(checkpoint, tmp_path):
    trained_otherwise = copy(checkpoint(), tmp_path / "trained otherwise")
    config = json.loads((trained_otherwise / "config.json").read_text())
    unlike = {
        "hidden_dropout": 0.3,
        "layerdrop": 0.2,
        "mask_time_prob": 0.5,
        "ctc_zero_infinity": True,
        "vocab_size": 99,
    }
    assert all(config[key] != value for key, value in unlike.items())
    (trained_otherwise / "config.json").write_text(json.dumps(config | unlike))
    mine, other = load_model(checkpoint()), load_model(trained_otherwise)
    assert mine.fingerprint == other.fingerprint
    samples = voice(0.5, seed=3)
    for label, activations in run(mine, samples)[0].items():
        np.testing.assert_array_equal(activations, run(other, samples)[0][label])


def test_a_weight_that_is_only_used_in_training_may_be_missing_and_has_no_part(
    checkpoint, tmp_path
):
    bare = copy(checkpoint(), tmp_path / "bare")
    weights = load_file(bare / "model.safetensors")
    del weights["masked_spec_embed"]
    save_file(weights, bare / "model.safetensors", metadata={"format": "pt"})
    state = torch.get_rng_state()
    assert load_model(bare).fingerprint == load_model(checkpoint()).fingerprint
    assert torch.equal(torch.get_rng_state(), state)


# Outputs of attention heads


@pytest.mark.parametrize("style", ["base", "large"])
@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "wavlm"])
def test_outputs_of_heads_are_layers_where_asked_for(checkpoint, family, style):
    folder, samples = checkpoint(family, style), voice(0.4, seed=3)
    plain, model = load_model(folder), load_model(folder, record=("blocks", "heads"))
    between = [f"heads.{k}" for k in (1, 2, 3)]
    assert model.layers == tuple(
        itertools.chain(LABELS[:1], *zip(between, LABELS[1:], strict=True))
    )
    assert tuple(model.meanings) == tuple(model.widths) == model.layers
    assert "heads of block 2" in model.meanings["heads.2"]
    assert model.heads == plain.heads
    assert model.fingerprint != plain.fingerprint
    activations, _ = run(model, samples)
    assert tuple(activations) == model.layers
    for label, values in plain.run(samples).activations.items():
        np.testing.assert_array_equal(activations[label], values)
        assert model.meanings[label] == plain.meanings[label]


@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "wavlm"])
def test_outputs_of_a_head_are_its_maps_times_its_values(checkpoint, family):
    folder = checkpoint(family)
    activations, maps = run(load_model(folder, record=("blocks", "heads")), voice(0.4, seed=3))
    weights = load_file(folder / "model.safetensors")
    for k in (1, 2, 3):
        # After the block's layer norm comes the next: blocks of this style attend to their input.
        hidden = activations[f"encoder.{k - 1}"].astype(np.float64)
        place = f"encoder.layers.{k - 1}.attention.v_proj"
        values = hidden @ weights[f"{place}.weight"].numpy().T + weights[f"{place}.bias"].numpy()
        for head in range(4):
            slice_ = slice(8 * head, 8 * head + 8)
            expected = maps[f"encoder.{k}"][head] @ values[:, slice_]
            np.testing.assert_allclose(activations[f"heads.{k}"][:, slice_], expected, atol=1e-5)
