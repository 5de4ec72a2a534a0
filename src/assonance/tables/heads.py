"""Classify attention heads, match them between models, average their matches by model."""

from itertools import permutations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError
from assonance.measures.roles import CHANGE, WITHOUT_POSITIONS
from assonance.tables import cells

# The kind of a head is the first of which its descriptor reaches the threshold. Diagonal, vertical
# and global heads are those of Yang et al. (2020). A positional head attends by relative position,
# to more than one offset.
KINDS = {
    "diagonal": ("diagonality", 0.5),
    "vertical": ("verticality", 0.25),
    "global": ("evenness", 0.9),
    "positional": ("position_share", 0.5),
}
# The kind of all other heads: they attend by content.
CONTENT = "content"

DESCRIPTORS = (
    *("entropy", "evenness", "distance", "peak_offset"),
    *("diagonality", "verticality", "position_share"),
)


def head_measures(comparison: Comparison) -> tuple[str, ...]:
    """Name the measures whose scores of all heads were kept."""
    return tuple(
        str(name)
        for name in comparison.scores.data_vars
        if name in comparison.heads and "head_col" in comparison.heads[name].dims
    )


def require_heads(comparison: Comparison, measure: str) -> None:
    """Check that a measure's scores of all heads were kept.

    Raises
    ------
    AssonanceError
        They were not.
    """
    if measure not in head_measures(comparison):
        raise AssonanceError(
            f"{measure}: was not computed for heads; you can use: "
            f"{', '.join(head_measures(comparison)) or 'nothing'}"
        )


def with_heads(comparison: Comparison) -> tuple[str, ...]:
    """Name the models with attention heads; not every model has any."""
    return tuple(model for model in comparison.models if len(_labels(comparison, model)))


def heads(comparison: Comparison) -> pd.DataFrame:
    """Describe every head of every model, and classify it.

    Returns
    -------
    pandas.DataFrame
        Indexed by model_row, layer_row and head_row; with kind, a key of `KINDS` or `CONTENT`,
        and `DESCRIPTORS`, as `assonance.measures.describe_heads` returns them.

    Raises
    ------
    AssonanceError
        No attention was compared.
    """
    if not set(DESCRIPTORS) <= set(comparison.heads.data_vars):
        raise AssonanceError(f"no attention was compared; compare with {CHANGE['Heads'][0]}")
    described = comparison.heads[list(DESCRIPTORS)].sel(model_row=list(comparison.models))
    table = described.to_dataframe().dropna(subset="entropy")[list(DESCRIPTORS)]
    table.insert(0, "kind", CONTENT)
    for kind, (name, least) in reversed(KINDS.items()):
        table.loc[table[name] >= least, "kind"] = kind
    return table


def head_matches(comparison: Comparison, measure: str) -> pd.DataFrame:
    """Find the best match of every head among all heads of each other model.

    Parameters
    ----------
    comparison, measure
        Scores to read, by a measure of heads.

    Returns
    -------
    pandas.DataFrame
        Indexed by model_row, model_col, layer_row and head_row; with layer_col, head_col and
        value, position (the score of two heads that attend by relative position alone, NaN by a
        measure for which that is no floor) and mutual, whether the two heads are each other's best
        match. Heads without a match are left out.

    Raises
    ------
    AssonanceError
        The measure was not computed, or only one model has heads.
    """
    require_heads(comparison, measure)
    models = with_heads(comparison)
    if len(models) < 2:
        raise AssonanceError("matching heads needs two models with attention; compare two")
    name = position_name(comparison, measure)
    tables = {pair: _scores(comparison, measure, *pair) for pair in permutations(models, 2)}
    best_of = {pair: _best(table) for pair, table in tables.items()}
    parts = []
    for row in models:
        for col in (each for each in models if each != row):
            scores, best, best_of_col = tables[row, col], best_of[row, col], best_of[col, row]
            position = _scores(comparison, name, row, col) if name else scores * np.nan
            matched = np.flatnonzero(best >= 0)
            layers, heads = zip(*(scores.columns[place] for place in best[matched]), strict=True)
            parts.append(
                pd.DataFrame(
                    {
                        "model_row": row,
                        "model_col": col,
                        "layer_row": scores.index.get_level_values("layer")[matched],
                        "head_row": scores.index.get_level_values("head")[matched],
                        "layer_col": layers,
                        "head_col": heads,
                        "value": scores.to_numpy()[matched, best[matched]],
                        "position": position.to_numpy()[matched, best[matched]],
                        "mutual": best_of_col[best[matched]] == matched,
                    }
                )
            )
    return pd.concat(parts).set_index(["model_row", "model_col", "layer_row", "head_row"])


def position_name(comparison: Comparison, measure: str) -> str | None:
    """Name the scores of two heads that attend by relative position alone; None if they have none.

    Runs of 0.1.0 hold such scores also of measures for which they are no floor.
    """
    name = f"{measure}_position"
    return name if name in comparison.heads and measure not in WITHOUT_POSITIONS else None


def head_models(comparison: Comparison, measure: str) -> pd.DataFrame:
    """Average the best matches of all heads of a model in each other model.

    Parameters
    ----------
    comparison, measure
        Scores to read, by a measure of heads.

    Returns
    -------
    pandas.DataFrame
        Rows: the model whose heads are matched. Columns: the model that they are matched in. NaN
        on the diagonal; models without heads are left out.

    Raises
    ------
    AssonanceError
        As `head_matches`.
    """
    values = head_matches(comparison, measure)["value"]
    table = values.groupby(level=["model_row", "model_col"]).mean().unstack("model_col")
    models = list(with_heads(comparison))
    return table.reindex(index=models, columns=models)


def profiles(comparison: Comparison, model: str) -> xr.DataArray:
    """Return the share of attention at each offset; dimensions layer_row, head_row, offset."""
    layers = list(comparison.layers(model))
    found = comparison.heads["profile"].sel(model_row=model, layer_row=layers)
    return found.dropna("layer_row", how="all").dropna("head_row", how="all")


def _scores(comparison: Comparison, name: str, row: str, col: str) -> pd.DataFrame:
    """Read the scores of all heads of one model with all heads of another."""
    scores = comparison.heads[name].sel(model_row=row, model_col=col)
    return cells.table(scores, _labels(comparison, row), _labels(comparison, col))


def _labels(comparison: Comparison, model: str) -> pd.MultiIndex:
    """List the layers and indices of a model's heads."""
    layers = list(comparison.layers(model))
    described = comparison.heads["entropy"].sel(model_row=model, layer_row=layers).notnull()
    heads = [(layers[layer], int(head)) for layer, head in np.argwhere(described.to_numpy())]
    return pd.MultiIndex.from_tuples(heads, names=["layer", "head"])


def _best(table: pd.DataFrame) -> NDArray[np.intp]:
    """Return the place of each row's best column; −1 if no score is defined."""
    values = np.where(np.isnan(table), -np.inf, table)
    return np.where(np.isfinite(values.max(1)), values.argmax(1), -1)
