"""The numbers behind the figures of attention heads: kinds, matches, models."""

import numpy as np
import pandas as pd
import xarray as xr

from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError

# What a head is called, the first that holds: by a number of at least so much. Diagonal, vertical
# and global heads are those of Yang et al. (2020); a positional head looks at more than one offset.
KINDS = {
    "diagonal": ("diagonality", 0.5),
    "vertical": ("verticality", 0.25),
    "global": ("evenness", 0.9),
    "positional": ("position_share", 0.5),
}


CONTENT = "content"  # where what is attended depends on what is there


DESCRIPTORS = (
    *("entropy", "evenness", "distance", "peak_offset"),
    *("diagonality", "verticality", "position_share"),
)


def head_measures(comparison: Comparison) -> tuple[str, ...]:
    """Names of the measures of which every head's scores are there."""
    return tuple(
        str(name)
        for name in comparison.scores.data_vars
        if name in comparison.heads and "head_col" in comparison.heads[name].dims
    )


def with_heads(comparison: Comparison) -> tuple[str, ...]:
    """Names of the models whose attention was measured: not every model has any."""
    return tuple(model for model in comparison.models if len(_places(comparison, model)))


def heads(comparison: Comparison) -> pd.DataFrame:
    """Describe every head of every model, and say of what kind it is.

    Returns
    -------
    pandas.DataFrame
        Indexed by model_row, layer_row and head_row; with kind, a name of `KINDS` or `CONTENT`,
        and `DESCRIPTORS`, as `assonance.measures.describe_heads` gives them.

    Raises
    ------
    AssonanceError
        No attention was measured.
    """
    if not set(DESCRIPTORS) <= set(comparison.heads.data_vars):
        raise AssonanceError("no attention was measured; compare with attn_js")
    found = comparison.heads[list(DESCRIPTORS)].sel(model_row=list(comparison.models))
    table = found.to_dataframe().dropna(subset="entropy")[list(DESCRIPTORS)]
    table.insert(0, "kind", CONTENT)
    for kind, (name, least) in reversed(KINDS.items()):
        table.loc[table[name] >= least, "kind"] = kind
    return table


def head_matches(comparison: Comparison, measure: str) -> pd.DataFrame:
    """Find the best match of every head among all heads of each other model.

    Parameters
    ----------
    comparison, measure
        Where to look; a measure of heads.

    Returns
    -------
    pandas.DataFrame
        Indexed by model_row, model_col, layer_row and head_row; with layer_col, head_col and
        value, position (what the two would score if they knew positions alone) and mutual,
        whether the match's own best match in the row model is this head. Heads without a match
        are left out.

    Raises
    ------
    AssonanceError
        The measure was not measured, or there is one model alone.
    """
    if measure not in head_measures(comparison):
        raise AssonanceError(
            f"{measure}: not measured of heads here; you can use: "
            f"{', '.join(head_measures(comparison)) or 'nothing'}"
        )
    models = with_heads(comparison)
    if len(models) < 2:
        raise AssonanceError("one model alone has no heads of another to be compared with")
    parts = []
    for row in models:
        for col in (each for each in models if each != row):
            there, back = (_table(comparison, measure, *pair) for pair in ((row, col), (col, row)))
            position = _table(comparison, f"{measure}_position", row, col)
            best, own = (_best(table) for table in (there, back))
            known = np.flatnonzero(best >= 0)
            layers, heads = zip(*(there.columns[place] for place in best[known]), strict=True)
            parts.append(
                pd.DataFrame(
                    {
                        "model_row": row,
                        "model_col": col,
                        "layer_row": there.index.get_level_values("layer")[known],
                        "head_row": there.index.get_level_values("head")[known],
                        "layer_col": layers,
                        "head_col": heads,
                        "value": there.to_numpy()[known, best[known]],
                        "position": position.to_numpy()[known, best[known]],
                        "mutual": own[best[known]] == known,
                    }
                )
            )
    return pd.concat(parts).set_index(["model_row", "model_col", "layer_row", "head_row"])


def head_models(comparison: Comparison, measure: str) -> pd.DataFrame:
    """Average the best matches of all heads of a model in each other model.

    Parameters
    ----------
    comparison, measure
        Where to look; a measure of heads.

    Returns
    -------
    pandas.DataFrame
        Rows: whose heads; columns: where the matches are; models without heads are left out, and
        NaN is for a model with itself.

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
    """Share of the attention of a model's heads at each offset; layer_row, head_row, offset."""
    layers = list(comparison.layers(model))
    found = comparison.heads["profile"].sel(model_row=model, layer_row=layers)
    return found.dropna("layer_row", how="all").dropna("head_row", how="all")


def _table(comparison: Comparison, name: str, row: str, col: str) -> pd.DataFrame:
    """Lay scores of all heads of two models out, those of rows by those of columns."""
    index, columns = (_places(comparison, model) for model in (row, col))
    at = {
        f"{part}_{side}": xr.DataArray(places.get_level_values(part).to_numpy(), dims=side)
        for side, places in (("row", index), ("col", columns))
        for part in ("layer", "head")
    }
    scores = comparison.heads[name].sel(model_row=row, model_col=col).sel(at)
    return pd.DataFrame(scores.transpose("row", "col").to_numpy(), index=index, columns=columns)


def _places(comparison: Comparison, model: str) -> pd.MultiIndex:
    """Layers and numbers of a model's heads."""
    layers = list(comparison.layers(model))
    there = comparison.heads["entropy"].sel(model_row=model, layer_row=layers).notnull()
    cells = [(layers[layer], int(head)) for layer, head in np.argwhere(there.to_numpy())]
    return pd.MultiIndex.from_tuples(cells, names=["layer", "head"])


def _best(table: pd.DataFrame) -> np.ndarray:
    """Place of each row's best column; −1 where there is none."""
    values = np.where(np.isnan(table), -np.inf, table)
    return np.where(np.isfinite(values.max(1)), values.argmax(1), -1)
