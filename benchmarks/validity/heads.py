"""How often 95 % intervals of attention measures hold the truth.

Two layers of two heads over utterances of 8 to 24 frames. The logits of a head are a series that
the head shares with its match in the other layer, of one strength for each utterance, and one of
its own. Truths are the scores of 20 000 utterances.
"""

from functools import cache

import numpy as np

from assonance import head_similarity_matrix
from assonance.measures import MEASURES
from assonance.settings import Settings
from benchmarks.validity.coverage import SIZES
from benchmarks.validity.series import Array
from benchmarks.validity.study import Study, study

NAMES = [name for name, each in MEASURES.items() if each.level == "head"]
HEADS, LARGE = 2, 20_000


def maps(rng: np.random.Generator, utterances: int) -> dict[str, list[Array]]:
    """Draw the maps of both layers, (H, T, T) an utterance."""
    found: dict[str, list[Array]] = {"x": [], "y": []}
    for length in rng.integers(8, 25, utterances):
        strength = rng.gamma(4, 0.5)
        common = rng.normal(size=(HEADS, length, length)) * strength
        common[1] *= 0.5  # the second pair of heads has less in common
        for layer in found.values():
            logits = common + rng.normal(size=common.shape)
            weights = np.exp(logits - logits.max(-1, keepdims=True))
            layer.append(weights / weights.sum(-1, keepdims=True))
    return found


def once(seed: int, utterances: int) -> dict[str, tuple[float, float, float, float]]:
    """Value, estimate, low and high end of one corpus."""
    rng = np.random.default_rng([seed, utterances])
    settings = Settings("heads", groups=SIZES[utterances])
    found = head_similarity_matrix(maps(rng, utterances), NAMES, settings=settings, intervals=True)
    cell = {"layer_row": "x", "layer_col": "y"}
    return {
        name: (
            float(found[name].sel(cell)),
            *found[f"{name}_interval"].sel(cell).values.tolist(),
        )
        for name in NAMES
    }


@cache
def truths() -> dict[str, float]:
    """Score many utterances."""
    found = head_similarity_matrix(maps(np.random.default_rng(2**31), LARGE), NAMES)
    cell = {"layer_row": "x", "layer_col": "y"}
    return {name: float(found[name].sel(cell)) for name in NAMES}


def coverage(utterances: int, repetitions: int) -> Study:
    """Repeat it, side by side on all cores."""
    return study(once, utterances, repetitions, truths())
