"""Worlds in which the measures of two layers are known.

Frames are AR(1) with ρ = .9 in utterances of 25 to 75 frames. Each neuron is a mixture of 4 series
that both layers share and of one of its own; how they are mixed is drawn once and is the same in
all repetitions. Truths are the measures' definitions on the covariances that follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.validity.series import Array, ar1, lengths

SHARED, RHO, MEAN_FRAMES = 4, 0.9, 50
PER_SPEAKER = {40: 4, 120: 6}
SPEAKERS = 60
# Share of the variance of every series that is the same in all utterances of a speaker.
OF_SPEAKER = 0.3
# Share of it that drifts through each utterance, and spread of the logarithm of its gain.
DRIFT, GAIN = 0.3, 0.6


@dataclass(frozen=True)
class Speech:
    """Lengths of utterances, and their speakers.

    Attributes
    ----------
    frames
        Number of frames of each utterance.
    speakers
        Number of each utterance's speaker, from 0 on.
    """

    frames: NDArray[np.int64]
    speakers: NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """How two layers come about.

    Attributes
    ----------
    x, y
        Weights of the shared series in the neurons of each layer, shape (K, width). Each
        neuron has a series of its own besides.
    heavy
        Whether innovations have heavy tails.
    speakers
        Who speaks: ``"none"`` (utterances are independent), as many utterances each (``"equal"``),
        ``"lognormal"`` amounts, or ``"three"`` of `SPEAKERS` who hold half of the speech. Unless
        none, utterances of a speaker have something in common.
    gain
        Whether utterances differ in gain, by the factor exp(`GAIN`) either way, and drift.
    relu
        Whether neurons are rectified.
    """

    x: Array
    y: Array
    heavy: bool = False
    speakers: Literal["none", "equal", "lognormal", "three"] = "none"
    gain: bool = False
    relu: bool = False

    def speech(self, rng: np.random.Generator, utterances: int) -> Speech:
        """Draw the lengths of about as many utterances, and their speakers."""
        if self.speakers in ("none", "equal"):
            speakers = np.arange(utterances) // PER_SPEAKER.get(utterances, 1)
        else:
            speakers = np.repeat(np.arange(SPEAKERS), self._amounts(rng, utterances))
        return Speech(lengths(rng, len(speakers), MEAN_FRAMES), speakers)

    def _amounts(self, rng: np.random.Generator, utterances: int) -> NDArray[np.int64]:
        """Draw how many utterances each speaker has; at least one."""
        if self.speakers == "lognormal":
            drawn = rng.lognormal(size=SPEAKERS)
        else:
            drawn = np.ones(SPEAKERS)
            drawn[:3] = (SPEAKERS - 3) / 3
        amounts = np.rint(drawn * utterances / drawn.sum()).astype(np.int64)
        return np.asarray(np.maximum(1, amounts))

    def frames(self, rng: np.random.Generator, speech: Speech) -> Array:
        """Draw the frames of both layers; (Σ frames, 2, width)."""
        common = self._series(rng, speech, len(self.x))
        layers = [
            common @ weights + self._series(rng, speech, weights.shape[1])
            for weights in (self.x, self.y)
        ]
        made = np.stack(layers, 1)
        if self.relu:
            made = np.maximum(made, 0)
        if self.gain:
            gains = rng.lognormal(sigma=GAIN, size=len(speech.frames))
            made *= np.repeat(gains, speech.frames)[:, None, None]
        return made

    def _series(self, rng: np.random.Generator, speech: Speech, width: int) -> Array:
        """Draw Gaussian series of variance 1 (those of heavy tails aside)."""
        frames = speech.frames
        series = ar1(rng, frames, width, RHO, heavy=self.heavy)
        if self.gain:
            phase = np.concatenate([np.pi * np.arange(count) / count for count in frames])
            slow = rng.normal(size=(2, len(frames), width)).repeat(frames, 1)
            slow = slow[0] * np.cos(phase)[:, None] + slow[1] * np.sin(phase)[:, None]
            series = np.sqrt(1 - DRIFT) * series + np.sqrt(DRIFT) * slow
        if self.speakers != "none":
            steady = rng.normal(size=(speech.speakers.max() + 1, width))
            steady = steady[speech.speakers].repeat(frames, 0)
            series = np.sqrt(1 - OF_SPEAKER) * series + np.sqrt(OF_SPEAKER) * steady
        return series

    def units(self, speech: Speech) -> Sequence[int] | None:
        """Return the number of the unit of each utterance; None if each is its own."""
        return None if self.speakers == "none" else speech.speakers.tolist()

    def covariances(self) -> tuple[Array, Array, Array]:
        """Compute the covariances within the row layer, within the column layer, and between."""
        width = self.x.shape[1]
        both = np.hstack([self.x, self.y])
        covariance = both.T @ both + np.eye(2 * width)
        spread = GAIN if self.gain else 0.0
        mean, square = np.exp(spread**2 / 2), np.exp(2 * spread**2)
        covariance = _rectified(covariance, mean, square) if self.relu else square * covariance
        return covariance[:width, :width], covariance[width:, width:], covariance[:width, width:]


def _rectified(covariance: Array, mean: float, square: float) -> Array:
    """Compute the covariances of max(z, 0)·g, z Gaussian of mean 0 and g an independent gain.

    The second moments of max(z, 0) are those of Cho & Saul 2009 (the arc-cosine kernel of degree
    1). `mean` and `square` are the mean of g and of g².
    """
    deviations = np.sqrt(np.diag(covariance))
    scale = np.outer(deviations, deviations)
    angle = np.arccos(np.clip(covariance / scale, -1, 1))
    second = scale * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    return np.asarray(square * second - mean**2 * scale / (2 * np.pi))


def mixtures(width: int = 12, weight: float = 0.6) -> tuple[Array, Array]:
    """Draw the weights of the shared series in the neurons of each layer."""
    x, y = np.random.default_rng(7).normal(size=(2, SHARED, width)) * weight
    return x, y


def alone(layers: tuple[Array, Array]) -> tuple[Array, Array]:
    """Take the shared series out of two thirds of the neurons."""
    x, y = (weights.copy() for weights in layers)
    third = x.shape[1] // 3
    x[:, third:] = y[:, third:] = 0
    return x, y


def truths(world: World) -> dict[str, float]:
    """Work the measures out from the covariances."""
    xx, yy, xy = world.covariances()
    explained = (xy @ np.linalg.inv(yy) * xy).sum(1) / np.diag(xx)
    r = xy / np.sqrt(np.outer(np.diag(xx), np.diag(yy)))
    cka = np.square(xy).sum() / np.linalg.norm(xx) / np.linalg.norm(yy)
    whole = np.linalg.inv(xx) @ xy @ np.linalg.inv(yy) @ xy.T
    best = float(np.abs(r).max(1).mean())
    return {
        "maxcorr": best,
        "maxcorr_heldout": best,
        "linreg": float(np.sqrt(explained).mean()),
        "linreg_r2": float(explained.mean()),
        "linreg_heldout": float(explained.mean()),
        "linreg_heldout_r": float(np.sqrt(explained).mean()),
        "cca_r2": float(np.trace(whole) / len(xx)),
        "cka": float(cka),
        "cka_utterance": float(cka),
    }


WORLDS = {
    "shared": World(*mixtures()),
    "unrelated": World(*alone(mixtures())),
    # Every neuron nearly the same as one of the other layer.
    "near 1": World(5 * np.eye(12), 5 * np.eye(12)),
    "24 neurons": World(*mixtures(24)),
    "48 neurons": World(*mixtures(48)),
    "96 neurons": World(*mixtures(96)),
    "R² near 0": World(*mixtures(24, 0.15)),
    "heavy tails": World(*mixtures(), heavy=True),
    "speakers": World(*mixtures(), speakers="equal"),
    "unequal speakers": World(*mixtures(32), speakers="lognormal", relu=True),
    "gain and drift": World(*mixtures(32), gain=True, relu=True),
    "three speakers hold half": World(*mixtures(32), speakers="three", relu=True),
}
