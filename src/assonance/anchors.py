"""What scores are read against: floors that nothing shared reaches, ceilings, and chance."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import false_discovery_control

from assonance.inference import counting_p
from assonance.measures import MEASURES
from assonance.results import CELL, Comparison

CEILINGS = {
    "seed": "another training seed",
    "neighbour": "the neighbouring layer",
    "halves": "one half of the layer's neurons against the other",
}


def estimates(comparison: Comparison, measure: str) -> xr.DataArray:
    """Bias-corrected scores of two layers; scores as they are where there is no interval."""
    scores = comparison.scores[measure]
    if measure not in comparison.intervals:
        return scores
    known = comparison.intervals[measure].sel(statistic="estimate", drop=True)
    return known.where(known.notnull(), scores)


def ceilings(comparison: Comparison, measure: str, layers: "pd.Index[Any]") -> pd.DataFrame:
    """Say what two layers that have all in common would reach.

    Parameters
    ----------
    comparison, measure
        Where to look; a measure of two layers.
    layers
        Entries that begin with a model and end with one of its layers.

    Returns
    -------
    pandas.DataFrame
        With the same index, a column for each of `CEILINGS` that is known: the best layer of the
        same recipe trained from another seed; the better neighbour of the layer in its own model;
        halves of the layer's neurons.
    """
    scores = estimates(comparison, measure)
    seeds = {model.seed_of: model.name for model in comparison.provenance.models if model.seed_of}
    rows = []
    for model, layer in ((entry[0], entry[-1]) for entry in layers):
        own = comparison.layers(model)
        here = scores.sel(model_row=model, layer_row=layer)
        place = own.index(layer)
        beside = [*own[max(place - 1, 0) : place], *own[place + 1 : place + 2]]
        halves = comparison.halves
        rows.append(
            {
                "seed": _most(here.sel(model_col=seeds[model])) if model in seeds else np.nan,
                "neighbour": _most(here.sel(model_col=model, layer_col=beside)),
                "halves": float(halves[measure].sel(model_row=model, layer_row=layer))
                if measure in halves
                else np.nan,
            }
        )
    return pd.DataFrame(rows, index=layers).dropna(axis="columns", how="all")


def share(value: pd.Series, floor: pd.Series, ceiling: pd.Series) -> pd.Series:
    """Read a score as a share of the way from its floor to its ceiling; NaN without a way.

    Below 0 under the floor and above 1 over the ceiling.
    """
    room = ceiling - floor
    return (value - floor) / room.where(room > 0)


def chance(comparison: Comparison, measure: str) -> pd.DataFrame:
    """Hold every score of layers of two models against what it reads of shifted speech.

    Returns
    -------
    pandas.DataFrame
        Indexed by model_row, layer_row, model_col, layer_col; with value, shifted (the mean over
        shifts), p (the share of shifts that reach the value, itself counted as one of them: no
        less than 1/(shifts + 1)) and q (p after Benjamini and Hochberg's correction over all pairs
        of layers of different models). Empty where nothing was shifted.
    """
    if measure not in comparison.nulls:
        return pd.DataFrame(columns=["value", "shifted", "p", "q"])
    models = list(comparison.models)
    nulls = comparison.nulls[measure].sel(model_row=models, model_col=models)
    scores = comparison.scores[measure].sel(model_row=models, model_col=models)
    p = counting_p(scores.values, nulls.values)
    found = xr.Dataset({"value": scores, "shifted": nulls.mean("shift"), "p": (CELL, p)})
    table = found.to_dataframe()[["value", "shifted", "p"]].dropna()
    rows, columns = (table.index.get_level_values(f"model_{side}") for side in ("row", "col"))
    table = table[rows != columns]
    return table.assign(q=false_discovery_control(table["p"].to_numpy()))


def chance_by_measure(comparison: Comparison) -> pd.DataFrame:
    """Average what measures read between models, and what they read of shifted speech.

    Returns
    -------
    pandas.DataFrame
        Indexed by measure; with value, shifted, random weights (NaN where no twin was compared),
        least p (the lowest that so few shifts can give) and above, the share of pairs with q of at
        most 0.05.
    """
    rows = {}
    models = list(comparison.models)
    twins = [name for model in models if (name := comparison.twin(model))]
    for name in map(str, comparison.nulls.data_vars):
        table = chance(comparison, name) if comparison.nulls[name].dims[:4] == CELL else None
        if table is None or table.empty or name not in MEASURES:
            continue
        floor = comparison.scores[name].sel(model_row=models, model_col=twins)
        own = np.array([[comparison.twin(row) == col for col in twins] for row in models], bool)
        apart = floor.where(~xr.DataArray(own, dims=("model_row", "model_col")))
        rows[name] = {
            "value": table["value"].mean(),
            "shifted": table["shifted"].mean(),
            "random weights": float(apart.mean()) if twins else np.nan,
            "least p": 1 / (1 + comparison.nulls.sizes["shift"]),
            "above": float((table["q"] <= 0.05).mean()),
        }
    columns = ["value", "shifted", "random weights", "least p", "above"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("measure")


def _most(scores: xr.DataArray) -> float:
    """Highest of some scores; NaN where none is known."""
    known = scores.values[np.isfinite(scores.values)]
    return float(known.max()) if known.size else float("nan")
