"""Weights that rest in a file are the same weights."""

import numpy as np
import torch
from signals import voice

from assonance.models import can_rest
from assonance.models.huggingface import resting
from assonance.models.huggingface.resting import rest
from assonance.models.loading import load_model

SAMPLES = voice(1.0, 0)


def small():
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(3, 5, 3)),
        torch.nn.BatchNorm1d(5),
    )
    module.register_buffer("steps", torch.tensor(7))
    return module.eval()


def test_no_value_changes(tmp_path):
    module, same = small(), small()
    rest(module, tmp_path)
    for one, other in zip(module.state_dict().items(), same.state_dict().items(), strict=True):
        assert one[0] == other[0]
        assert torch.equal(one[1], other[1])
        assert one[1].dtype == other[1].dtype


def test_weights_lie_in_one_mapped_file_that_has_no_name(tmp_path):
    module = small()
    before = {each.untyped_storage().data_ptr() for each in module.parameters()}
    rest(module, tmp_path)
    after = {each.untyped_storage().data_ptr() for each in module.parameters()}
    assert len(after) == 1
    assert not after & before
    assert all(each.data_ptr() % 64 == 0 for each in module.parameters())
    assert not list(tmp_path.iterdir())


def test_a_model_that_rests_gives_the_same_activations_again(checkpoint, tmp_path):
    model = load_model(checkpoint("wav2vec2"))
    assert can_rest(model)
    before, fingerprint = model.run(SAMPLES).activations, model.fingerprint
    model.rest(tmp_path)
    after = model.run(SAMPLES).activations
    for label in model.layers:
        np.testing.assert_array_equal(after[label], before[label])
    del model.fingerprint
    assert model.fingerprint == fingerprint


def test_without_room_on_the_disk_weights_stay_in_memory(tmp_path, monkeypatch):
    def full(*args, **about):
        raise OSError("no space left on device")

    module = small()
    before = [each.data_ptr() for each in module.parameters()]
    monkeypatch.setattr(resting.tempfile, "NamedTemporaryFile", full)
    rest(module, tmp_path)
    assert [each.data_ptr() for each in module.parameters()] == before
