"""Name the measures by level, so that a wrong name is found before torch is imported."""

from collections.abc import Iterable
from typing import Literal

from assonance.errors import AssonanceError, did_you_mean

Level = Literal["neuron", "layer", "head"]

# What is similar: neurons, whole layers or attention heads. `registry` declares everything else.
NAMES: dict[Level, tuple[str, ...]] = {
    "head": (
        *("attn_frobenius", "attn_frobenius_normalized", "attn_pearson", "attn_pearson_centered"),
        *("attn_js", "attn_js_bits", "attn_cka"),
    ),
    "layer": (
        *("cca_mean", "cca_r2", "svcca", "pwcca", "pwcca_mean", "cca_heldout"),
        *("cka", "cka_standardized", "cka_debiased", "cka_utterance", "cka_rbf"),
        *("rsa", "mutual_knn", "distance_correlation"),
        *("procrustes", "bures", "angular_procrustes"),
    ),
    "neuron": (
        *("maxcorr", "mincorr", "maxcorr_heldout", "maxcorr_rotated"),
        *("one_to_one", "soft_matching"),
        *("linreg", "linreg_r2", "linreg_heldout", "linreg_heldout_r", "ridge_heldout"),
    ),
}
LEVELS: dict[str, Level] = {name: level for level, names in NAMES.items() for name in names}


def names_in(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of measures as a tuple.

    Raises
    ------
    AssonanceError
        They are not in a list, or are no words.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise AssonanceError(f"measures must be a list of names, such as ['cka']; got {names!r}")
    listed = tuple(names)
    for each in listed:
        if not isinstance(each, str):
            raise AssonanceError(f"measures must be names, such as 'cka'; got {each!r}")
    return listed


def refuse_unknown(names: Iterable[str], known: Iterable[str] = LEVELS) -> None:
    """Check names of measures against those that can be used here.

    Raises
    ------
    AssonanceError
        A name is unknown, or its measure is of another level. The message has the most similar
        name, or else all of them.
    """
    fitting = tuple(known)
    for name in names:
        if name not in fitting:
            reason = "cannot be used here" if name in LEVELS else "is unknown"
            rest = did_you_mean(name, fitting) or f"; choose from: {', '.join(fitting)}"
            raise AssonanceError(f"measure {name!r} {reason}{rest}")
