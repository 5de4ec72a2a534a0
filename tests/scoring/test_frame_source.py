"""Frames are read in chunks, or paired with frames of later utterances."""

import pytest
import torch

from assonance.scoring import frame_source
from assonance.scoring.frame_source import FrameReader, length

SIZES = [3, 4, 2, 5]
STARTS = [0, 3, 7, 9]


class Numbered:
    """A source with one neuron, whose frames are their own numbers."""

    widths, sizes, units = {"a": 1}, SIZES, range(4)

    def read(self, utterance, names):
        start = STARTS[utterance]
        return {"a": torch.arange(start, start + SIZES[utterance])[:, None].double()}

    def means(self):
        return {"a": torch.zeros(1)}


READER = FrameReader(Numbered(), "cpu")


def numbers(layers):
    return layers["a"][:, 0].int().tolist()


def test_chunks_end_when_they_have_enough_frames(monkeypatch):
    monkeypatch.setattr(frame_source, "CHUNK_FRAMES", 6)
    chunks = list(READER.chunks(range(4), ["a"]))
    assert [[utterance for utterance, _ in chunk] for chunk in chunks] == [[0, 1], [2, 3]]
    assert sum(length(layers) for chunk in chunks for _, layers in chunk) == sum(SIZES)


@pytest.mark.parametrize(("shift", "first"), [(0.01, 1), (0.5, 2), (0.99, 3)])
def test_shifted_frames_are_those_of_later_utterances_round_in_a_circle(monkeypatch, shift, first):
    monkeypatch.setattr(frame_source, "CHUNK_FRAMES", 6)
    pairs = list(READER.shifted(range(4), ["a"], ["a"], shift))
    assert all(length(rows) == length(columns) for rows, columns in pairs)
    everything = list(range(sum(SIZES)))
    assert [number for rows, _ in pairs for number in numbers(rows)] == everything
    start = STARTS[first]
    expected = everything[start:] + everything[:start]
    assert [number for _, columns in pairs for number in numbers(columns)] == expected


def test_a_single_utterance_is_rolled_along_time():
    ((rows, columns),) = READER.shifted([3], ["a"], ["a"], 0.4)
    assert numbers(rows) == [9, 10, 11, 12, 13]
    assert numbers(columns) == [11, 12, 13, 9, 10]
