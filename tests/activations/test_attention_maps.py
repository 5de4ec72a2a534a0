"""Maps of several models, cut into pieces and brought onto one grid."""

import numpy as np
import pytest

from assonance.activations.attention_maps import AttentionMaps


class Utterance:
    """A ramp of a given length at any rate."""

    def __init__(self, id, duration):
        self.id, self.duration = id, duration

    def read(self, rate):
        return np.linspace(0, 1, round(self.duration * rate), dtype=np.float32)


class Even:
    """A model of two layers with even attention, one frame every `hop` samples."""

    sampling_rate = 100

    def __init__(self, hop, heads):
        self.hop, self.heads = hop, heads

    def n_frames(self, samples):
        return samples // self.hop

    def run(self, samples, *, attend):
        frames = self.n_frames(len(samples))
        for label, count in self.heads.items():
            attend(label, np.full((count, frames, frames), 1 / frames, dtype=np.float32))


MODELS = {"fine": Even(5, {"0": 2, "1": 1}), "coarse": Even(10, {"0": 3}), "none": Even(1, {})}


def maps(models=MODELS, longest=None):
    return AttentionMaps(
        models,
        [Utterance("short", 1), Utterance("long", 2.5)],
        longest=longest,
        layer_name=lambda model, label: f"{model} {label}",
    )


def test_heads_are_those_of_all_models_in_order():
    assert maps().heads == {"fine 0": 2, "fine 1": 1, "coarse 0": 3}


def test_utterances_are_read_on_the_coarsest_grid():
    source = maps()
    (layers,) = source.read(0)
    assert [layer.shape for layer in layers] == [(2, 10, 10), (1, 10, 10), (3, 10, 10)]
    for layer in layers:
        np.testing.assert_allclose(layer.sum(-1), 1, rtol=1e-6)
    (caveat,) = source.caveats()
    assert caveat.startswith("the attention of fine is compared on the frames of the other")


@pytest.mark.parametrize(("longest", "count"), [(None, 1), (1.0, 3), (2.5, 1)])
def test_long_utterances_are_cut_into_the_fewest_equal_pieces(longest, count):
    source = maps({"coarse": MODELS["coarse"]}, longest)
    pieces = list(source.read(1))
    assert len(pieces) == count
    assert all(layer.shape[-1] <= source.frames[1] for (layer,) in pieces)
    assert [caveat[:44] for caveat in source.caveats()] == (
        ["1 of 2 utterances, the first 'long', are lon"] if count > 1 else []
    )


def test_what_was_not_read_has_no_caveat():
    assert maps(longest=1.0).caveats() == []


def test_without_heads_there_is_nothing_to_read():
    source = maps({"none": MODELS["none"]})
    assert source.heads == {}
    assert source.names == ["short", "long"]
    assert source.durations == [1, 2.5]
