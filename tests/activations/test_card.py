"""A store is of one model, version and setting; its card says which."""

from pathlib import Path

import pytest

from assonance import AssonanceError
from assonance.activations.card import open_card

CONTENTS = {"format": "1", "fingerprint": {"model": "a" * 64}, "layers": {"encoder.0": 3}}


def test_a_card_is_written_once_and_then_checked(tmp_path):
    first = open_card(tmp_path, CONTENTS)
    assert open_card(tmp_path, CONTENTS) == first
    assert [each.name for each in tmp_path.iterdir()] == ["store.json"]
    with pytest.raises(AssonanceError, match="made with format 1, now format 2"):
        open_card(tmp_path, {**CONTENTS, "format": "2"})


def test_a_card_that_another_process_writes_meanwhile_is_the_same(tmp_path, monkeypatch):
    exists, looked = Path.exists, []

    def then_it_is_made(path):
        if looked or path.name != "store.json":
            return exists(path)
        looked.append(path)
        open_card(path.parent, CONTENTS)
        return False

    monkeypatch.setattr(Path, "exists", then_it_is_made)
    assert open_card(tmp_path, CONTENTS) == open_card(tmp_path, CONTENTS)
    assert looked
