"""What scores are read against: floors that nothing shared reaches, ceilings, and chance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from assonance.inference import counting_p
from assonance.measures import MEASURES
from assonance.results import CELL, Comparison

# Of the variance that the other layer explains, log-mel frames explain a share.
EXPLAINED = ("linreg_heldout", "linreg_r2")
ACOUSTICS = "acoustics alone: log-mel"
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
    models = [str(entry[0]) for entry in layers]
    found = pd.DataFrame({"seed": best_in(scores, layers, [seeds.get(m) for m in models])}, layers)
    halves = comparison.halves.get(measure)
    beside: dict[tuple[str, str], float] = {}
    own_halves: dict[tuple[str, str], float] = {}
    for model in dict.fromkeys(models):
        own = comparison.layers(model)
        here = scores.sel(
            model_row=model, model_col=model, layer_row=list(own), layer_col=list(own)
        ).transpose("layer_row", "layer_col")
        places = np.arange(len(own))
        apart = np.abs(places[:, None] - places[None, :])
        nearest = _most(np.where(apart == 1, here.values, np.nan))
        beside |= {(model, layer): nearest[i] for i, layer in enumerate(own)}
        if halves is not None:
            known = halves.sel(model_row=model, layer_row=list(own)).values
            own_halves |= {(model, layer): known[i] for i, layer in enumerate(own)}
    ends = [(str(entry[0]), str(entry[-1])) for entry in layers]
    found["neighbour"] = [beside[end] for end in ends]
    found["halves"] = [own_halves.get(end, np.nan) for end in ends]
    return found.dropna(axis="columns", how="all")


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
    found[known] = _most(scores.sel(at).transpose("entry", "layer_col").values)
    return found


def acoustics(comparison: Comparison, measure: str, layers: "pd.Index[Any]") -> pd.DataFrame:
    """Say what log-mel frames alone would reach: the floor that the acoustics give.

    Parameters
    ----------
    comparison, measure
        Where to look; a measure of two layers.
    layers
        Entries that begin with a model and end with one of its layers.

    Returns
    -------
    pandas.DataFrame
        With the same index; acoustics and, where there is an interval, acoustics_low and
        acoustics_high. No columns where the baseline was not compared or has no score.
    """
    nothing = pd.DataFrame(index=layers)
    if comparison.baseline is None:
        return nothing
    others = [comparison.baseline] * len(layers)
    found = {"acoustics": best_in(estimates(comparison, measure), layers, others)}
    if np.isnan(found["acoustics"]).all():
        return nothing
    if measure in comparison.intervals:
        # The baseline has one layer, so that the ends are those of the best.
        for end in ("low", "high"):
            bound = comparison.intervals[measure].sel(statistic=end, drop=True)
            found[f"acoustics_{end}"] = best_in(bound, layers, others)
    return pd.DataFrame(found, index=layers)


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


def _most(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Highest known score of each row; NaN where none is known."""
    highest = np.where(np.isfinite(scores), scores, -np.inf).max(-1, initial=-np.inf)
    return np.where(np.isinf(highest), np.nan, highest)
