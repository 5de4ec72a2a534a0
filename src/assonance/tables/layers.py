"""Layers in tables: the scores of all pairs of them, and what each is like by itself."""

import pandas as pd
import xarray as xr

from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError
from assonance.tables import cells
from assonance.tables.cells import depth, of_layers


def matrix(
    comparison: Comparison, measure: str, *, twins: bool = False, statistic: str | None = None
) -> pd.DataFrame:
    """Scores of all layers of all models against each other.

    Parameters
    ----------
    comparison, measure
        Where to look; a measure of two layers.
    twins
        Whether random-weights twins and the baseline have rows and columns too.
    statistic
        ``"estimate"``, ``"low"`` or ``"high"`` of the intervals in place of the scores, for a
        measure that has them.

    Returns
    -------
    pandas.DataFrame
        Rows and columns labelled by model and layer; NaN where nothing was measured.

    Raises
    ------
    AssonanceError
        The measure was not measured.
    """
    models = [each.name for each in comparison.provenance.models] if twins else comparison.models
    cells = [(model, layer) for model in models for layer in comparison.layers(model)]
    places = {
        f"{part}_{side}": xr.DataArray([cell[i] for cell in cells], dims=side)
        for side in ("row", "col")
        for i, part in enumerate(("model", "layer"))
    }
    labels = pd.MultiIndex.from_tuples(cells, names=("model", "layer"))
    scores = of_layers(comparison, measure)
    if statistic is not None:
        scores = comparison.intervals[measure].sel(statistic=statistic)
    scores = scores.sel(places)
    return pd.DataFrame(scores.to_numpy(), index=labels, columns=labels)


def consensus(comparison: Comparison) -> pd.DataFrame:
    """Mean over a layer's neurons of their worst match in any layer of the other models.

    Returns
    -------
    pandas.DataFrame
        Indexed by model_row and layer_row; with depth_row, value, estimate (corrected for bias
        where there is an interval: low, high) and, where twins were compared, floor: the same of
        the model's random-weights twin.

    Raises
    ------
    AssonanceError
        `mincorr` was not measured.
    """
    if "mincorr" not in comparison.scores:
        raise AssonanceError("mincorr was not measured; compare with mincorr")
    scores, estimates = comparison.scores["mincorr"], cells.estimates(comparison, "mincorr")
    rows = []
    for model in comparison.models:
        layers, twin = comparison.layers(model), comparison.twin(model)
        for i, layer in enumerate(layers):
            at = {"model_row": model, "layer_row": layer}
            row = at | {"depth_row": depth(i, len(layers)), "value": float(scores.sel(at))}
            row["estimate"] = float(estimates.sel(at))
            if "mincorr" in comparison.intervals:
                sure = comparison.intervals["mincorr"].sel(at)
                row |= {end: float(sure.sel(statistic=end)) for end in ("low", "high")}
            if twin:
                row["floor"] = float(estimates.sel(at | {"model_row": twin}))
            rows.append(row)
    table = pd.DataFrame(rows).set_index(["model_row", "layer_row"])
    return table.dropna(axis="columns", how="all")
