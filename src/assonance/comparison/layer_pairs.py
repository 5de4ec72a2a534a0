"""Decide by the roles of their models which pairs of layers get scores, intervals and nulls."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from assonance.models.roster import Roster, RosterEntry
from assonance.scoring.pair_rules import PairRules

# Layers of a model at which floors are computed: those of a random twin that are compared, and
# those of each model under a shift. Floors of frames are the same at every depth, to .001 and .02
# (`tests/comparison/test_controls_end_to_end.py`). That of attention is not.
FLOOR_DEPTHS = 3
# So many shifts are for the p value of every pair, not for the mean of the null.
SHIFTS_OF_P = 19


def at_depths(layers: Sequence[str], depths: int) -> tuple[str, ...]:
    """Return so many of a model's layers, evenly spaced from the first to the last."""
    if len(layers) <= depths:
        return tuple(layers)
    places = np.linspace(0, len(layers) - 1, depths).round().astype(int)
    return tuple(layers[place] for place in places)


def with_floors_alone(roster: Roster) -> Roster:
    """Let the frames of random twins be compared at the depths of floors alone."""
    return {
        name: replace(each, compared=at_depths(each.model.layers, FLOOR_DEPTHS))
        if each.twin_of
        else each
        for name, each in roster.items()
    }


class LayerPairs(PairRules):
    """Rules for pairs of layers, by the roles of their models.

    Parameters
    ----------
    roster
        Models by name.
    models
        Name of a layer to that of its model, in the order of each model's layers.
    depths
        Number of layers of a model at which floors are computed, evenly spaced from the first to
        the last; all of them if None.
    every_null
        Whether to shift every pair of layers, and not those at these depths alone.
    """

    def __init__(
        self,
        roster: Roster,
        models: Mapping[str, str],
        depths: int | None = None,
        *,
        every_null: bool = False,
    ) -> None:
        self._roster = roster
        self._models = models
        self._every_null = every_null
        self._between: set[str] = set()
        for name in roster:
            own = [layer for layer, model in models.items() if model == name]
            if depths is not None:
                self._between.update(set(own) - set(at_depths(own, depths)))

    def is_scored(self, a: str, b: str) -> bool:
        """Whether to score the pair: not two controls, nor a twin's layer between the depths."""
        if any(each in self._between and self._entry(each).twin_of for each in (a, b)):
            return False
        return not (self._entry(a).control and self._entry(b).control)

    def comes_first(self, a: str, b: str) -> bool:
        """Whether both layers are of models: floors follow."""
        return not (self._entry(a).control or self._entry(b).control)

    def gets_interval(self, a: str, b: str) -> bool:
        """Whether the pair gets an interval: not a model against a random twin of it alone."""
        one, two = self._models[a], self._models[b]
        return self._entry(a).twin_of != (two,) and self._entry(b).twin_of != (one,)

    def gets_null(self, a: str, b: str) -> bool:
        """Whether the pair gets a shift null: layers of two different trained models only."""
        different = self._models[a] != self._models[b]
        trained = not (self._entry(a).control or self._entry(b).control)
        return different and trained and (self._every_null or not {a, b} & self._between)

    def is_other(self, row: str, col: str) -> bool:
        """Whether consensus of the row layer counts the column layer: one of another model.

        Controls never count. A random twin stands for its model, or the first of its models.
        """
        model = next(iter(self._entry(row).twin_of), self._models[row])
        return model != self._models[col] and not self._entry(col).control

    def _entry(self, layer: str) -> RosterEntry:
        return self._roster[self._models[layer]]
