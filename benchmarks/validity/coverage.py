"""How often 95 % intervals hold the truth, and how far estimates are from it.

Two layers of 12 neurons over frames of AR(1) with ρ = .9, utterances of 25 to 75 frames. Each
neuron is a mixture of 4 series that both layers share and of one of its own; how they are mixed is
drawn once and is the same in all repetitions. Truths are the measures' definitions on the
covariances that follow.

That is as published layers are: every neuron shares something with the other layer. Where a neuron
shares nothing, its multiple correlation and its best match have a kink at 0 that no interval can
know of: the world `unrelated` shows what then becomes of them.

The jackknife leaves groups out; the bootstrap draws utterances. Both are of the same corpora.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from assonance.inference.intervals import intervals
from assonance.measures import MEASURES
from assonance.scoring.scores import CELL, attributes
from benchmarks.validity.series import Array, ar1, lengths
from benchmarks.validity.small import score_layers
from benchmarks.validity.study import Found, Study, study

SHARED, RHO = 4, 0.9
SIZES = {40: 10, 120: 20}  # utterances and groups
PER_SPEAKER = {40: 4, 120: 6}
# Share of the variance of every series that is the same in all utterances of a speaker.
OF_SPEAKER = 0.3


@dataclass(frozen=True)
class World:
    """How two layers come about.

    Attributes
    ----------
    x, y
        Weights of the shared series in the neurons of each layer, shape (SHARED, width). Each
        neuron has a series of its own besides.
    heavy
        Whether innovations have heavy tails.
    speakers
        Whether utterances of a speaker have something in common.
    """

    x: Array
    y: Array
    heavy: bool = False
    speakers: bool = False

    def draw(
        self, rng: np.random.Generator, frames: NDArray[np.int64], speakers: list[int], width: int
    ) -> Array:
        """Draw series of variance 1."""
        series = ar1(rng, frames, width, RHO, heavy=self.heavy)
        if not self.speakers:
            return series
        steady = rng.normal(size=(max(speakers) + 1, width))[np.repeat(speakers, frames)]
        mixed: Array = np.sqrt(1 - OF_SPEAKER) * series + np.sqrt(OF_SPEAKER) * steady
        return mixed


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
    x, y = world.x, world.y
    width = x.shape[1]
    own = np.eye(width)
    xx, yy, xy = x.T @ x + own, y.T @ y + own, x.T @ y
    explained = (xy @ np.linalg.inv(yy) * xy).sum(1) / np.diag(xx)
    r = xy / np.sqrt(np.outer(np.diag(xx), np.diag(yy)))
    cka = np.square(xy).sum() / np.linalg.norm(xx) / np.linalg.norm(yy)
    whole = np.linalg.inv(xx) @ xy @ np.linalg.inv(yy) @ xy.T
    return {
        "maxcorr": float(np.abs(r).max(1).mean()),
        "linreg": float(np.sqrt(explained).mean()),
        "linreg_r2": float(explained.mean()),
        "linreg_heldout": float(explained.mean()),
        "linreg_heldout_r": float(np.sqrt(explained).mean()),
        "cca_r2": float(np.trace(whole) / width),
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
    "R² near 0": World(*mixtures(24, 0.15)),
    "heavy tails": World(*mixtures(), heavy=True),
    "speakers": World(*mixtures(), speakers=True),
}


def once(
    seed: int,
    utterances: int,
    *,
    world: str = "shared",
    draws: int | None = None,
    scales: Sequence[str] | None = None,
    refit: bool = False,
) -> dict[str, Found]:
    """Value, estimate, low and high end of one corpus; with `scales`, on each of them."""
    rng = np.random.default_rng([seed, utterances])
    frames = lengths(rng, utterances, 50)
    made = WORLDS[world]
    width = made.x.shape[1]
    speakers = [number // PER_SPEAKER[utterances] for number in range(utterances)]
    common = made.draw(rng, frames, speakers, SHARED)
    layers = [
        common @ weights + made.draw(rng, frames, speakers, width) for weights in (made.x, made.y)
    ]
    names = list(truths(made))
    scored = score_layers(
        np.stack(layers, 1),
        frames,
        names,
        groups=SIZES[utterances] if draws is None else utterances,
        seed=seed,
        draws=draws,
        refit=refit,
        units=speakers if made.speakers else None,
    )
    dims = (*CELL, "group" if draws is None else "draw")
    found = {}
    asked: Sequence[str | None] = scales or [None]
    for scale in asked:
        about = {name: attributes(MEASURES[name]) for name in names}
        if scale:
            about = {name: each | {"scale": scale} for name, each in about.items()}
        scores = xr.Dataset({name: (CELL, scored.scores[name], about[name]) for name in names})
        replicates = xr.Dataset({name: (dims, scored.replicates[name]) for name in names})
        for name, known in intervals(scores, replicates).data_vars.items():
            label = f"{name}, {scale}" if scale else str(name)
            found[label] = (float(scores[name][0, 1]), *known[0, 1].values.tolist())
    return found


def coverage(
    utterances: int,
    repetitions: int,
    *,
    world: str = "shared",
    draws: int | None = None,
    refit: bool = False,
) -> Study:
    """Repeat it, side by side on all cores."""
    simulated = partial(once, world=world, draws=draws, refit=refit)
    return study(simulated, utterances, repetitions, truths(WORLDS[world]))


def by_scale(utterances: int, repetitions: int, world: str) -> pd.DataFrame:
    """Hold intervals made on the plain scale against those on the scale of artanh."""
    scales = ("plain", "artanh")
    true = truths(WORLDS[world])
    known = {f"{name}, {scale}": value for name, value in true.items() for scale in scales}
    found = study(
        partial(once, world=world, scales=scales, refit=True), utterances, repetitions, known
    )
    rows = {name: [found["coverage"][f"{name}, {scale}"] for scale in scales] for name in true}
    columns = [f"{world}, {utterances}: {scale}" for scale in scales]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("measure")


def beside(utterances: int, repetitions: int, draws: int) -> pd.DataFrame:
    """Hold the bootstrap against the jackknife on the same corpora; both fit again."""
    return _side_by_side(
        {
            "jackknife": coverage(utterances, repetitions, refit=True),
            "bootstrap": coverage(utterances, repetitions, draws=draws),
        }
    )


def held(utterances: int, repetitions: int, world: str) -> pd.DataFrame:
    """Hold the jackknife with coefficients held against that which fits again; all measures."""
    return _side_by_side(
        {
            "held": coverage(utterances, repetitions, world=world),
            "refit": coverage(utterances, repetitions, world=world, refit=True),
        }
    )


def _side_by_side(studies: Mapping[str, Study]) -> pd.DataFrame:
    shown = {"bias, corrected": "bias", "coverage": "coverage", "width": "width"}
    return pd.DataFrame(
        {
            f"{name}: {word}": found[column]
            for name, found in studies.items()
            for column, word in shown.items()
        }
    )
