"""Read best matches for several parts of the page, each table computed once."""

import pandas as pd

from assonance.comparison.lookup import find_measure
from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError
from assonance.inference.localisation import LOCALISATION
from assonance.measures.names import LEVELS
from assonance.measures.roles import CHANGE, FIRST_SHOWN, LEADING, MATCHING, ROTATED
from assonance.tables import cells
from assonance.tables import matches as match_tables
from assonance.tables.best_layers import behind_best, sets_of
from assonance.tables.heads import head_matches

# Names of the model whose layers are matched, and of the model that they are matched in.
Pair = tuple[str, str]


class Matches:
    """Best matches of layers by measure.

    Parameters
    ----------
    comparison
        Scores of two models or more.
    lead
        The measure that leads the page; by default the one that overfitting cannot raise.

    Attributes
    ----------
    shown
        The measures that a reader can choose: the leading one, then those of `FIRST_SHOWN`.
        Rotated neurons are a floor, not a measure of similarity; what is undefined everywhere is
        left out.

    Raises
    ------
    AssonanceError
        `lead` has no scores of pairs of layers.
    """

    def __init__(self, comparison: Comparison, lead: str | None = None) -> None:
        self.comparison = comparison
        self.shown = _shown(comparison)
        self.lead = None if lead is None else find_measure(comparison, lead)
        if self.lead is not None:
            if self.lead not in self.shown:
                raise AssonanceError(
                    f"{self.lead}: has no scores of pairs of layers to lead the report; "
                    f"choose one of {', '.join(self.shown)}"
                )
            self.shown.sort(key=lambda name: name != self.lead)
        self._best: dict[str, pd.DataFrame] = {}
        self._behind: dict[str, pd.DataFrame] = {}
        self._sets: dict[str, pd.DataFrame] = {}
        self._heads: dict[str, pd.DataFrame] = {}

    @property
    def space(self) -> str | None:
        """Name the measure of the shared space: what leads, or the first of `LEADING`.

        What is undefined everywhere, as some measures are with little speech, comes last.
        """
        if self.lead is not None and compares_spaces(self.lead):
            return self.lead
        computed = [name for name in LEADING if name in self.comparison.scores]
        defined = [name for name in computed if self.comparison.scores[name].notnull().any()]
        return next(iter(defined or computed), None)

    @property
    def heads(self) -> str | None:
        """Name the measure of attention that leads: the first of its kind that is defined."""
        known = [name for name in CHANGE["Heads"] if name in self.comparison.scores]
        return next((n for n in known if self.comparison.scores[n].notnull().any()), None)

    def best(self, measure: str) -> pd.DataFrame:
        """Return the best match of each layer with its references; see `matches.best_layers`.

        The localisation index is read at the layers that predict best.
        """
        if measure not in self._best:
            self._best[measure] = (
                match_tables.localisation(self.comparison)
                if measure == LOCALISATION
                else match_tables.best_layers(self.comparison, measure)
            )
        return self._best[measure]

    def of(self, measure: str, pair: Pair) -> pd.DataFrame:
        """Return the best matches of the layers of one model in another."""
        table = self.best(measure).xs(pair, level=("model_row", "model_col"), drop_level=False)
        return pd.DataFrame(table)

    def behind(self, measure: str) -> pd.DataFrame:
        """Return how far each layer lies behind the best; see `best_layers.behind_best`."""
        if measure not in self._behind:
            self._behind[measure] = behind_best(self.comparison, measure)
        return self._behind[measure]

    def sets(self, measure: str) -> pd.DataFrame:
        """Return the sets of best layers; see `best_layers.best_sets`."""
        if measure not in self._sets:
            self._sets[measure] = sets_of(self.behind(measure))
        return self._sets[measure]

    def of_heads(self, measure: str) -> pd.DataFrame:
        """Return the best match of each head; see `assonance.tables.heads.head_matches`."""
        if measure not in self._heads:
            self._heads[measure] = head_matches(self.comparison, measure)
        return self._heads[measure]


def compares_spaces(measure: str) -> bool:
    """Return whether a measure compares whole layers, and not single neurons or heads."""
    return LEVELS.get(measure, "head") != "head" and measure not in MATCHING


def _shown(comparison: Comparison) -> list[str]:
    of_models = {f"model_{side}": list(comparison.models) for side in ("row", "col")}
    names = [name for name in cells.measures(comparison) if name != ROTATED]
    names.sort(key=lambda name: FIRST_SHOWN.index(name) if name in FIRST_SHOWN else 99)
    names += [LOCALISATION] if LOCALISATION in comparison.scores else []
    return [name for name in names if comparison.scores[name].sel(of_models).notnull().any()]
