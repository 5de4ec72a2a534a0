"""Compute what a reader needs to trust the scores: chance level, overfitting, layer descriptors."""

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import false_discovery_control

from assonance.comparison.result import CELL, Comparison
from assonance.inference.intervals import rank_p_value
from assonance.measures import MEASURES
from assonance.measures.layer_descriptors import DESCRIPTORS
from assonance.tables.cells import at_best_matches, depth
from assonance.tables.matches import best_matches


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
    p = rank_p_value(scores.values, nulls.values)
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
        acoustics (log-mel frames in place of the other model; NaN where they were not), least p
        (the lowest that so few shifts can give) and above, the share of pairs with q of at most
        0.05.
    """
    rows = {}
    models = list(comparison.models)
    twins = comparison.twins
    for name in map(str, comparison.nulls.data_vars):
        table = chance(comparison, name) if comparison.nulls[name].dims[:4] == CELL else None
        if table is None or table.empty or name not in MEASURES:
            continue
        floor = comparison.scores[name].sel(model_row=models, model_col=list(twins))
        own = np.array([[of == (row,) for of in twins.values()] for row in models], dtype=bool)
        apart = floor.where(~xr.DataArray(own, dims=("model_row", "model_col")))
        rows[name] = {
            "value": table["value"].mean(),
            "shifted": table["shifted"].mean(),
            "random weights": float(apart.mean()) if twins else np.nan,
            "acoustics": _of_acoustics(comparison, name),
            "least p": 1 / (1 + comparison.nulls.sizes["shift"]),
            "above": float((table["q"] <= 0.05).mean()),
        }
    columns = ["value", "shifted", "random weights", "acoustics", "least p", "above"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("measure")


def _of_acoustics(comparison: Comparison, measure: str) -> float:
    """Mean score of all layers of models in the baseline; NaN where there is none."""
    if comparison.baseline is None:
        return float("nan")
    models = list(comparison.models)
    here = comparison.scores[measure].sel(model_row=models, model_col=comparison.baseline)
    return float(here.mean())


def overfitting(comparison: Comparison, in_sample: str, held_out: str) -> pd.DataFrame:
    """Tell how much of an in-sample measure is left in speech that was held out.

    Returns
    -------
    pandas.DataFrame
        Indexed as `best_layers` of the held-out measure; with layer_col, in_sample, held_out and
        overfitting, their difference.
    """
    table = best_matches(comparison, held_out)
    scores = at_best_matches(comparison.scores[in_sample], table)
    found = pd.DataFrame({"layer_col": table["layer_col"], "in_sample": scores}, index=table.index)
    found["held_out"] = table["value"]
    return found.assign(overfitting=found["in_sample"] - found["held_out"])


def descriptors(comparison: Comparison) -> pd.DataFrame:
    """Tell what each layer is like by itself.

    Returns
    -------
    pandas.DataFrame
        Indexed by model_row and layer_row, twins left out; with depth_row and a column for each of
        `assonance.measures.layer_descriptors.DESCRIPTORS` that is known.
    """
    names = [name for name in DESCRIPTORS if name in comparison.scores]
    rows = []
    for model in comparison.models:
        layers = comparison.layers(model)
        for place, layer in enumerate(layers):
            here = {"model_row": model, "layer_row": layer}
            known = {name: float(comparison.scores[name].sel(here)) for name in names}
            rows.append({**here, "depth_row": depth(place, len(layers)), **known})
    return pd.DataFrame(rows).set_index(["model_row", "layer_row"])
