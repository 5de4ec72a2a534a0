"""How often 95 % intervals hold the truth, and how far estimates are from it.

Two layers of 12 neurons over frames of AR(1) with ρ = .9, utterances of 25 to 75 frames. Each
neuron is a mixture of 4 series that both layers share and of one of its own; how they are mixed is
drawn once and is the same in all repetitions. Truths are the measures' definitions on the
covariances that follow.

That is as published layers are: every neuron shares something with the other layer. Where a neuron
shares nothing, its multiple correlation and its best match have a kink at 0 that no interval can
know of: `unrelated` shows what then becomes of them.
"""

from functools import partial

import numpy as np

from assonance import similarity_matrix
from assonance.measures import Settings
from benchmarks.validity.series import Array, ar1, groups, lengths
from benchmarks.validity.study import Study, study

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


SIZES = {40: 10, 120: 20}  # utterances and groups


def once(
    seed: int, utterances: int, *, unrelated: bool = False
) -> dict[str, tuple[float, float, float, float]]:
    """Value, estimate, low and high end of one corpus."""
    rng = np.random.default_rng([seed, utterances])
    frames = lengths(rng, utterances, 50)
    common = ar1(rng, frames, SHARED, RHO)
    weights = alone(mixtures()) if unrelated else mixtures()
    x, y = (common @ each + ar1(rng, frames, WIDTH, RHO) for each in weights)
    names = list(truths(*weights))
    settings = Settings("coverage", groups=SIZES[utterances])
    found = similarity_matrix(
        {"x": x, "y": y}, names, groups=groups(frames), settings=settings, intervals=True
    )
    cell = {"layer_row": "x", "layer_col": "y"}
    return {
        name: (
            float(found[name].sel(cell)),
            *found[f"{name}_interval"].sel(cell).values.tolist(),
        )
        for name in names
    }


def coverage(utterances: int, repetitions: int, *, unrelated: bool = False) -> Study:
    """Repeat it, side by side on all cores."""
    weights = alone(mixtures()) if unrelated else mixtures()
    return study(partial(once, unrelated=unrelated), utterances, repetitions, truths(*weights))
