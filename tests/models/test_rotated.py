"""Rotated models: the same space in random axes."""

import numpy as np
import pytest
from signals import voice

from assonance import testing
from assonance.arrays import similarity
from assonance.errors import AssonanceError
from assonance.models.loading import load_model


@pytest.fixture(scope="module")
def rotated(checkpoint):
    return load_model(checkpoint()), load_model(f"rotated:{checkpoint()}@1")


def test_a_rotated_model_conforms(rotated):
    testing.check_model(rotated[1])


def test_rotation_keeps_the_space_and_takes_the_axes(rotated):
    original, turned = rotated
    samples = voice(0.9, seed=1)
    before, after = original.run(samples).activations, turned.run(samples).activations
    for label, values in before.items():
        gram, kept = (x.astype(np.float64) @ x.T for x in (values, after[label]))
        np.testing.assert_allclose(kept, gram, rtol=0, atol=1e-5 * np.abs(gram).max())
        assert similarity(values, after[label], "cka") == pytest.approx(1, abs=1e-5)
        assert similarity(values, after[label], "maxcorr") < 0.9
        turn = turned._rotations[label]
        np.testing.assert_allclose(turn.T @ turn, np.eye(32), atol=1e-12)
        np.testing.assert_allclose(after[label], values @ turn, rtol=0, atol=1e-5)
        assert label in turned.meanings
        assert turned.meanings[label].endswith(", in random axes.")


def test_each_layer_and_seed_has_its_own_rotation(rotated, checkpoint):
    _, turned = rotated
    other = load_model(f"rotated:{checkpoint()}@2")
    ffn = load_model(f"rotated:{checkpoint()}@1", record=("blocks", "ffn"))
    samples = voice(0.4, seed=1)
    found = [each.run(samples).activations for each in (turned, other, ffn)]
    assert not np.allclose(found[0]["encoder.1"], found[1]["encoder.1"])
    np.testing.assert_array_equal(found[0]["encoder.1"], found[2]["encoder.1"])
    assert not np.allclose(turned._rotations["encoder.1"], turned._rotations["encoder.2"])
    assert len({each.fingerprint for each in (turned, other, ffn, rotated[0])}) == 4


def test_attention_maps_stay_as_they_are(rotated):
    maps = {}, {}
    for model, kept in zip(rotated, maps, strict=True):
        model.run(voice(0.4, seed=1), attend=kept.__setitem__)
    for label, heads in maps[0].items():
        np.testing.assert_array_equal(maps[1][label], heads)


def test_names_are_parted_at_the_last_seed(checkpoint):
    model = load_model(f"rotated:random:{checkpoint()}@3@7")
    assert model.name == f"rotated:random:{checkpoint().name}@3@7"
    assert load_model("rotated:mel@0").layers == ("mel",)
    for spec in ("rotated:", "rotated:mel", "rotated:mel@x"):
        with pytest.raises(AssonanceError, match="write a rotated model as rotated:<model>@<seed>"):
            load_model(spec)
