"""Frames of layers are read from their stores, each store once."""

import numpy as np
import pytest
import torch

from assonance.activations.pooling import whole
from assonance.activations.stored_frames import Layer, StoredFrames

SIZES = {"one": 3, "two": 5}


class Store:
    """A store in memory that counts how often it is read."""

    def __init__(self, seed):
        self.layers = {"0": 2, "1": 4}
        rng = np.random.default_rng(seed)
        self.reads = 0
        self.frames = {
            id: {
                label: rng.standard_normal((size, width)).astype(np.float32)
                for label, width in self.layers.items()
            }
            for id, size in SIZES.items()
        }

    def read(self, id, labels):
        self.reads += 1
        return {label: self.frames[id][label] for label in labels}

    def sums(self, id):
        return {label: x.sum(0, dtype=np.float64) for label, x in self.frames[id].items()}

    def n_frames(self, id):
        return SIZES[id]


@pytest.fixture
def stores():
    return {"m": Store(0), "n": Store(1)}


def layers(stores):
    return {
        f"{name} {label}": Layer(name, label, store)
        for name, store in stores.items()
        for label in store.layers
    }


def test_frames_of_an_utterance_are_those_of_the_stores(stores):
    source = StoredFrames(layers(stores), list(SIZES))
    assert source.widths == {"m 0": 2, "m 1": 4, "n 0": 2, "n 1": 4}
    assert source.sizes == [3, 5]
    assert list(source.units) == list(SIZES)
    found = source.read(1, ["m 0", "n 1", "m 1"])
    assert found.keys() == {"m 0", "n 1", "m 1"}
    np.testing.assert_array_equal(found["n 1"], stores["n"].frames["two"]["1"])
    assert [store.reads for store in stores.values()] == [1, 1]


def test_means_are_over_all_frames(stores):
    means = StoredFrames(layers(stores), list(SIZES), units=["who", "who"]).means()
    frames = np.concatenate([each["1"] for each in stores["m"].frames.values()])
    torch.testing.assert_close(means["m 1"], torch.from_numpy(frames.mean(0, dtype=np.float64)))
    assert all(store.reads == 0 for store in stores.values())


def test_rows_are_pooled_from_frames(stores):
    rows = [whole(np.arange(size)) for size in SIZES.values()]
    source = StoredFrames(layers(stores), list(SIZES), rows={"m": rows, "n": rows})
    assert source.sizes == [1, 1]
    expected = stores["m"].frames["one"]["0"].mean(0, keepdims=True)
    np.testing.assert_allclose(source.read(0, ["m 0"])["m 0"], expected, rtol=1e-6)
    means = (expected + stores["m"].frames["two"]["0"].mean(0)) / 2
    np.testing.assert_allclose(source.means()["m 0"][None], means, rtol=1e-5)


@pytest.mark.parametrize("power", [-100, -40, 40, 90])
def test_layers_of_extreme_scale_are_brought_to_an_ordinary_one(stores, power):
    expected = {
        name: StoredFrames(layers(stores), list(SIZES)).read(1, [name]) for name in ("n 1",)
    }
    for store in stores.values():
        for frames in store.frames.values():
            for label in frames:
                frames[label] = np.ldexp(frames[label], power)
    source = StoredFrames(layers(stores), list(SIZES))
    found, means = source.read(1, ["n 1"])["n 1"], source.means()["n 1"]
    assert 0.25 < float(max(x.abs().max() for x in source.read(0, [*source.widths]).values())) <= 1
    ratio = found / expected["n 1"]["n 1"]
    assert (ratio == ratio[0, 0]).all()
    both = torch.cat([source.read(each, ["n 1"])["n 1"] for each in (0, 1)]).double()
    torch.testing.assert_close(means, both.mean(0))


def test_layers_of_ordinary_scale_stay_as_they_are(stores):
    stores["m"].frames["one"]["0"] *= 1000
    source = StoredFrames(layers(stores), list(SIZES))
    found = source.read(0, ["m 0"])["m 0"]
    np.testing.assert_array_equal(found, stores["m"].frames["one"]["0"])
