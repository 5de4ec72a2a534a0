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

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from assonance.inference.intervals import intervals
from assonance.measures import MEASURES
from assonance.scoring.scores import CELL, attributes
from benchmarks.validity.series import Array, ar1, lengths
from benchmarks.validity.small import score_layers
from benchmarks.validity.study import Found, Study, study

WIDTH, SHARED, RHO = 12, 4, 0.9
SIZES = {40: 10, 120: 20}  # utterances and groups


def mixtures(seed: int = 7) -> tuple[Array, Array]:
    """Weights of the shared series in the neurons of each layer, shape (SHARED, WIDTH)."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, SHARED, WIDTH)) * 0.6
    return x, y


def alone(layers: tuple[Array, Array]) -> tuple[Array, Array]:
    """Take the shared series out of two thirds of the neurons."""
    x, y = (weights.copy() for weights in layers)
    x[:, WIDTH // 3 :] = y[:, WIDTH // 3 :] = 0
    return x, y


def truths(x: Array, y: Array) -> dict[str, float]:
    """Work the measures out from the covariances."""
    own = np.eye(WIDTH)
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
        "cca_r2": float(np.trace(whole) / WIDTH),
        "cka": float(cka),
        "cka_utterance": float(cka),
    }


WORLDS: dict[str, Callable[[], tuple[Array, Array]]] = {
    "shared": mixtures,
    "unrelated": lambda: alone(mixtures()),
    # Every neuron nearly the same as one of the other layer.
    "near 1": lambda: (5 * np.eye(WIDTH), 5 * np.eye(WIDTH)),
}


def once(
    seed: int,
    utterances: int,
    *,
    world: str = "shared",
    draws: int | None = None,
    scales: Sequence[str] | None = None,
) -> dict[str, Found]:
    """Value, estimate, low and high end of one corpus; with `scales`, on each of them."""
    rng = np.random.default_rng([seed, utterances])
    frames = lengths(rng, utterances, 50)
    weights = WORLDS[world]()
    common = ar1(rng, frames, len(weights[0]), RHO)
    layers = [common @ each + ar1(rng, frames, WIDTH, RHO) for each in weights]
    names = list(truths(*weights))
    scored = score_layers(
        np.stack(layers, 1),
        frames,
        names,
        groups=SIZES[utterances] if draws is None else utterances,
        seed=seed,
        draws=draws,
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
    utterances: int, repetitions: int, *, world: str = "shared", draws: int | None = None
) -> Study:
    """Repeat it, side by side on all cores."""
    simulated = partial(once, world=world, draws=draws)
    return study(simulated, utterances, repetitions, truths(*WORLDS[world]()))


def by_scale(utterances: int, repetitions: int, world: str) -> pd.DataFrame:
    """Hold intervals made on the plain scale against those on the scale of artanh."""
    scales = ("plain", "artanh")
    true = truths(*WORLDS[world]())
    known = {f"{name}, {scale}": value for name, value in true.items() for scale in scales}
    found = study(partial(once, world=world, scales=scales), utterances, repetitions, known)
    rows = {name: [found["coverage"][f"{name}, {scale}"] for scale in scales] for name in true}
    columns = [f"{world}, {utterances}: {scale}" for scale in scales]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("measure")


def beside(utterances: int, repetitions: int, draws: int) -> pd.DataFrame:
    """Hold the bootstrap against the jackknife on the same corpora."""
    both = {
        "jackknife": coverage(utterances, repetitions),
        "bootstrap": coverage(utterances, repetitions, draws=draws),
    }
    shown = {"bias, corrected": "bias", "coverage": "coverage", "width": "width"}
    return pd.DataFrame(
        {
            f"{name}: {word}": found[column]
            for name, found in both.items()
            for column, word in shown.items()
        }
    )
