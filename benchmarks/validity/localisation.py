"""What the localisation index reads where it is known which neurons two layers share.

A layer of correlated neurons (the spectrum falls as one over the rank, from 1 to 1/10), and a
second made from it: in a random rotation; with half of the axes kept and the other half rotated
among themselves; with all axes kept. Noise of a tenth of each neuron's deviation is added to the
second. 60 utterances of 100 to 300 frames.
"""

import numpy as np
import pandas as pd

from assonance import similarity_matrix
from assonance.settings import Settings
from benchmarks.validity.series import Array, groups, lengths, rotation

WIDTHS = (64, 128, 256, 512, 768)
KINDS = ("rotated", "half of the axes", "all axes")
NOISE = 0.1
MEASURES = ("maxcorr", "maxcorr_rotated", "linreg_heldout_r")


def layers(rng: np.random.Generator, frames: int, width: int, kind: str) -> tuple[Array, Array]:
    """Draw the two layers."""
    scales = np.sqrt(np.linspace(1, 0.1, width))
    x = (rng.normal(size=(frames, width)) * scales) @ rotation(rng, width)
    kept = {"rotated": 0, "half of the axes": width // 2, "all axes": width}[kind]
    turn = np.eye(width)
    turn[kept:, kept:] = rotation(rng, width - kept) if kept < width else 0
    y = (x / x.std(0)) @ turn
    y = y + NOISE * y.std(0) * rng.normal(size=y.shape)
    return x.astype(np.float32), y.astype(np.float32)


def localisation() -> pd.DataFrame:
    """Read the index of each kind and width with its interval, and MaxCorr beside it."""
    rows = []
    settings = Settings("localisation", groups=10)
    for width in WIDTHS:
        for kind in KINDS:
            rng = np.random.default_rng([width, KINDS.index(kind)])
            frames = lengths(rng, 60, 200)
            x, y = layers(rng, int(frames.sum()), width, kind)
            found = similarity_matrix(
                {"x": x, "y": y}, MEASURES, groups=groups(frames), settings=settings, intervals=True
            )
            cell = {"layer_row": "x", "layer_col": "y"}
            estimate, low, high = found["localisation_interval"].sel(cell).values
            maxcorr = float(found["maxcorr"].sel(cell))
            rows.append((width, kind, estimate, low, high, maxcorr))
    columns = ["neurons", "shared", "index", "low", "high", "MaxCorr"]
    return pd.DataFrame(rows, columns=columns).set_index(["neurons", "shared"])
