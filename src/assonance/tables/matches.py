"""The most similar layer of each other model, and what that similarity stands beside."""

from itertools import permutations

import numpy as np
import pandas as pd

from assonance.comparison.relations import Relations
from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError
from assonance.inference.intervals import METHODS
from assonance.inference.localisation import (
    DRAWS,
    LOCALISATION,
    ROTATED,
    predicted_r_of,
    rotation_variance,
)
from assonance.measures import roles
from assonance.tables import cells, floors_and_ceilings
from assonance.tables.cells import at_best_matches, estimated_at, knowing_measure
from assonance.tables.floors_and_ceilings import ceiling_name, floor_name, of_twins


def best_matches(comparison: Comparison, measure: str) -> pd.DataFrame:
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
    cells.of_layers(comparison, measure)
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
                    "depth_row": cells.depth(i, scores.shape[0]),
                    "depth_col": np.nan if j is None else cells.depth(j, scores.shape[1]),
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
        interval; see `acoustics`) and, where variance is explained, of_acoustics
        (how much of what the other model explains they explain), shifted (what the two layers
        read of shifted speech), ceilings (see `ceilings`) and share, how far
        the estimate lies from floor to ceiling (see `ceiling_name`), with its interval:
        share_low, share_high, floor and ceiling taken as they are. What is undefined is NaN.

    Raises
    ------
    AssonanceError
        The measure was not measured, or there is one model alone.
    """
    table = best_matches(comparison, measure)
    table = table.join(estimated_at(comparison, measure, table))
    if floor_name(comparison, measure) is not None:
        if measure == "maxcorr":
            rotated = cells.estimates(comparison, ROTATED)
            table = table.assign(floor=at_best_matches(rotated, table))
        else:
            table = table.assign(floor=of_twins(comparison, measure, table))
    if measure != ROTATED:
        table = table.join(floors_and_ceilings.acoustics(comparison, measure, table.index))
    if "acoustics" in table and measure in roles.EXPLAINED:
        explained = table["estimate"].where(table["estimate"] > 0)
        table["of_acoustics"] = table["acoustics"].clip(lower=0) / explained
    if measure in comparison.nulls:
        shifted = comparison.nulls[measure].mean("shift")
        table = table.assign(shifted=at_best_matches(shifted, table))
    table = table.join(floors_and_ceilings.ceilings(comparison, measure, table.index))
    ceiling = ceiling_name(table)
    if "floor" in table and ceiling is not None:
        for name, read in (("share", "estimate"), ("share_low", "low"), ("share_high", "high")):
            if read in table:
                table[name] = floors_and_ceilings.share(table[read], table["floor"], table[ceiling])
    return table


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
    whole = float(np.mean(at_best_matches(comparison.scores[measure], known)))
    if measure not in comparison.replicates:
        return whole, np.nan, np.nan
    replicates = comparison.replicates[measure]
    method = METHODS[str(replicates.dims[-1])]
    found = method(np.array(whole), at_best_matches(replicates, known).mean(0))
    if measure == LOCALISATION and DRAWS in comparison.replicates:
        draws = at_best_matches(comparison.replicates[DRAWS], known)
        ends = (predicted_r_of(comparison.scores), ROTATED)
        knows, rotated = (np.mean(at_best_matches(comparison.scores[name], known)) for name in ends)
        # Layers of one width meet the same bases: averaging over layers does not average them.
        found = found.add_variance(*rotation_variance(draws.mean(0), np.array(knows - rotated)))
    if np.isnan(found.estimate):  # too little speech: some replicate is undefined
        return whole, np.nan, np.nan
    low, high = map(float, found.interval)
    return float(found.estimate), low, high


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
    table = best_matches(comparison, knowing)
    index = at_best_matches(comparison.scores[LOCALISATION], table)
    found = table.assign(known=table["value"], value=index)
    return found.join(estimated_at(comparison, LOCALISATION, table))


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
    table = best_matches(comparison, knowing)
    kin = Relations(comparison.provenance.models)
    apart = np.array([kin.unrelated(kin.models[a], kin.models[b]) for a, b, _ in table.index])
    if table["value"][apart].notna().any():
        table = table[apart]
    if table["value"].isna().all():
        return None
    place = int(np.nanargmax(table["value"]))
    row, col, layer_row = table.index[place]
    return row, layer_row, col, str(table["layer_col"].iloc[place])
