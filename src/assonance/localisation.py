"""The scores that the localisation index is made of."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import numpy as np

from assonance.inference import ROTATED, WHOLE, whole_of

# Measures of single neurons between whose values the index lies, best first.
_BETWEEN = ("maxcorr", ROTATED)

Score = TypeVar("Score")


def is_localised(names: Collection[str]) -> bool:
    """Whether all that the index is made of is among the measures named."""
    return all(name in names for name in _BETWEEN) and any(name in names for name in WHOLE)


def localisation_terms(found: Mapping[str, Score]) -> tuple[Score, Score, Score]:
    """Pick what the index is made of: best match, random bases, whole layer."""
    best, rotated = _BETWEEN
    return found[best], found[rotated], found[whole_of(found)]


def localisation_attributes(names: Collection[str]) -> dict[str, Any]:
    """Describe the index, made of those of the measures named."""
    whole = whole_of(names)
    return {
        "long_name": "Localisation index",
        "description": "Share of what the whole other layer knows of a neuron, beyond a random "
        "basis of it, that one neuron knows: 0 for a space shared in unrelated bases, 1 where one "
        "neuron says all",
        "range": [-np.inf, np.inf],
        "source": f"assonance: Σ(maxcorr − maxcorr_rotated)/Σ({whole} − maxcorr_rotated)",
    }
