"""A layer keeps what its pairs need, and its memory is known before."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from assonance.inference.resampling import Resampling
from assonance.measures import MEASURES, find
from assonance.scoring import frame_pass
from assonance.scoring.frame_pass import FramePass
from assonance.scoring.kept_sums import KeptSums, lets_go
from assonance.scoring.resampled import resample_frames
from assonance.scoring.tiles import Tile
from assonance.settings import Settings
from assonance.utils.progress import Silent

# Wide enough for products in float32, and more frames than neurons in each fold's training frames.
WIDTH, SIZES = 260, [60] * 24
SETTINGS = Settings("few", folds=3, groups=6, rotations=2, sample_frames=200)
DEFAULT = (
    *("svcca", "pwcca", "cka", "cka_utterance", "cka_rbf", "maxcorr", "maxcorr_heldout"),
    *("maxcorr_rotated", "linreg", "linreg_heldout", "linreg_heldout_r"),
)


class Arrays:
    """Random frames of three layers."""

    widths = dict.fromkeys("abc", WIDTH)
    sizes, units = SIZES, range(len(SIZES))

    def __init__(self):
        generator = torch.Generator().manual_seed(1)
        shared = torch.randn(sum(SIZES), WIDTH, generator=generator)
        self.frames = {
            name: (shared + torch.randn(shared.shape, generator=generator)).split(SIZES)
            for name in self.widths
        }

    def read(self, utterance, names):
        return {name: self.frames[name][utterance] for name in names}

    def means(self):
        return {name: torch.cat(x).to(torch.float64).mean(0) for name, x in self.frames.items()}


SOURCE = Arrays()


def frame_pass_of(measures, *, intervals):
    chosen = find(measures, ("neuron", "layer"))
    resampling = resample_frames(SOURCE, chosen, SETTINGS, intervals=intervals, nulls=intervals)
    return FramePass(SOURCE, chosen, SETTINGS, resampling)


def bytes_in(thing, seen):
    """Count the bytes of all tensors that a thing refers to, each block of memory once."""
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, torch.Tensor):
        storage = thing.untyped_storage()
        new = storage.data_ptr() not in seen
        seen.add(storage.data_ptr())
        return storage.nbytes() * new
    if isinstance(thing, dict):
        thing = list(thing.values())
    elif type(thing).__module__.startswith("assonance"):
        thing = [each for name, each in vars(thing).items() if name != "_plan"]
    return sum(bytes_in(each, seen) for each in thing) if isinstance(thing, list | tuple) else 0


@pytest.mark.parametrize("intervals", [True, False])
def test_layers_take_the_memory_that_is_counted(intervals, monkeypatch):
    there = []

    class Watched(frame_pass.FrameSums):
        def __del__(self):
            there.extend(bytes_in(each, set()) for each in self.layers.values())

    monkeypatch.setattr(frame_pass, "FrameSums", Watched)
    one = frame_pass_of(DEFAULT, intervals=intervals)
    one.run(memory=1e10, progress=Silent())
    sums = KeptSums.of(SOURCE, one.measures, SETTINGS, one.resampling)
    assert sums.lean
    counted = sums.layer(WIDTH)
    assert len(there) == len(SOURCE.widths)
    assert 0.7 * counted < max(there) < 1.15 * counted
    whole = KeptSums(sums.groups, sums.folds, sums.sampled, sums.kernels, sums.held)
    assert counted + sums.at_work(WIDTH) == whole.layer(WIDTH)


@pytest.mark.parametrize("intervals", [True, False])
def test_scores_are_the_same_in_one_tile_and_in_many(intervals):
    one, many = (
        frame_pass_of(DEFAULT, intervals=intervals).run(memory=memory, progress=Silent())
        for memory in (1e10, 0)
    )
    for name in ("scores", "singles", "matches", "single_intervals", "replicates", "nulls"):
        assert getattr(one, name).identical(getattr(many, name)), name
    assert bool(one.replicates) == intervals


def test_a_layer_that_let_go_is_summed_again_to_be_compared_with_itself(monkeypatch):
    tiles = [Tile(("a", "b"), (("a", "b"),)), Tile(("a", "b"), (("a", "a"), ("b", "b")))]
    cut = frame_pass.cut_tiles
    found = []
    for given in (None, tiles):
        monkeypatch.setattr(frame_pass, "cut_tiles", lambda *rest, given=given: given or cut(*rest))
        scores = frame_pass_of(DEFAULT, intervals=True).run(memory=1e10, progress=Silent()).scores
        found.append(scores.sel(layer_row=["a", "b"], layer_col=["a", "b"]))
    # What is of all layers together differs: the second pass has two of the three.
    for name in ("cka", "svcca", "linreg_heldout"):
        assert np.isfinite(found[0][name]).all()
        assert found[0][name].identical(found[1][name])


@pytest.mark.parametrize(
    ("measures", "changed", "expected"),
    [
        (DEFAULT, {}, True),
        ((*DEFAULT, "procrustes"), {}, True),
        ((*DEFAULT, "cca_heldout"), {}, False),  # it decomposes each fold
        ((*DEFAULT, "ridge_heldout"), {}, False),
        (DEFAULT, {"refit": True}, False),
        (DEFAULT, {"bootstrap": 40}, False),
        (DEFAULT, {"folds": 2}, False),
    ],
)
def test_products_stay_where_replicates_or_folds_need_them(measures, changed, expected):
    settings = Settings("few", **{"folds": 3, "groups": 6} | changed)
    chosen = find(measures, ("neuron", "layer"))
    resampling = Resampling.of_groups(SIZES, range(len(SIZES)), settings)
    assert lets_go(chosen, settings, resampling) is expected


def test_products_stay_for_a_measure_of_whole_layers_that_has_replicates():
    smooth = replace(MEASURES["procrustes"], smooth=True)
    resampling = Resampling.of_groups(SIZES, range(len(SIZES)), SETTINGS)
    assert smooth.replicated(SETTINGS)
    assert not lets_go([smooth], SETTINGS, resampling)
