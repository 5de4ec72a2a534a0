"""With the spectrum partialled out, only what two layers share besides it remains."""

import numpy as np
import pytest
import torch

from assonance import similarity
from assonance.comparison.beyond_spectrum import BesideSpectrum, partial_similarity
from assonance.inference.intervals import METHODS
from assonance.settings import Settings
from assonance.utils.progress import Silent

SETTINGS = Settings("default", groups=10)
UTTERANCES, FRAMES = 40, 60


class Frames:
    """Frames of layers in utterances, as a `FrameSource`."""

    def __init__(self, layers):
        self.layers = layers
        self.widths = {name: each.shape[1] for name, each in layers.items()}
        self.sizes = [FRAMES] * UTTERANCES
        self.units = range(UTTERANCES)

    def read(self, utterance, names):
        rows = slice(utterance * FRAMES, (utterance + 1) * FRAMES)
        return {name: torch.from_numpy(self.layers[name][rows]) for name in names}

    def means(self):
        return {name: torch.from_numpy(each.mean(0)) for name, each in self.layers.items()}


def layers(shared, spectral=1.0, noise=0.5):
    """Two layers of the spectrum, of something else that they share, and of noise."""
    rng = np.random.default_rng(0)
    n = UTTERANCES * FRAMES
    spectrum, other = rng.normal(size=(n, 3)), rng.normal(size=(n, 4))

    def layer(width):
        mixed = spectral * spectrum @ rng.normal(size=(3, width))
        return (
            mixed
            + shared * other @ rng.normal(size=(4, width))
            + noise * rng.normal(size=(n, width))
        )

    return {"x": layer(6), "y": layer(8), "mel": spectrum}


def scored(arrays, **options):
    return partial_similarity(
        Frames(arrays), "mel", [("x", "y"), ("y", "x")], SETTINGS, Silent(), **options
    )


def residual(values, spectrum):
    design = np.column_stack([np.ones(len(spectrum)), spectrum])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def test_layers_that_share_the_spectrum_alone_share_nothing_beyond_it():
    found = scored(layers(shared=0), steps=(0,))
    assert (found["whole"] > 0.5).all()
    np.testing.assert_allclose(found["beyond"], 0, atol=0.01)


def test_layers_without_the_spectrum_lose_nothing():
    found = scored(layers(shared=1, spectral=0), steps=(0,))
    np.testing.assert_allclose(found["beyond"], found["whole"], atol=0.01)


def test_the_score_with_the_spectrum_left_in_is_linreg():
    arrays = layers(shared=1)
    found = scored(arrays)
    groups = np.repeat(np.arange(UTTERANCES), FRAMES)
    expected = similarity(arrays["x"], arrays["y"], "linreg_heldout", groups=groups)
    assert float(found["whole"][0]) == pytest.approx(expected, abs=1e-9)


def test_the_partial_score_is_the_r2_of_residuals():
    """In sample the identity is exact for one neuron; held out, for many frames, it is close."""
    arrays = layers(shared=0.5)
    arrays["x"] = arrays["x"][:, :1]
    found = scored(arrays, steps=(0,))
    x, y = (residual(arrays[name], arrays["mel"]) for name in ("x", "y"))
    left = residual(x, y)
    assert float(found["beyond"][0]) == pytest.approx(1 - (left**2).sum() / (x**2).sum(), abs=0.01)


def test_neighbouring_frames_count_as_spectrum():
    """A layer of later spectral frames shares nothing beyond the spectrum around each frame."""
    arrays = layers(shared=0)
    arrays["x"] = arrays["y"] = np.concatenate(
        [
            each[np.minimum(np.arange(FRAMES) + 4, FRAMES - 1)]
            for each in np.split(arrays["mel"], UTTERANCES)
        ]
    ) + 0.1 * np.random.default_rng(1).normal(size=arrays["mel"].shape)
    arrays["x"] = arrays["x"] + 0.5 * np.random.default_rng(2).normal(size=arrays["x"].shape)
    alone, around = scored(arrays, steps=(0,)), scored(arrays)
    assert float(alone["beyond"][0]) > 0.5
    assert float(around["beyond"][0]) < 0.05


def test_beyond_an_end_the_last_frame_is_repeated():
    spectrum = np.arange(UTTERANCES * FRAMES, dtype=float)[:, None]
    beside = BesideSpectrum(Frames({"mel": spectrum}), "mel", [], [], steps=(-2, 0, 2))
    around = beside.read(1, ["spectrum"])["spectrum"].numpy() - FRAMES
    np.testing.assert_array_equal(around[0], [0, 0, 2])
    np.testing.assert_array_equal(around[-1], [FRAMES - 3, FRAMES - 1, FRAMES - 1])
    means = beside.means()["spectrum"].numpy()
    every = np.concatenate(
        [beside.read(each, ["spectrum"])["spectrum"] for each in range(UTTERANCES)]
    )
    np.testing.assert_allclose(means, every.mean(0))


def test_the_interval_contains_the_score_of_the_population():
    arrays = layers(shared=0.5)
    found = scored(arrays, steps=(0,))
    interval = METHODS["group"](found["beyond"].values, found["beyond_replicates"].values).interval
    x, y = (residual(arrays[name], arrays["mel"]) for name in ("x", "y"))
    truth = 1 - (residual(x, y) ** 2).sum(0) / (x**2).sum(0)
    assert interval[0][0] < truth.mean() + 0.02
    assert interval[1][0] > truth.mean() - 0.02
    assert interval[1][0] - interval[0][0] < 0.1
