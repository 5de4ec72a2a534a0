"""Assign utterances to folds and jackknife groups, and weight the groups of each replicate."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assonance.settings import Settings


def groups_left_out(
    sizes: Sequence[int], units: Sequence[int], settings: Settings
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Share utterances out to groups as the settings say; see `assign_parts`."""
    return assign_parts(
        sizes, units, folds=settings.folds, parts=settings.groups, seed=settings.seed
    )


def weights_of_replicates(folds: Sequence[int], settings: Settings) -> list[list[int]]:
    """Tell how often each group counts in each replicate; see `replicate_weights`.

    None where there is one group alone: nothing is left without it.
    """
    if len(folds) < 2:
        return []
    weights: list[list[int]] = replicate_weights(folds, settings.bootstrap, settings.seed).tolist()
    return weights


def assign_folds(sizes: Sequence[int], folds: int, seed: int) -> np.ndarray:
    """Share whole groups of frames out to folds of about equal size.

    Neighbouring frames depend on each other, so a group (an utterance) is never split.

    Parameters
    ----------
    sizes
        Frames of each group.
    folds
        How many folds; no more than groups are used.
    seed
        Of the order in which groups are placed, each into the smallest fold so far.

    Returns
    -------
    numpy.ndarray
        Fold of each group, shape (len(sizes),).
    """
    filled = np.zeros(min(folds, len(sizes)), dtype=np.int64)
    assigned = np.zeros(len(sizes), dtype=np.int64)
    for group in np.random.default_rng(seed).permutation(len(sizes)):
        assigned[group] = filled.argmin()
        filled[assigned[group]] += sizes[group]
    return assigned


# Held-out measures need two, the one that chooses a penalty needs one more.
_LEAST_FOLDS = 3


def assign_parts(
    sizes: Sequence[int], units: Sequence[int], *, folds: int, parts: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Share utterances out to folds of about equal size, and each fold's to parts.

    What depends on each other (pieces of one recording, utterances of one speaker) is a unit and
    never split. The folds do not depend on how many parts there are.

    Parameters
    ----------
    sizes
        Frames of each utterance.
    units
        Number of the unit that each belongs to, from 0 on.
    folds, parts
        How many; fewer where there are fewer units.
    seed
        Of the order in which units are placed.

    Returns
    -------
    tuple of numpy.ndarray
        Part of each utterance, shape (len(sizes),), and fold of each part, ascending.
    """
    weights = np.bincount(units, weights=sizes).astype(np.int64)
    fold_of_unit = assign_folds(weights.tolist(), folds, seed)
    part_of_unit = np.zeros(len(weights), dtype=np.int64)
    fold_of_part: list[int] = []
    count = int(fold_of_unit.max()) + 1
    for fold in range(count):
        members = np.flatnonzero(fold_of_unit == fold)
        wanted = max(1, parts // count + (fold < parts % count))
        within = assign_folds(weights[members].tolist(), wanted, seed)
        part_of_unit[members] = len(fold_of_part) + within
        fold_of_part += [fold] * (int(within.max()) + 1)
    return part_of_unit[np.asarray(units)], np.array(fold_of_part)


def replicate_weights(folds: Sequence[int], draws: int | None, seed: int) -> NDArray[np.int64]:
    """Tell how often each part counts in each replicate of a score.

    Parameters
    ----------
    folds
        Fold of each part; more than one part.
    draws
        None: the jackknife, every part left out in turn. Otherwise the bootstrap: so many times
        one part fewer than there are is drawn, with replacement. With one fewer, neither the
        variance of a mean nor the bias of a variance comes out too small (McCarthy & Snowden
        1985). What leaves fewer than three folds, if there are so many, is drawn again: there
        would be nothing to choose a penalty by.
    seed
        Of the draws.

    Returns
    -------
    numpy.ndarray
        A row a replicate, shape (R, parts).
    """
    parts, fold_of = len(folds), np.asarray(folds)
    if draws is None:
        return 1 - np.eye(parts, dtype=np.int64)
    rng = np.random.default_rng(seed)
    least = min(_LEAST_FOLDS, len(set(folds)), parts - 1)
    found: list[NDArray[np.int64]] = []
    while len(found) < draws:
        drawn = rng.integers(parts, size=parts - 1)
        if len(set(fold_of[drawn].tolist())) >= least:
            found.append(np.bincount(drawn, minlength=parts))
    return np.stack(found)
