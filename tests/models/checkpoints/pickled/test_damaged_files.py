"""A damaged file is refused, or it is read exactly as torch's own strict reading takes it."""

import argparse
import io
import os
import pickle
import struct
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from assonance import AssonanceError
from assonance.models.checkpoints.pickled.conversion import convert

FILES = 200  # of each form and content


def contents():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    shared = torch.rand(6, 4)
    return {
        "module": module.state_dict(),
        "views": {"turned": shared.T, "rows": shared[1:3], "half": torch.rand(5).half()},
        "fairseq": {
            "args": argparse.Namespace(layers=2, sizes="[(512, 10, 5)]"),
            "model": OrderedDict(weight=torch.rand(3, 2), scale=torch.tensor(2.0)),
            "optimizer": {"state": {0: torch.rand(4)}},
        },
    }


class LegacyPickler(pickle.Pickler):
    """Pickle as the older form of torch.save does, but number the storages.

    torch names storages by their addresses, which differ from run to run.
    """

    def __init__(self, file):
        super().__init__(file, protocol=2)
        self.storages = {}

    def persistent_id(self, each):
        if not isinstance(each, torch.storage.TypedStorage):
            return None
        address = each.data_ptr()
        key, _ = self.storages.setdefault(address, (str(len(self.storages)), each))
        kind = getattr(torch, each._pickle_storage_type())
        return ("storage", kind, key, "cpu", each._size(), None)


def save_legacy(content, path):
    """Save in the older form, the same bytes in every run."""
    file = io.BytesIO()
    for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(part, file, protocol=2)
    pickler = LegacyPickler(file)
    pickler.dump(content)
    pickle.dump([key for key, _ in pickler.storages.values()], file, protocol=2)
    for _, storage in pickler.storages.values():
        file.write(struct.pack("<q", storage._size()) + bytes(storage._untyped_storage.tolist()))
    path.write_bytes(file.getvalue())


def flipped(data, rng):
    places = rng.integers(len(data), size=rng.integers(1, 9))
    data[places] ^= rng.integers(1, 256, size=len(places), dtype=np.uint8)
    return data


def cut(data, rng):
    return data[: rng.integers(len(data))]


def spliced(data, rng):
    """Put a piece of the file elsewhere in it, over what is there or in between."""
    start, place = rng.integers(len(data), size=2)
    piece = data[start : start + rng.integers(1, 65)].copy()
    over = len(piece) * rng.integers(2)
    return np.concatenate([data[:place], piece, data[place + over :]])


def removed(data, rng):
    start = rng.integers(len(data))
    return np.delete(data, slice(start, start + rng.integers(1, 65)))


DAMAGES = (flipped, flipped, cut, spliced, removed)


def weights_of(content):
    found = content.get("model", content)
    return {name: each for name, each in found.items() if isinstance(each, torch.Tensor)}


def same(found, expected):
    return found.keys() == expected.keys() and all(
        (found[name].dtype, found[name].shape) == (one.dtype, one.shape)
        and torch.equal(bits(found[name]), bits(one))
        for name, one in expected.items()
    )


def bits(tensor):
    return tensor.contiguous().flatten().view(torch.uint8)


def read_by_torch(path):
    """Read weights strictly, or not at all."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return weights_of(torch.load(path, weights_only=True))
    except Exception:  # whatever torch raises
        return None


@pytest.mark.filterwarnings("ignore")  # of torch, about damaged files
@pytest.mark.parametrize("content", ["module", "views", "fairseq"])
@pytest.mark.parametrize("save", [torch.save, save_legacy])
def test_damage_is_refused_or_does_not_matter(tmp_path, monkeypatch, content, save, capfd):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    original = contents()[content]
    save(original, tmp_path / "whole")
    for read in (read_by_torch, lambda path: load_file(convert(path).path)):
        assert same(read(tmp_path / "whole"), weights_of(original))
    whole = np.fromfile(tmp_path / "whole", np.uint8)
    rng = np.random.default_rng(0)
    refusals = []
    for number in range(FILES):
        damaged = tmp_path / f"{number}.bin"
        DAMAGES[number % len(DAMAGES)](whole.copy(), rng).tofile(damaged)
        try:
            path = convert(damaged).path
        except AssonanceError as error:
            refusals.append(str(error))
            continue
        found, theirs = load_file(path), read_by_torch(damaged)
        whole_after_all = same(found, weights_of(original))
        assert whole_after_all or (theirs is not None and same(found, theirs)), number
    assert len(refusals) > FILES / 2
    assert all(each.startswith(f"{tmp_path}/") and each.isprintable() for each in refusals)
    assert capfd.readouterr() == ("", "")
