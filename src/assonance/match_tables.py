"""The most similar layer of each other model, and what that similarity stands beside."""

from itertools import permutations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from assonance import anchors, tables
from assonance.errors import AssonanceError
from assonance.inference import DRAWS, LOCALISATION, METHODS, ROTATED, variance_of_bases, whole_of
from assonance.kinship import Kinship
from assonance.results import CELL, Comparison

# What says which column layer knows most of a row layer, the most trustworthy first.
_KNOWING = ("linreg_heldout", "linreg_heldout_r", "linreg", "cka")


def ridge(comparison: Comparison, measure: str) -> pd.DataFrame:
    """For each layer, find the layer of each other model that is most similar.

    Parameters
    ----------
    comparison, measure
        Where to look; a measure of two layers.

    Returns
    -------
    pandas.DataFrame
        The first columns of `best_layers`: layer_col, depth_row, depth_col, value.

    Raises
    ------
    AssonanceError
        The measure was not measured, or there is one model alone.
    """
    tables.of_layers(comparison, measure)
    models = comparison.models
    if len(models) < 2:
        raise AssonanceError("one model alone has no layers of another to be compared with")
    rows = []
    for row, col in permutations(models, 2):
        scores = comparison.matrix(measure, row, col).to_numpy()
        for i, layer in enumerate(comparison.layers(row)):
            known = not np.isnan(scores[i]).all()
            j = int(np.nanargmax(scores[i])) if known else None
            rows.append(
                {
                    "model_row": row,
                    "model_col": col,
                    "layer_row": layer,
                    "layer_col": None if j is None else comparison.layers(col)[j],
                    "depth_row": tables.depth(i, scores.shape[0]),
                    "depth_col": np.nan if j is None else tables.depth(j, scores.shape[1]),
                    "value": np.nan if j is None else float(scores[i, j]),
                }
            )
    return pd.DataFrame(rows).set_index(["model_row", "model_col", "layer_row"])


def best_layers(comparison: Comparison, measure: str) -> pd.DataFrame:
    """For each layer, the layer of each other model that is most similar, and how similar.

    Parameters
    ----------
    comparison, measure
        Where to look; a measure of two layers.

    Returns
    -------
    pandas.DataFrame
        Indexed by model_row, model_col and layer_row; with layer_col, the relative depths
        depth_row and depth_col (0 the first layer, 1 the last), value, estimate (corrected for
        bias where there is an interval: low, high), and, where they are known, floor (see
        `floor_name`), acoustics (what log-mel frames alone reach of the row layer, with its
        interval; see `assonance.anchors.acoustics`) and, where variance is explained, of_acoustics
        (how much of what the other model explains they explain), shifted (what the two layers
        read of shifted speech), ceilings (see `assonance.anchors.ceilings`) and share, how far
        the estimate lies from floor to ceiling (see `ceiling_name`), with its interval:
        share_low, share_high, floor and ceiling taken as they are. What is undefined is NaN.

    Raises
    ------
    AssonanceError
        The measure was not measured, or there is one model alone.
    """
    table = ridge(comparison, measure)
    table = table.join(_estimated(comparison, measure, table))
    if floor_name(comparison, measure) is not None:
        if measure == "maxcorr":
            rotated = anchors.estimates(comparison, ROTATED)
            table = table.assign(floor=_at_ridge(rotated, table))
        else:
            table = table.assign(floor=_of_twins(comparison, measure, table))
    if measure != ROTATED:
        table = table.join(anchors.acoustics(comparison, measure, table.index))
    if "acoustics" in table and measure in anchors.EXPLAINED:
        explained = table["estimate"].where(table["estimate"] > 0)
        table["of_acoustics"] = table["acoustics"].clip(lower=0) / explained
    if measure in comparison.nulls:
        shifted = comparison.nulls[measure].mean("shift")
        table = table.assign(shifted=_at_ridge(shifted, table))
    table = table.join(anchors.ceilings(comparison, measure, table.index))
    ceiling = ceiling_name(table)
    if "floor" in table and ceiling is not None:
        for name, read in (("share", "estimate"), ("share_low", "low"), ("share_high", "high")):
            if read in table:
                table[name] = anchors.share(table[read], table["floor"], table[ceiling])
    return table


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
    scores = tables.of_layers(comparison, measure)
    twins = list(comparison.twins)
    if measure in ("maxcorr", ROTATED) or not twins:
        return None
    known = scores.sel(model_row=list(comparison.models), model_col=twins).notnull().any()
    return "random weights" if known else None


def ceiling_name(table: pd.DataFrame) -> str | None:
    """Name the column of `best_layers` that is the ceiling, a key of `assonance.anchors.CEILINGS`.

    Another seed where one was compared, the neighbouring layer otherwise; None without either.
    """
    return next((name for name in ("seed", "neighbour") if name in table), None)


def mean_over_layers(
    comparison: Comparison, measure: str, ridge: pd.DataFrame
) -> tuple[float, float, float]:
    """Average a measure over the cells of a ridge, and say how surely.

    Parameters
    ----------
    comparison, measure
        Where to look; a measure of two layers.
    ridge
        Rows of what `best_layers` gives.

    Returns
    -------
    tuple of float
        Estimate, low and high end of its 95 % interval; the plain mean and twice NaN where the
        measure has no interval. All NaN where the ridge knows no layer.
    """
    known = ridge.dropna(subset="layer_col")
    if known.empty:
        return np.nan, np.nan, np.nan
    whole = float(np.mean(_at_ridge(comparison.scores[measure], known)))
    if measure not in comparison.replicates:
        return whole, np.nan, np.nan
    replicates = comparison.replicates[measure]
    method = METHODS[str(replicates.dims[-1])]
    found = method(np.array(whole), _at_ridge(replicates, known).mean(0))
    if measure == LOCALISATION and DRAWS in comparison.replicates:
        draws = _at_ridge(comparison.replicates[DRAWS], known)
        ends = (whole_of(comparison.scores), ROTATED)
        knows, rotated = (np.mean(_at_ridge(comparison.scores[name], known)) for name in ends)
        # Layers of one width meet the same bases: averaging over layers does not average them.
        found = found.plus(*variance_of_bases(draws.mean(0), np.array(knows - rotated)))
    if np.isnan(found.estimate):  # with too little speech a score without some of it is undefined
        return whole, np.nan, np.nan
    low, high = map(float, found.ends)
    return float(found.estimate), low, high


def overfitting(comparison: Comparison, in_sample: str, held_out: str) -> pd.DataFrame:
    """Tell how much of an in-sample measure is left in speech that was held out.

    Returns
    -------
    pandas.DataFrame
        Indexed as `best_layers` of the held-out measure; with layer_col, in_sample, held_out and
        overfitting, their difference.
    """
    table = ridge(comparison, held_out)
    scores = _at_ridge(comparison.scores[in_sample], table)
    found = pd.DataFrame({"layer_col": table["layer_col"], "in_sample": scores}, index=table.index)
    found["held_out"] = table["value"]
    return found.assign(overfitting=found["in_sample"] - found["held_out"])


def localisation(comparison: Comparison) -> pd.DataFrame:
    """Localisation index of each layer in the layer of each other model that knows it best.

    Returns
    -------
    pandas.DataFrame
        Indexed as `best_layers`; with layer_col, depth_row, depth_col, value (the index: 0 when
        what is shared lies in no single neuron, 1 when single neurons say all of it), estimate
        (corrected for bias where there is an interval: low, high) and known, how well that layer
        predicts the row layer.

    Raises
    ------
    AssonanceError
        It was not measured, or there is one model alone.
    """
    knowing = knowing_measure(comparison)
    if LOCALISATION not in comparison.scores or knowing is None:
        raise AssonanceError(
            "localisation was not measured; compare with maxcorr, maxcorr_rotated, linreg_heldout"
        )
    table = ridge(comparison, knowing)
    index = _at_ridge(comparison.scores[LOCALISATION], table)
    found = table.assign(known=table["value"], value=index)
    return found.join(_estimated(comparison, LOCALISATION, table))


def knowing_measure(comparison: Comparison) -> str | None:
    """Name of the measure that says which layers of two models go together; None without any."""
    return next((name for name in _KNOWING if name in tables.measures(comparison)), None)


def best_pair(comparison: Comparison) -> tuple[str, str, str, str] | None:
    """Find the two layers of different models of which one knows most of the other.

    Of models trained apart where there are any: another seed, or a fine-tuned model, knows more.

    Returns
    -------
    tuple of str or None
        model_row, layer_row, model_col, layer_col; None where nothing says so.
    """
    knowing = knowing_measure(comparison)
    if knowing is None or len(comparison.models) < 2:
        return None
    table = ridge(comparison, knowing)
    kin = Kinship(comparison.provenance.models)
    apart = np.array([kin.apart(kin.models[a], kin.models[b]) for a, b, _ in table.index])
    if table["value"][apart].notna().any():
        table = table[apart]
    if table["value"].isna().all():
        return None
    place = int(np.nanargmax(table["value"]))
    row, col, layer_row = table.index[place]
    return row, layer_row, col, str(table["layer_col"].iloc[place])


def _estimated(comparison: Comparison, measure: str, ridge: pd.DataFrame) -> pd.DataFrame:
    """Bias-corrected scores in the cells of a ridge, with their intervals where there are any."""
    found = {"estimate": _at_ridge(anchors.estimates(comparison, measure), ridge)}
    if measure in comparison.intervals:
        for end in ("low", "high"):
            found[end] = _at_ridge(comparison.intervals[measure].sel(statistic=end), ridge)
    return pd.DataFrame(found, index=ridge.index)


def _of_twins(comparison: Comparison, measure: str, ridge: pd.DataFrame) -> NDArray[np.float64]:
    """Best score of each row layer in the random-weights twin of the column model."""
    twins = [comparison.twin(col) for col in ridge.index.get_level_values("model_col")]
    return anchors.best_in(anchors.estimates(comparison, measure), ridge.index, twins)


def _at_ridge(scores: xr.DataArray, ridge: pd.DataFrame) -> NDArray[np.float64]:
    """Scores in the cells of a ridge; further dimensions come behind."""
    known = ridge["layer_col"].notna().to_numpy()
    entries = ridge.index.to_frame()[known].assign(layer_col=ridge["layer_col"][known])
    cells = {dim: xr.DataArray(entries[dim].to_numpy(), dims="cell") for dim in CELL}
    here = scores.sel(cells).transpose("cell", ...)
    found = np.full((len(ridge), *here.shape[1:]), np.nan)
    found[known] = here.to_numpy()
    return found
