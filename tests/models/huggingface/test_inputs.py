"""Preprocessing and batches of an encoder."""

import json

import numpy as np
import pytest
from encoders import copy
from signals import voice

from assonance.errors import UnusableAudio
from assonance.models.loading import load_model

LABELS = ("encoder.0", "encoder.1", "encoder.2", "encoder.3")


@pytest.mark.parametrize("family", ["data2vec-audio", "sew", "sew-d", "wav2vec2-conformer"])
def test_families_that_padding_would_change_are_run_one_by_one(checkpoint, family):
    model = load_model(checkpoint(family))
    assert not model.in_batches
    batch = [voice(0.5, seed=1), voice(0.3, seed=2)]
    for outputs, samples in zip(model.run_batch(batch), batch, strict=True):
        for label, values in model.run(samples).activations.items():
            np.testing.assert_array_equal(outputs.activations[label], values)


def test_a_batch_norm_before_the_blocks_is_not_run_in_batches(checkpoint):
    assert not load_model(checkpoint("hubert", conv_pos_batch_norm=True)).in_batches


def test_samples_are_normalised_only_where_the_checkpoint_says_so(checkpoint, tmp_path):
    samples = voice(0.4, seed=3)
    normalising = load_model(checkpoint(style="large"))
    plain = load_model(copy(checkpoint(style="large"), tmp_path / "plain", do_normalize=False))
    standard = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    for label in LABELS:
        expected = normalising.run(samples).activations[label]
        np.testing.assert_array_equal(plain.run(standard).activations[label], expected)
        assert not np.array_equal(plain.run(samples).activations[label], expected)


def test_preprocessing_nested_in_a_processors_file_is_obeyed(checkpoint, tmp_path):
    plain = copy(checkpoint(), tmp_path / "plain", do_normalize=False)
    nested = copy(checkpoint(), tmp_path / "nested")
    (nested / "preprocessor_config.json").unlink()
    inner = json.loads((plain / "preprocessor_config.json").read_text())
    (nested / "processor_config.json").write_text(
        json.dumps({"processor_class": "Wav2Vec2Processor", "feature_extractor": inner})
    )
    assert load_model(nested).fingerprint == load_model(plain).fingerprint
    assert load_model(nested).fingerprint != load_model(checkpoint()).fingerprint


def test_more_than_a_model_takes_is_unusable(checkpoint):
    model = load_model(checkpoint("whisper"))
    model.run(voice(2, seed=1))
    with pytest.raises(UnusableAudio, match=r"too long: 2\.1 s; .* takes at most 2 s"):
        model.run(voice(2.1, seed=1))
