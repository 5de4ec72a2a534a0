"""Replicates of linear CKAs are those of the frames of the other groups."""

from dataclasses import replace

import numpy as np
import oracles
import pytest
import torch
from material import make_layers

from assonance.inference.resampling import Resampling
from assonance.measures import find
from assonance.scoring.frame_pass import FramePass
from assonance.scoring.held_alignments import ALIGNED
from assonance.settings import Settings
from assonance.utils.progress import Silent

SIZES = [17, 30, 12, 25, 40, 22, 16, 28, 35, 15, 21, 33]
UTTERANCE = np.repeat(range(len(SIZES)), SIZES)
SETTINGS = Settings("few", folds=3, groups=6)
RESAMPLING = Resampling.of_groups(SIZES, range(len(SIZES)), SETTINGS)
GROUP_OF = RESAMPLING.group_of_utterance[UTTERANCE]
WIDE = {"a": 14, "b": 13, "c": 20}
NARROW = {"a": 5, "b": 4, "c": 6}


class Arrays:
    """Plain arrays as a source of frames."""

    sizes, units = SIZES, list(range(len(SIZES)))

    def __init__(self, widths):
        self.widths = widths
        self.layers = make_layers(widths, sum(SIZES))
        self.layers["c"][:, 1] = 3.0
        self.layers["c"][GROUP_OF != 2, 2] = -1.0

    def read(self, utterance, names):
        rows = utterance == UTTERANCE
        return {name: torch.from_numpy(self.layers[name][rows]) for name in names}

    def means(self):
        return {name: torch.from_numpy(x.mean(0)) for name, x in self.layers.items()}


def replicates(source, settings=SETTINGS, memory=1e9):
    frame_pass = FramePass(source, find(ALIGNED, ("layer",)), settings, RESAMPLING)
    return frame_pass.run(memory=memory, progress=Silent()).replicates


@pytest.mark.parametrize("widths", [NARROW, WIDE], ids=["few neurons", "few utterances"])
@pytest.mark.parametrize("kept", [0, 1, 1024], ids=["multiplied", "in part", "rows"])
def test_replicates_are_those_of_fitting_everything_again(widths, kept, monkeypatch):
    monkeypatch.setattr("assonance.statistics.outer_sums.ROWS_KEPT", kept)
    source = Arrays(widths)
    found, expected = replicates(source), replicates(source, replace(SETTINGS, refit=True))
    for name in ALIGNED:
        assert found[name].notnull().all()
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-10)


def test_a_replicate_is_the_score_of_the_other_frames():
    source = Arrays(NARROW)
    found = replicates(source)["cka"].sel(layer_row="a", layer_col="b")
    for group in range(RESAMPLING.groups):
        x, y = (source.layers[name][group != GROUP_OF] for name in "ab")
        assert float(found[group]) == pytest.approx(oracles.cka(x, y), abs=1e-10)


def test_no_bit_depends_on_the_tiles():
    source = Arrays(WIDE)
    assert replicates(source).identical(replicates(source, memory=0))


def test_a_layer_that_is_constant_without_a_group_has_no_replicate_there():
    source = Arrays(NARROW)
    source.layers["b"][GROUP_OF != 4] = 1.0
    found = replicates(source)
    for name in ALIGNED:
        undefined = found[name].sel(layer_row="a", layer_col="b").isnull()
        assert undefined.values.nonzero()[0].tolist() == [4]


def test_without_sums_by_utterance_only_distinct_frames_are_estimated():
    source = Arrays(NARROW)
    found = FramePass(source, find(["cka_debiased"], ("layer",)), SETTINGS, RESAMPLING).run(
        memory=1e9, progress=Silent()
    )
    expected = replicates(source)["cka_debiased"]
    np.testing.assert_allclose(found.replicates["cka_debiased"], expected, rtol=0, atol=1e-12)
