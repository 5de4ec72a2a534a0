"""Random twins: the same architecture, weights from a seed, nothing else disturbed."""

import random
import shutil

import numpy as np
import pytest
import torch
import transformers
from signals import voice

from assonance.errors import AssonanceError
from assonance.models.loading import (
    BUILT_IN,
    Loading,
    as_kinds,
    check_name,
    find,
    load_model,
)
from assonance.models.spectra import BASELINES
from assonance.utils.progress import Silent

every_family = pytest.mark.parametrize("family", ["wav2vec2", "hubert"])


@every_family
@pytest.mark.parametrize("style", ["base", "large"])
def test_a_twin_has_the_architecture_and_none_of_the_weights(checkpoint, family, style):
    folder = checkpoint(family, style)
    original, twin = load_model(folder), load_model(f"random:{folder}@1")
    assert twin.name == f"random:{folder.name}@1"
    for trait in ("layers", "widths", "heads", "meanings", "sampling_rate"):
        assert getattr(twin, trait) == getattr(original, trait)
    assert twin.info.n_parameters == original.info.n_parameters
    assert (twin.info.objective, twin.info.family) == ("none", family)
    samples = voice(0.4, seed=1)
    before, after = original.run(samples).activations, twin.run(samples).activations
    for label in original.layers:
        assert before[label].shape == after[label].shape
        assert np.abs(before[label] - after[label]).max() > 0.1


def test_a_twin_of_a_fine_tuned_model_is_not_fine_tuned(checkpoint):
    assert load_model(checkpoint(head="ForCTC")).info.fine_tuned
    assert not load_model(f"random:{checkpoint(head='ForCTC')}@0").info.fine_tuned


@every_family
def test_a_seed_decides_the_weights(checkpoint, family):
    folder = checkpoint(family)
    first, again, other = (load_model(f"random:{folder}@{seed}") for seed in (3, 3, 4))
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != other.fingerprint
    samples = voice(0.4, seed=1)
    for label in first.layers:
        outputs = [model.run(samples).activations[label] for model in (first, again, other)]
        np.testing.assert_array_equal(outputs[0], outputs[1])
        assert not np.allclose(outputs[0], outputs[2])


def test_weights_are_those_that_the_library_would_draw(checkpoint):
    config = transformers.AutoConfig.from_pretrained(checkpoint())
    with torch.random.fork_rng():
        torch.manual_seed(5)
        expected = transformers.Wav2Vec2Model(config).state_dict()
    found = load_model(f"random:{checkpoint()}@5")._encoder.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_no_global_random_state_is_disturbed(checkpoint):
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    load_model(f"random:{checkpoint()}@0")
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002
    assert random.getstate() == states[2]


def test_a_twin_needs_no_weights_and_is_in_evaluation_mode(checkpoint, tmp_path):
    shutil.copytree(checkpoint(), tmp_path / "bare")
    (tmp_path / "bare" / "model.safetensors").unlink()
    model = load_model(f"random:{tmp_path / 'bare'}@0")
    samples = voice(0.4, seed=1)
    first, second = model.run(samples).activations, model.run(samples).activations
    np.testing.assert_array_equal(first["encoder.3"], second["encoder.3"])


@pytest.mark.parametrize("tail", ["", "@", "@x", "@-1", "@1.5", "@²", f"@{2**63}"])
def test_a_twin_without_a_seed_is_refused_with_how_to_write_it(checkpoint, tail):
    with pytest.raises(AssonanceError, match=r"random:<directory or hub id>@<seed>"):
        load_model(f"random:{checkpoint()}{tail}")


def test_a_twin_of_nothing_is_refused_by_name():
    with pytest.raises(AssonanceError, match=r"^gone: no such directory"):
        load_model("random:gone@0")
    with pytest.raises(AssonanceError, match="write a random model as"):
        load_model("random:@0")


def test_options_reach_the_checkpoint(checkpoint):
    loading = Loading(record=as_kinds(name for name in ("cnn", "ffn")))
    model = find(checkpoint(), loading).load(Silent())
    assert [label.partition(".")[0] for label in model.layers][:2] == ["cnn", "ffn"]
    with pytest.raises(AssonanceError, match="precision"):
        find(checkpoint(), Loading(precision="float8"))
    assert find("mel", loading).load(Silent()).name == "mel"


def test_one_kind_of_layer_is_a_list_of_one():
    assert as_kinds("blocks") == ("blocks",)


def test_the_models_named_by_a_word_are_the_baselines():
    assert set(BUILT_IN) == set(BASELINES)


@pytest.mark.parametrize(
    "name", ["mel", "hubert-mini", "owner/model@main", "random:hubert-mini@0", "module:a.b"]
)
def test_a_name_that_may_be_a_model_s_passes_the_first_check(name):
    check_name(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hubert-mni", "did you mean hubert-mini"),
        ("rotated:hubert-mni@1", "did you mean hubert-mini"),
        ("random:hubert-mini", "write a random model as"),
    ],
)
def test_a_name_of_no_model_is_refused_by_the_first_check(name, words):
    with pytest.raises(AssonanceError, match=words):
        check_name(name)


@pytest.mark.parametrize("wrong", [{"record": ("blokcs",)}, {"precision": "float61"}], ids=str)
def test_options_with_a_wrong_name_are_refused_before_anything_is_loaded(wrong):
    with pytest.raises(AssonanceError, match=r"choose from .*did you mean"):
        Loading(**wrong)
