"""Read best matches for several parts of the page, each table computed once."""

import pandas as pd

from assonance.comparison.result import Comparison
from assonance.inference.localisation import LOCALISATION
from assonance.tables import matches as match_tables
from assonance.tables.best_layers import behind_best, sets_of

# Names of the model whose layers are matched, and of the model that they are matched in.
Pair = tuple[str, str]


class Matches:
    """Best matches of layers by measure.

    Parameters
    ----------
    comparison
        Scores of two models or more.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self._best: dict[str, pd.DataFrame] = {}
        self._behind: dict[str, pd.DataFrame] = {}

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
        return sets_of(self.behind(measure))
