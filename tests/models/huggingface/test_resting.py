"""Weights that rest in a file are the same weights."""

import sys

import numpy as np
import pytest
import torch
from signals import voice

from assonance.models import can_rest
from assonance.models.huggingface import resting
from assonance.models.huggingface.resting import release, rest
from assonance.models.loading import load_model
from assonance.utils.memory import resident_bytes

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
    monkeypatch.setattr(resting.tempfile, "TemporaryFile", full)
    assert rest(module, tmp_path) is None
    assert [each.data_ptr() for each in module.parameters()] == before


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep pages as they see fit")
def test_released_weights_leave_memory_and_are_read_again(tmp_path):
    module = torch.nn.Linear(4096, 4096)  # 64 MiB
    before = module.weight.detach().clone()
    mapped = rest(module, tmp_path)
    assert torch.equal(module.weight, before)
    used = resident_bytes()
    release(mapped)
    assert used - resident_bytes() > 0.75 * before.nbytes
    assert torch.equal(module.weight, before)


def test_a_module_without_weights_has_nothing_to_rest(tmp_path):
    assert rest(torch.nn.ReLU(), tmp_path) is None
