"""The chance level of in-sample scores is that of unrelated layers, and is cautioned against."""

import numpy as np
import pytest

from assonance import AssonanceWarning, similarity_matrix
from assonance.measures import find
from assonance.measures.chance import chance_level, mostly_chance


@pytest.mark.parametrize(("frames", "widths"), [(201, (60, 60)), (201, (20, 150)), (401, (240, 9))])
@pytest.mark.filterwarnings("ignore::assonance.AssonanceWarning")
def test_unrelated_layers_reach_the_chance_level(frames, widths):
    rng = np.random.default_rng(0)
    drawn = [
        {k: rng.normal(size=(frames, d)) for k, d in zip("ab", widths, strict=True)}
        for _ in range(5)
    ]
    found = [similarity_matrix(layers, ["cca_r2", "linreg_r2"]) for layers in drawn]
    cca = np.mean([each["cca_r2"][0, 1] for each in found])
    # The mean of K·5 squared correlations, each with a deviation below one half.
    assert cca == pytest.approx(
        chance_level(frames, max(widths)), abs=2.5 / np.sqrt(5 * min(widths))
    )
    linreg = np.mean([each["linreg_r2"][0, 1] for each in found])
    assert linreg == pytest.approx(chance_level(frames, widths[1]), abs=0.05)


@pytest.mark.parametrize(
    ("frames", "cautioned"), [(768, False), (769, True), (800, True), (848, True), (849, False)]
)
def test_frames_fewer_than_the_directions_of_both_layers_are_cautioned_against(frames, cautioned):
    measures = find(["svcca", "cka", "linreg"], ["neuron", "layer"])
    lines = mostly_chance(frames, {"a": 80, "b": 768, "c": 2}, measures)
    assert bool(lines) == cautioned  # with fewer frames than neurons, another caveat speaks
    if frames == 800:
        assert "800 frames are few for 768 neurons (layer 'b')" in lines[0]
        assert "R² of 0.96 in sample, and svcca, linreg are as high" in lines[0]


def test_measures_that_chance_does_not_raise_need_no_caution():
    assert mostly_chance(800, {"a": 768}, find(["cka", "maxcorr"], ["neuron", "layer"])) == []


def test_callers_of_arrays_are_warned():
    layers = {name: np.random.default_rng(0).normal(size=(100, 60)) for name in "ab"}
    with pytest.warns(AssonanceWarning, match=r"100 frames are few for 60 neurons .* R² of 0\.61"):
        similarity_matrix(layers, ["svcca"])
