"""A checkpoint that loads safely passes its check, and a careless loader fails it."""

import pytest

from assonance.models.loading import load_model
from assonance.testing import check_checkpoint, checkpoints


def test_a_checkpoint_passes(checkpoint):
    check_checkpoint(checkpoint("wav2vec2"))


@pytest.mark.parametrize(
    ("accepted", "message"),
    [
        ("trapped", "trapped: loads from a pickle"),
        ("pickled", "pickled it has another"),
        ("missing", "loads without .* as another model"),
    ],
)
def test_a_loader_that_accepts_too_much_fails(checkpoint, monkeypatch, accepted, message):
    other = load_model(checkpoint("wav2vec2", seed=1))

    def careless(folder, **options):
        return other if accepted in str(folder) else load_model(folder, **options)

    folder = checkpoint("wav2vec2", seed=0)
    monkeypatch.setattr(checkpoints, "load_model", careless)
    with pytest.raises(AssertionError, match=message):
        check_checkpoint(folder)
