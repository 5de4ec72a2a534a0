"""Find the set of layers that may be the best match: those not significantly behind the best."""

from itertools import permutations

import numpy as np
import pandas as pd

from assonance.comparison.result import CELL, Comparison
from assonance.errors import AssonanceError
from assonance.tables import cells

# A layer is left out of the set if the truly best one would be left out at most so often.
LEVEL = 0.05


def behind_best(comparison: Comparison, measure: str) -> pd.DataFrame:
    """Test how far each layer of another model lies behind the best match of a layer.

    Both scores are of the same speech, so their common variation cancels in the difference.

    Parameters
    ----------
    comparison, measure
        Scores to read, of pairs of layers.

    Returns
    -------
    pandas.DataFrame
        Indexed by model_row, model_col, layer_row and layer_col; layers without a score are left
        out. Columns:

        - value, the score, and best, whether it is the highest of its model;
        - behind, the score of the best layer minus this one, corrected for bias;
        - p, one-sided, of the hypothesis that this layer is as good as the best, times the number
          of other layers (Bonferroni), so that the set below holds for all of them at once. NaN if
          the measure has no interval;
        - among_best, whether the layer is the best or p is above 0.05. The truly best layer is
          among them with a probability of at least 0.95. <NA> if p is NaN.

    Raises
    ------
    AssonanceError
        The measure was not computed, or only one model was compared.
    """
    cells.of_layers(comparison, measure)
    if len(comparison.models) < 2:
        raise AssonanceError("best matches need two models; only one model was compared")
    pairs = permutations(comparison.models, 2)
    return pd.concat([_of_models(comparison, measure, *pair) for pair in pairs])


def best_sets(comparison: Comparison, measure: str) -> pd.DataFrame:
    """Find, for each layer, the best-matching layer of each other model and those as good.

    Returns
    -------
    pandas.DataFrame
        Indexed by model_row, model_col and layer_row; rows without any score are left out. With
        best, the layer of the highest score; value, its score; layers, the tuple of all layers
        that are not significantly behind it, from the input up (the best alone if the measure has
        no interval); and tested, whether the measure has one.

    Raises
    ------
    AssonanceError
        As `behind_best`.
    """
    return sets_of(behind_best(comparison, measure))


def sets_of(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise a table of `behind_best` as sets; see `best_sets`."""
    names = [str(name) for name in table.index.names]
    *places, labels = (table.index.get_level_values(name).to_numpy(object) for name in names)
    best = table["best"].to_numpy(bool)
    among = table["among_best"].to_numpy(bool, na_value=False) | best
    values, tested = table["value"].to_numpy(), table["p"].notna().to_numpy()
    # The layers of a set are successive rows.
    changes = np.any([each[1:] != each[:-1] for each in places], axis=0) if len(table) else []
    firsts = [0, *(np.flatnonzero(changes) + 1)] if len(table) else []
    found = []
    for first, last in zip(firsts, [*firsts[1:], len(table)], strict=len(table) > 0):
        part = slice(first, last)
        found.append(
            {
                **{name: each[first] for name, each in zip(names, places, strict=False)},
                "best": labels[part][best[part]][0],
                "value": float(values[part][best[part]][0]),
                "layers": tuple(labels[part][among[part]]),
                "tested": bool(tested[part].any()),
            }
        )
    columns = [*names[:3], "best", "value", "layers", "tested"]
    return pd.DataFrame(found, columns=columns).set_index(names[:3])


def _of_models(comparison: Comparison, measure: str, row: str, col: str) -> pd.DataFrame:
    """Test the layers of one model against the best match of each layer of another."""
    rows, cols = (list(comparison.layers(model)) for model in (row, col))
    cell = dict(zip(CELL, (row, rows, col, cols), strict=True))
    scores = comparison.scores[measure].sel(cell).to_numpy()
    defined = ~np.isnan(scores)
    best = np.where(defined, scores, -np.inf).argmax(1)[:, None]
    behind = np.take_along_axis(scores, best, 1) - scores
    p = np.full_like(scores, np.nan)
    if measure in comparison.replicates:
        replicates = comparison.replicates[measure].sel(cell).to_numpy()
        chosen = np.take_along_axis(replicates, best[..., None], 1)
        tested = cells.method_of(comparison.replicates[measure])(behind, chosen - replicates)
        others = np.maximum(defined.sum(1, keepdims=True) - 1, 1)
        behind = np.where(np.isnan(tested.estimate), behind, tested.estimate)
        p = np.where(np.isnan(tested.estimate), np.nan, np.minimum(tested.p * others, 1))
    is_best = (np.arange(len(cols)) == best) & defined
    index = pd.MultiIndex.from_product(
        [[row], [col], rows, cols], names=["model_row", "model_col", "layer_row", "layer_col"]
    )
    table = pd.DataFrame(
        {
            "value": scores.ravel(),
            "best": is_best.ravel(),
            "behind": behind.ravel(),
            "p": np.where(is_best & ~np.isnan(p), 1.0, p).ravel(),
        },
        index=index,
    )
    among = pd.Series(table["best"] | (table["p"] > LEVEL), dtype="boolean").mask(table["p"].isna())
    return pd.DataFrame(table.assign(among_best=among)[defined.ravel()])
