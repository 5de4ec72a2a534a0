"""Read scores cell by cell: by lists of cells, as labelled tables, at the best matches."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from assonance.comparison.lookup import find_measure
from assonance.comparison.result import CELL, Comparison
from assonance.errors import AssonanceError
from assonance.inference.intervals import METHODS, Method
from assonance.measures.names import LEVELS
from assonance.measures.roles import LEADING, PREDICTING

BOUNDS = ("low", "high")


def read(array: xr.DataArray, cells: Mapping[str, Iterable[Any]]) -> NDArray[np.float64]:
    """Read an array at a list of n cells.

    Parameters
    ----------
    array
        Scores or replicates.
    cells
        For each dimension, the n labels along it. A cell with a label that is None or NaN is
        not read.

    Returns
    -------
    numpy.ndarray
        Shape (n, ...): dimensions that `cells` does not name follow in their own order. NaN in
        cells that were not read.
    """
    labels = {dim: pd.Index(list(each), dtype=object) for dim, each in cells.items()}
    complete = np.logical_and.reduce([each.notna() for each in labels.values()])
    places = tuple(_places(array, dim, each[complete]) for dim, each in labels.items())
    values = array.transpose(*labels, ...).to_numpy()[places]
    result = np.full((len(complete), *values.shape[1:]), np.nan)
    result[complete] = values
    return result


def _places(array: xr.DataArray, dim: str, labels: "pd.Index[Any]") -> NDArray[np.intp]:
    """Return where labels are along a dimension; KeyError for one that is not there."""
    places = array.indexes[dim].get_indexer(labels)
    if (places < 0).any():
        raise KeyError(labels[places < 0][0])
    return np.asarray(places)


def table(array: xr.DataArray, index: pd.MultiIndex, columns: pd.MultiIndex) -> pd.DataFrame:
    """Read all combinations of row and column labels, as a table.

    Parameters
    ----------
    array
        With dimensions that are named by the levels of `index` and ``_row``, and by the levels of
        `columns` and ``_col``.
    index, columns
        Labels of the rows and columns, such as model and layer.
    """
    at = {
        f"{level}_{side}": xr.DataArray(labels.get_level_values(level).to_numpy(), dims=side)
        for side, labels in (("row", index), ("col", columns))
        for level in map(str, labels.names)
    }
    values = array.sel(at).transpose("row", "col").to_numpy()
    return pd.DataFrame(values, index=index, columns=columns)


def estimates(comparison: Comparison, measure: str) -> xr.DataArray:
    """Return bias-corrected scores; plain scores where a measure has no interval."""
    scores = comparison.scores[measure]
    if measure not in comparison.intervals:
        return scores
    corrected = comparison.intervals[measure].sel(statistic="estimate", drop=True)
    return corrected.where(corrected.notnull(), scores)


def bounds(comparison: Comparison, measure: str) -> dict[str, xr.DataArray]:
    """Return the ends of a measure's intervals by `BOUNDS`; empty if it has no interval."""
    if measure not in comparison.intervals:
        return {}
    ends = comparison.intervals[measure]
    return {bound: ends.sel(statistic=bound, drop=True) for bound in BOUNDS}


def method_of(replicates: xr.DataArray) -> Method:
    """Return the method that makes intervals of these replicates: jackknife or bootstrap."""
    return METHODS[str(replicates.dims[-1])]


def best_scores(
    scores: xr.DataArray, layers: "pd.Index[Any]", others: Sequence[str | None]
) -> NDArray[np.float64]:
    """Find the best score of each layer in any layer of another model.

    Parameters
    ----------
    scores
        Of pairs of layers.
    layers
        Entries that begin with a model and end with one of its layers.
    others
        The other model of each entry, or None.

    Returns
    -------
    numpy.ndarray
        One score per entry; NaN if no layer has one.
    """
    cells = {
        "model_row": [entry[0] for entry in layers],
        "layer_row": [entry[-1] for entry in layers],
        "model_col": others,
    }
    return highest(read(scores, cells))


def highest(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the highest defined score of each row; NaN if none is defined."""
    most = np.where(np.isfinite(scores), scores, -np.inf).max(-1, initial=-np.inf)
    return np.where(np.isinf(most), np.nan, most)


def nearest_scored(
    comparison: Comparison, scores: xr.DataArray, side: str, model: str
) -> dict[str, str]:
    """Find, for each layer of a model, the nearest of its layers that was compared.

    Random twins are compared, and layers shifted, at a few depths: the scores are the same at all.

    Parameters
    ----------
    comparison, scores
        Scores to read.
    side
        ``"row"`` or ``"col"``.
    model
        Name of the model.

    Returns
    -------
    dict of str
        Empty if no layer was compared; of two equally near, the first.
    """
    labels = comparison.layers(model)
    along = f"layer_{side}"
    defined = scores.sel({f"model_{side}": model}).notnull()
    compared = defined.any([dim for dim in defined.dims if dim != along])
    places = [place for place, each in enumerate(labels) if compared.sel({along: each})]
    if not places:
        return {}
    return {
        label: labels[min(places, key=lambda each: abs(each - place))]
        for place, label in enumerate(labels)
    }


def predicting_measure(comparison: Comparison) -> str | None:
    """Name the measure that picks the best-matching layer, or None if none was computed."""
    return next((name for name in PREDICTING if name in measures(comparison)), None)


def at_best_matches(scores: xr.DataArray, best: pd.DataFrame) -> NDArray[np.float64]:
    """Read scores or replicates at the best match of each layer.

    Parameters
    ----------
    scores
        Of pairs of layers; further dimensions are kept behind.
    best
        As `assonance.tables.matches.best_matches` returns it.
    """
    rows = {dim: best.index.get_level_values(dim) for dim in CELL[:3]}
    return read(scores, {**rows, "layer_col": best["layer_col"]})


def estimates_at(comparison: Comparison, measure: str, best: pd.DataFrame) -> pd.DataFrame:
    """Read bias-corrected scores at the best matches, with low and high if there are intervals."""
    columns = {"estimate": estimates(comparison, measure), **bounds(comparison, measure)}
    values = {name: at_best_matches(array, best) for name, array in columns.items()}
    return pd.DataFrame(values, index=best.index)


def measures(comparison: Comparison) -> tuple[str, ...]:
    """Name the measures of pairs of layers; derived scores such as localisation are left out."""
    return tuple(
        str(name)
        for name, array in comparison.scores.data_vars.items()
        if array.dims == CELL and name in LEVELS
    )


def depth(layer: int, layers: int) -> float:
    """Return the relative depth of a layer: 0 for the first of its model, 1 for the last."""
    return layer / max(layers - 1, 1)


def of_layers(comparison: Comparison, measure: str) -> xr.DataArray:
    """Return a measure's scores of pairs of layers.

    Raises
    ------
    AssonanceError
        The measure was not computed.
    """
    if measure not in comparison.scores or comparison.scores[measure].dims != CELL:
        raise AssonanceError(
            f"{measure}: was not computed for pairs of layers; you can use: "
            f"{', '.join(measures(comparison)) or 'nothing'}"
        )
    return comparison.scores[measure]


def leading_measure(comparison: Comparison, measure: str | None = None) -> str:
    """Return the name of a measure of pairs of layers; the leading one that was taken if None.

    Raises
    ------
    AssonanceError
        The measure was not taken, or none of pairs of layers was.
    """
    if measure is not None:
        return find_measure(comparison, measure)
    taken = measures(comparison)
    found = next((name for name in LEADING if name in taken), next(iter(taken), None))
    if found is None:
        raise AssonanceError("no measure of pairs of layers was taken")
    return found
