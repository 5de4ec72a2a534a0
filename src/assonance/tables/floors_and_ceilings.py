"""What scores are read against: floors that nothing shared reaches, ceilings, and chance."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assonance.comparison.result import Comparison
from assonance.inference.localisation import ROTATED
from assonance.tables import cells
from assonance.tables.cells import best_in, estimates, highest

ACOUSTICS = "acoustics alone: log-mel"


CEILINGS = {
    "seed": "another training seed",
    "neighbour": "the neighbouring layer",
    "halves": "one half of the layer's neurons against the other",
}


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
        nearest = highest(np.where(apart == 1, here.values, np.nan))
        beside |= {(model, layer): nearest[i] for i, layer in enumerate(own)}
        if halves is not None:
            known = halves.sel(model_row=model, layer_row=list(own)).values
            own_halves |= {(model, layer): known[i] for i, layer in enumerate(own)}
    ends = [(str(entry[0]), str(entry[-1])) for entry in layers]
    found["neighbour"] = [beside[end] for end in ends]
    found["halves"] = [own_halves.get(end, np.nan) for end in ends]
    return found.dropna(axis="columns", how="all")


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


def floor_name(comparison: Comparison, measure: str) -> str | None:
    """Say what the floor of a measure is: what would score so without anything in common.

    Returns
    -------
    str or None
        For `maxcorr`, the same layer with its axes rotated at random; for others, the best layer
        of the column model's random-weights twin. None where neither was measured.
    """
    if measure == "maxcorr" and ROTATED in comparison.scores:
        return "randomly rotated neurons"
    scores = cells.of_layers(comparison, measure)
    twins = list(comparison.twins)
    if measure in ("maxcorr", ROTATED) or not twins:
        return None
    known = scores.sel(model_row=list(comparison.models), model_col=twins).notnull().any()
    return "random weights" if known else None


def ceiling_name(table: pd.DataFrame) -> str | None:
    """Name the column of `best_layers` that is the ceiling, a key of `CEILINGS`.

    Another seed where one was compared, the neighbouring layer otherwise; None without either.
    """
    return next((name for name in ("seed", "neighbour") if name in table), None)


def of_twins(comparison: Comparison, measure: str, ridge: pd.DataFrame) -> NDArray[np.float64]:
    """Best score of each row layer in the random-weights twin of the column model."""
    twins = [comparison.twin(col) for col in ridge.index.get_level_values("model_col")]
    return cells.best_in(cells.estimates(comparison, measure), ridge.index, twins)
