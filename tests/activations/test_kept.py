"""Activations that a run keeps are described, verified and removed, and nothing else is."""

import numpy as np
import pytest

from assonance.activations.kept import kept_stores, remove, verify
from assonance.activations.store import ActivationStore
from assonance.errors import AssonanceError


@pytest.fixture
def run(tmp_path):
    for name in ("one", "two"):
        store = ActivationStore(
            tmp_path / "activations" / name, fingerprint={"model": name}, layers={"a": 3, "b": 2}
        )
        for utterance in "uvw":
            layers = {"a": np.ones((4, 3), np.float32), "b": np.ones((4, 2), np.float32)}
            store.write(utterance, layers, np.arange(4.0), "audio")
    (tmp_path / "results.nc").write_bytes(b"results")
    return tmp_path


def test_every_store_is_described(run):
    one, two = kept_stores(run)
    assert [one.folder.name, two.folder.name] == ["one", "two"]
    assert (one.layers, one.precision, one.shards) == ({"a": 3, "b": 2}, "float32", 3)
    assert one.size == sum(path.stat().st_size for path in one.folder.iterdir())


def test_a_damaged_shard_is_found(run):
    one, two = kept_stores(run)
    assert verify(one) == verify(two) == []
    shard = sorted(one.folder.glob("*.safetensors"))[1]
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    assert verify(one) == [shard.name]


def test_what_is_removed_is_activations_alone(run):
    (run / "activations" / "one" / "thesis.tex").write_text("all my work")
    (run / "activations" / "mine").mkdir()
    (run / "activations" / "mine" / "a.safetensors").write_bytes(b"of another program")
    freed = sum(each.size for each in kept_stores(run))
    assert remove(run) == freed
    left = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert left == {"results.nc", "activations/one/thesis.tex", "activations/mine/a.safetensors"}
    assert remove(run) == 0


def test_nothing_is_left_where_nothing_else_was(run):
    remove(run)
    assert [path.name for path in run.iterdir()] == ["results.nc"]


@pytest.mark.parametrize("card", ["", "{}", '{"fingerprint": 1, "layers": {}}', "[]", "7"])
def test_a_card_that_is_none_is_named(run, card):
    (run / "activations" / "one" / "store.json").write_text(card)
    with pytest.raises(AssonanceError, match=r"store\.json: not readable as a store"):
        kept_stores(run)
