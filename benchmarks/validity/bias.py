"""What three kinds of CKA read of series whose CKA is known: neighbouring frames are not news.

20 utterances of 50 to 150 frames, 256 neurons: independent series (the truth is 0), and layers of
which a share of the neurons are the same (the truth is that share, all variances being equal).
"""

from functools import partial

import numpy as np
import pandas as pd

from assonance import similarity_matrix
from benchmarks.validity.series import groups, lengths, sharing
from benchmarks.validity.study import repeat

WIDTH, UTTERANCES = 256, 20
KINDS = ("cka", "cka_debiased", "cka_utterance")
CASES = ((0.0, 0), (0.9, 0), (0.95, 0), (0.9, 115))  # ρ, and how many neurons are the same


def once(rho: float, shared: int, seed: int) -> dict[str, float]:
    """Read the three of one corpus."""
    rng = np.random.default_rng([seed, int(100 * rho), shared])
    frames = lengths(rng, UTTERANCES)
    x, y = sharing(rng, frames, WIDTH, shared, rho)
    found = similarity_matrix({"x": x, "y": y}, KINDS, groups=groups(frames))
    cell = {"layer_row": "x", "layer_col": "y"}
    return {name: float(found[name].sel(cell)) for name in KINDS}


def bias(repetitions: int) -> pd.DataFrame:
    """Average over corpora: by ρ and truth, the mean of each kind and the standard error of it."""
    rows = []
    for rho, shared in CASES:
        found = pd.DataFrame(repeat(partial(once, rho, shared), repetitions))
        row = {"ρ": rho, "truth": shared / WIDTH, **found.mean()}
        row["standard error of cka_utterance"] = found["cka_utterance"].sem()
        rows.append(row)
    return pd.DataFrame(rows).set_index(["ρ", "truth"])
