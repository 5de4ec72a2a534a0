"""Assign utterances to folds and jackknife groups, and weight the groups of each replicate."""

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assonance.settings import Settings

# A held-out measure needs two folds; choosing a ridge penalty needs one more.
_LEAST_FOLDS = 3


@dataclass(frozen=True)
class Resampling:
    """Folds, jackknife groups, replicates and shifts of one comparison.

    Attributes
    ----------
    group_of_utterance
        Jackknife group of each utterance, shape (U,).
    fold_of_group
        Fold of each jackknife group, ascending, shape (G,).
    weights
        How often each group counts in each replicate, R rows of G. Empty if there is one group
        alone, or if no intervals are requested.
    intervals
        Whether intervals are requested.
    shifts
        Number of circular shifts for the null; 0 if none is requested.
    """

    group_of_utterance: NDArray[np.int64]
    fold_of_group: NDArray[np.int64]
    weights: Sequence[Sequence[int]] = field(default=())
    intervals: bool = False
    shifts: int = 0

    @classmethod
    def of_groups(cls, sizes: Sequence[int], units: Sequence[Hashable], settings: Settings) -> Self:
        """Assign utterances to the settings' jackknife groups, and weight their replicates.

        Parameters
        ----------
        sizes, units, settings
            As for `of_folds`.
        """
        groups, folds = assign_groups(
            sizes, units, folds=settings.folds, groups=settings.groups, seed=settings.seed
        )
        weights: list[list[int]] = []
        # Without its only group nothing is left.
        if len(folds) > 1:
            weights = replicate_weights(folds.tolist(), settings.bootstrap, settings.seed).tolist()
        return cls(groups, folds, weights, intervals=True)

    @classmethod
    def of_folds(
        cls, sizes: Sequence[int], units: Sequence[Hashable], settings: Settings, *, held_out: bool
    ) -> Self:
        """Assign utterances to folds alone: one jackknife group a fold, and no replicates.

        Parameters
        ----------
        sizes
            Number of frames of each utterance.
        units
            Name of the unit (speaker or recording) of each utterance.
        settings
            Number of folds and groups, and the seed.
        held_out
            Whether a measure needs folds; one fold if not.
        """
        count = settings.folds if held_out else 1
        return cls(*assign_groups(sizes, units, folds=count, groups=count, seed=settings.seed))

    def with_shifts(self, sizes: Sequence[int], shifts: int) -> Self:
        """Add circular shifts: the number given, or as many as the smallest fold allows.

        A fold of U utterances allows U − 1 different shifts. One utterance is rolled along its own
        time axis and allows one fewer than it has frames.
        """
        folds = self.fold_of_utterance
        frames, utterances = np.bincount(folds, weights=sizes), np.bincount(folds)
        most = (
            int(n if count == 1 else count) - 1 for n, count in zip(frames, utterances, strict=True)
        )
        return replace(self, shifts=min(shifts, *most))

    def without_replicates(self) -> Self:
        """Return the same folds and groups, with no replicates and no shifts."""
        return replace(self, weights=(), intervals=False, shifts=0)

    @property
    def fold_of_utterance(self) -> NDArray[np.int64]:
        """Fold of each utterance, shape (U,)."""
        return self.fold_of_group[self.group_of_utterance]

    @property
    def folds(self) -> int:
        """Number of folds."""
        return int(self.fold_of_group.max()) + 1

    @property
    def groups(self) -> int:
        """Number of jackknife groups."""
        return len(self.fold_of_group)


def assign_groups(
    sizes: Sequence[int], units: Sequence[Hashable], *, folds: int, groups: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Assign utterances to folds of about equal size, and those of each fold to jackknife groups.

    Utterances that depend on each other (of one recording or speaker) form a unit, which is never
    split: neither are utterances, since neighbouring frames are dependent. Units are placed in the
    order of a hash of their names, so that the order of utterances is of no consequence. The folds
    do not depend on the number of groups.

    Parameters
    ----------
    sizes
        Number of frames of each utterance.
    units
        Name of the unit of each utterance: a word or number.
    folds, groups
        Number of folds and of groups; fewer if there are fewer units.
    seed
        Hashed with the names.

    Returns
    -------
    tuple of numpy.ndarray
        Jackknife group of each utterance, shape (len(sizes),), and fold of each group, ascending.
    """
    names = sorted(set(units), key=lambda name: hash_name(name, seed))
    place = {name: number for number, name in enumerate(names)}
    unit_of_utterance = np.array([place[name] for name in units])
    weights = np.bincount(unit_of_utterance, weights=sizes).astype(np.int64)
    fold_of_unit = _spread(weights, folds)
    group_of_unit = np.zeros(len(weights), dtype=np.int64)
    fold_of_group: list[int] = []
    count = int(fold_of_unit.max()) + 1
    for fold in range(count):
        members = np.flatnonzero(fold_of_unit == fold)
        within = _spread(weights[members], max(1, groups // count + (fold < groups % count)))
        group_of_unit[members] = len(fold_of_group) + within
        fold_of_group += [fold] * (int(within.max()) + 1)
    return group_of_unit[unit_of_utterance], np.array(fold_of_group)


def hash_name(name: Hashable, seed: int) -> int:
    """Hash a name with a seed: the same on every machine, and for equal numbers of any type."""
    if isinstance(name, np.generic):
        name = name.item()
    if isinstance(name, float) and name.is_integer():
        name = int(name)
    digest = hashlib.blake2b(f"{seed} {name!r}".encode(), digest_size=16).digest()
    return int.from_bytes(digest)


def _spread(sizes: NDArray[np.int64], parts: int) -> NDArray[np.int64]:
    """Place units in their order, each into the smallest part so far; return the part of each."""
    filled = np.zeros(min(parts, len(sizes)), dtype=np.int64)
    assigned = np.zeros(len(sizes), dtype=np.int64)
    for unit, size in enumerate(sizes):
        assigned[unit] = filled.argmin()
        filled[assigned[unit]] += size
    return assigned


def replicate_weights(folds: Sequence[int], draws: int | None, seed: int) -> NDArray[np.int64]:
    """Compute how often each jackknife group counts in each replicate of a score.

    Parameters
    ----------
    folds
        Fold of each group; at least two groups.
    draws
        None for the jackknife: each group is left out in turn. Otherwise the number of draws of
        the bootstrap: each draws one group fewer than there are, with replacement. One fewer keeps
        the variance of a mean and the bias of a variance from coming out too small (McCarthy &
        Snowden 1985). A draw of fewer than three folds is repeated, since no penalty could be
        chosen from it.
    seed
        Seed of the draws.

    Returns
    -------
    numpy.ndarray
        One row a replicate, shape (R, G).
    """
    groups, fold_of = len(folds), np.asarray(folds)
    if draws is None:
        return 1 - np.eye(groups, dtype=np.int64)
    rng = np.random.default_rng(seed)
    least = min(_LEAST_FOLDS, len(set(folds)), groups - 1)
    weights: list[NDArray[np.int64]] = []
    while len(weights) < draws:
        drawn = rng.integers(groups, size=groups - 1)
        if len(set(fold_of[drawn].tolist())) >= least:
            weights.append(np.bincount(drawn, minlength=groups))
    return np.stack(weights)
