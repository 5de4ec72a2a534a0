"""Compute what scores can be trusted for: chance level, overfitting, layer descriptors."""

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import false_discovery_control

from assonance.comparison.result import CELL, Comparison
from assonance.inference.intervals import rank_p_value
from assonance.measures.names import LEVELS
from assonance.tables import cells, floors_and_ceilings
from assonance.tables.cells import at_best_matches, depth, nearest_scored
from assonance.tables.floors_and_ceilings import SHIFTED, Reference
from assonance.tables.matches import best_matches

# Pairs of layers whose q is at most this count as above chance.
SIGNIFICANT = 0.05


def chance(comparison: Comparison, measure: str) -> pd.DataFrame:
    """Test scores of layers of two models against their circular-shift nulls, where these are.

    Returns
    -------
    pandas.DataFrame
        Indexed by model_row, layer_row, model_col, layer_col; with value, shifted (the mean over
        shifts), p (the share of shifts that reach the value, counting the value itself: at least
        1/(shifts + 1)) and q (p corrected by Benjamini and Hochberg over all pairs of layers of
        different models). Empty if there is no null.
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
    """Average the scores of different models, their nulls and their references, by measure.

    Returns
    -------
    pandas.DataFrame
        Indexed by measure; with value, shifted (the null), the name of each reference that has a
        mean (NaN if it was not compared), least p (the lowest p that this number of shifts can
        give) and above, the share of pairs with q of at most `SIGNIFICANT`; NaN if no p of so few
        shifts can be that low.
    """
    rows = {}
    least = 1 / (1 + comparison.nulls.sizes.get("shift", 0))
    for name in map(str, comparison.nulls.data_vars):
        table = chance(comparison, name) if comparison.nulls[name].dims[:4] == CELL else None
        if table is None or table.empty or name not in LEVELS:
            continue
        rows[name] = {
            "value": _mean_across(comparison, name),
            SHIFTED.name: table["shifted"].mean(),
            **{each.name: each.mean(comparison, name) for each in averaged() if each.mean},
            "least p": least,
            "above": float((table["q"] <= SIGNIFICANT).mean()) if least <= SIGNIFICANT else np.nan,
        }
    names = [each.name for each in (SHIFTED, *averaged())]
    columns = ["value", *names, "least p", "above"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("measure")


def _mean_across(comparison: Comparison, measure: str) -> float:
    """Average the scores of all pairs of layers of two models."""
    models = list(comparison.models)
    scores = comparison.scores[measure].sel(model_row=models, model_col=models)
    return float(scores.where(scores["model_row"] != scores["model_col"]).mean())


def averaged() -> list[Reference]:
    """List the references that have a mean over all pairs of layers."""
    return [each for each in floors_and_ceilings.REFERENCES if each.mean is not None]


def twin_layers(comparison: Comparison, measure: str) -> dict[str, tuple[str, ...]]:
    """Return the layers of each random twin that a measure compares, if these are not all."""
    found = {}
    for twin in comparison.twins:
        near = nearest_scored(comparison, comparison.scores[measure], "col", twin)
        compared = tuple(label for label, nearest in near.items() if label == nearest)
        if 0 < len(compared) < len(near):
            found[twin] = compared
    return found


def null_depths(comparison: Comparison) -> int | None:
    """Count the layers of a model at which nulls were computed; None if at all layers or none."""
    tables = [array for array in comparison.nulls.data_vars.values() if array.dims[:4] == CELL]
    for array in tables[:1]:
        near = [nearest_scored(comparison, array, "row", each) for each in comparison.models]
        shifted = [len(set(each.values())) for each in near]
        if any(count < len(each) for count, each in zip(shifted, near, strict=True)):
            return max(shifted)
    return None


def overfitting(comparison: Comparison, in_sample: str, held_out: str) -> pd.DataFrame:
    """Compute overfitting: the in-sample score minus the held-out score, at the best matches.

    Returns
    -------
    pandas.DataFrame
        Indexed as `assonance.tables.matches.best_layers` of the held-out measure; with layer_col,
        in_sample, held_out and overfitting, their difference.
    """
    best = best_matches(comparison, held_out)
    table = pd.DataFrame(
        {
            "layer_col": best["layer_col"],
            "in_sample": at_best_matches(comparison.scores[in_sample], best),
            "held_out": best["value"],
        },
        index=best.index,
    )
    return table.assign(overfitting=table["in_sample"] - table["held_out"])


def descriptors(comparison: Comparison) -> pd.DataFrame:
    """Return the descriptors of each layer, such as its effective rank.

    Returns
    -------
    pandas.DataFrame
        Indexed by model_row and layer_row, without twins and baseline; with depth_row and a column
        for each of `assonance.measures.layer_descriptors.DESCRIPTORS` that was computed.
    """
    from assonance.measures.layer_descriptors import DESCRIPTORS  # which imports torch

    names = [name for name in DESCRIPTORS if name in comparison.scores]
    tables = []
    for model in comparison.models:
        layers = comparison.layers(model)
        rows = {"model_row": [model] * len(layers), "layer_row": layers}
        depths = [depth(place, len(layers)) for place in range(len(layers))]
        values = {name: cells.read(comparison.scores[name], rows) for name in names}
        tables.append(pd.DataFrame({**rows, "depth_row": depths, **values}))
    return pd.concat(tables).set_index(["model_row", "layer_row"])
