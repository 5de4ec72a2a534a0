"""An outline is its checkpoint but for the weights."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from signals import voice

from assonance import load_model
from assonance.errors import AssonanceError
from assonance.models.loading import Loading, outline_all
from assonance.utils.progress import Silent


def outline(spec, **options):
    (found,) = outline_all([spec], Loading(**options), Silent())
    return found


@pytest.mark.parametrize(
    "family", ["wav2vec2", "hubert", "wavlm", "sew", "whisper", "parakeet_encoder"]
)
def test_an_outline_has_layers_heads_and_frames_of_its_checkpoint(family, checkpoint):
    empty, whole = outline(checkpoint(family)), load_model(checkpoint(family))
    assert (empty.layers, empty.widths, empty.heads) == (whole.layers, whole.widths, whole.heads)
    assert (empty.name, empty.sampling_rate) == (whole.name, whole.sampling_rate)
    assert empty.info.n_parameters == whole.info.n_parameters
    for samples in (0, 399, 400, 16000, 23457):
        assert empty.n_frames(samples) == whole.n_frames(samples)
        np.testing.assert_array_equal(empty.frame_times(samples), whole.frame_times(samples))


def test_no_weights_are_needed(checkpoint, tmp_path):
    bare = shutil.copytree(checkpoint(), tmp_path / "bare")
    (bare / "model.safetensors").write_bytes(b"")
    assert outline(bare).layers == load_model(checkpoint()).layers
    with pytest.raises(AssonanceError, match="weights"):
        load_model(bare)


def test_outlines_of_one_architecture_have_one_fingerprint(checkpoint):
    one, other = outline(checkpoint(seed=1)), outline(checkpoint(seed=2))
    assert one.fingerprint == other.fingerprint == one.twin(0).fingerprint
    assert outline(checkpoint("hubert")).fingerprint != one.fingerprint
    assert outline(checkpoint(seed=1), record=("blocks", "cnn")).fingerprint != one.fingerprint


def test_a_twin_is_named_and_described_as_the_real_one(checkpoint):
    empty, whole = outline(checkpoint()).twin(3), load_model(checkpoint()).twin(3)
    assert (empty.name, empty.info) == (whole.name, whole.info)


@pytest.mark.parametrize("prefix", ["random", "rotated"])
def test_models_made_of_checkpoints_have_outlines_too(prefix, checkpoint):
    spec = f"{prefix}:{checkpoint()}@3"
    assert outline(spec).widths == load_model(spec).widths
    assert replace(outline(spec).info, weights="") == replace(load_model(spec).info, weights="")


def test_an_outline_that_is_run_runs_with_random_weights(checkpoint):
    empty, samples = outline(checkpoint()), voice(0.5, seed=0)
    expected = load_model(f"random:{checkpoint()}@0").run(samples).activations
    found = empty.run(samples).activations
    assert list(found) == list(empty.layers)
    for label in empty.layers:
        np.testing.assert_array_equal(found[label], expected[label])
