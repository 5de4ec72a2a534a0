"""What a reader must know is said, with names and numbers."""

import pytest
import torch

from assonance.measures import find
from assonance.scoring.caveats import (
    constant_neurons,
    few_interval_groups,
    miniatures,
    too_few_frames,
)
from assonance.settings import Settings
from assonance.statistics import LayerStatistics


def layer(constant, width=9):
    scatter = torch.eye(width, dtype=torch.float64)
    scatter[constant, constant] = 0
    zeros = torch.zeros(width, dtype=torch.float64)
    return LayerStatistics(50, zeros, scatter, zeros)


def test_a_layer_that_varies_needs_no_word():
    assert constant_neurons("a", layer([])) == []


def test_constant_neurons_are_counted_and_named():
    (line,) = constant_neurons("a", layer([2, 7]))
    assert "layer 'a': 2 of 9 neurons are constant (2, 7)" in line


def test_many_constant_neurons_are_not_all_listed():
    (line,) = constant_neurons("a", layer(list(range(8))))
    assert "8 of 9" in line
    assert "(0, 1, 2, 3, 4, …)" in line


@pytest.mark.parametrize(("frames", "warned"), [(8, True), (9, True), (10, False)])
def test_measures_that_need_more_frames_than_neurons_are_named(frames, warned):
    lines = too_few_frames(
        frames, {"a": 4, "b": 9}, find(["linreg", "cka", "svcca"], ["neuron", "layer"])
    )
    assert bool(lines) == warned
    for line in lines:
        assert line.startswith(f"{frames} frames are too few for 9 neurons (layer 'b')")
        assert "linreg, svcca" in line
        assert "cka" not in line.replace("svcca", "")


def test_measures_that_bear_few_frames_need_no_word():
    assert too_few_frames(3, {"a": 9}, find(["cka", "maxcorr"], ["neuron", "layer"])) == []


def test_only_small_models_are_called_miniatures():
    (line,) = miniatures({"tiny": 1_400_000, "wav2vec2-base": 94_000_000})
    assert line.startswith("tiny: miniature")
    assert miniatures({"wav2vec2-base": 94_000_000}) == []


@pytest.mark.parametrize(("groups", "warned"), [(1, False), (2, True), (9, True), (10, False)])
def test_intervals_of_few_groups_are_called_rough(groups, warned):
    chosen = find(["linreg", "svcca"], ["neuron", "layer"])
    lines = few_interval_groups(groups, chosen, Settings("default"))
    assert lines == [
        f"intervals are rough: {groups} groups of utterances are few; add speech"
    ] * int(warned)
    (fewer,) = few_interval_groups(8, chosen, Settings("default", groups=8))
    assert fewer.endswith("add speech, or set groups to 10 or more")
    # SVCCA has no interval.
    assert few_interval_groups(groups, chosen[1:], Settings("default")) == []


def test_a_model_of_unknown_size_is_no_miniature():
    assert miniatures({"small": 10**6})
    assert miniatures({"stored": 0, "large": 10**8}) == []
