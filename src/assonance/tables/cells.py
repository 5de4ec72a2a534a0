"""Read scores cell by cell: estimates, best matches, depths."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from assonance.comparison.result import CELL, Comparison
from assonance.errors import AssonanceError
from assonance.measures import MEASURES
from assonance.measures.roles import KNOWING


def estimates(comparison: Comparison, measure: str) -> xr.DataArray:
    """Bias-corrected scores of two layers; scores as they are where there is no interval."""
    scores = comparison.scores[measure]
    if measure not in comparison.intervals:
        return scores
    known = comparison.intervals[measure].sel(statistic="estimate", drop=True)
    return known.where(known.notnull(), scores)


def best_in(
    scores: xr.DataArray, layers: "pd.Index[Any]", others: Sequence[str | None]
) -> NDArray[np.float64]:
    """Find the best score of each layer in any layer of another model.

    Parameters
    ----------
    scores
        Of two layers.
    layers
        Entries that begin with a model and end with one of its layers.
    others
        The other model of each entry; None for none.

    Returns
    -------
    numpy.ndarray
        One number an entry; NaN where none is known.
    """
    known = [place for place, other in enumerate(others) if other is not None]
    found = np.full(len(layers), np.nan)
    names = {
        "model_row": [layers[place][0] for place in known],
        "layer_row": [layers[place][-1] for place in known],
        "model_col": [others[place] for place in known],
    }
    at = {
        dim: xr.DataArray(np.array(each, dtype=object), dims="entry") for dim, each in names.items()
    }
    found[known] = highest(scores.sel(at).transpose("entry", "layer_col").values)
    return found


def highest(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Highest known score of each row; NaN where none is known."""
    highest = np.where(np.isfinite(scores), scores, -np.inf).max(-1, initial=-np.inf)
    return np.where(np.isinf(highest), np.nan, highest)


def knowing_measure(comparison: Comparison) -> str | None:
    """Name of the measure that says which layers of two models go together; None without any."""
    return next((name for name in KNOWING if name in measures(comparison)), None)


def estimated_at(comparison: Comparison, measure: str, ridge: pd.DataFrame) -> pd.DataFrame:
    """Bias-corrected scores in the cells of a ridge, with their intervals where there are any."""
    found = {"estimate": at_best_matches(estimates(comparison, measure), ridge)}
    if measure in comparison.intervals:
        for end in ("low", "high"):
            found[end] = at_best_matches(comparison.intervals[measure].sel(statistic=end), ridge)
    return pd.DataFrame(found, index=ridge.index)


def at_best_matches(scores: xr.DataArray, ridge: pd.DataFrame) -> NDArray[np.float64]:
    """Scores in the cells of a ridge; further dimensions come behind."""
    known = ridge["layer_col"].notna().to_numpy()
    entries = ridge.index.to_frame()[known].assign(layer_col=ridge["layer_col"][known])
    cells = {dim: xr.DataArray(entries[dim].to_numpy(), dims="cell") for dim in CELL}
    here = scores.sel(cells).transpose("cell", ...)
    found = np.full((len(ridge), *here.shape[1:]), np.nan)
    found[known] = here.to_numpy()
    return found


def measures(comparison: Comparison) -> tuple[str, ...]:
    """Names of the measures of two layers, without what was derived from them."""
    return tuple(
        str(name)
        for name, array in comparison.scores.data_vars.items()
        if array.dims == CELL and name in MEASURES
    )


def depth(layer: int, layers: int) -> float:
    """Place of a layer between the first (0) and the last (1) of its model."""
    return layer / max(layers - 1, 1)


def of_layers(comparison: Comparison, measure: str) -> xr.DataArray:
    """Scores of two layers by a measure.

    Raises
    ------
    AssonanceError
        The measure was not measured.
    """
    if measure not in comparison.scores or comparison.scores[measure].dims != CELL:
        raise AssonanceError(
            f"{measure}: not measured of two layers here; you can use: "
            f"{', '.join(measures(comparison)) or 'nothing'}"
        )
    return comparison.scores[measure]
