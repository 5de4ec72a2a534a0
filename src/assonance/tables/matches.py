"""Find the best-matching layer of each other model, with its references and localisation."""

from itertools import permutations

import numpy as np
import pandas as pd

from assonance.comparison.relations import Relations
from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError
from assonance.inference.intervals import within_range
from assonance.inference.localisation import (
    DRAWS,
    LOCALISATION,
    predicted_r_of,
    rotation_variance,
)
from assonance.measures.roles import MATCHED, PREDICTING, ROTATED
from assonance.tables import cells, floors_and_ceilings
from assonance.tables.cells import at_best_matches, estimates_at, predicting_measure
from assonance.tables.floors_and_ceilings import share


def best_matches(comparison: Comparison, measure: str) -> pd.DataFrame:
    """Find the most similar layer of each other model, for each layer.

    Parameters
    ----------
    comparison, measure
        Scores to read, of pairs of layers.

    Returns
    -------
    pandas.DataFrame
        The first columns of `best_layers`: layer_col, depth_row, depth_col, value.

    Raises
    ------
    AssonanceError
        The measure was not computed, or only one model was compared.
    """
    cells.of_layers(comparison, measure)
    models = comparison.models
    if len(models) < 2:
        raise AssonanceError("best matches need two models; only one model was compared")
    rows = []
    for row, col in permutations(models, 2):
        scores = comparison.matrix(measure, row, col).to_numpy()
        for i, layer in enumerate(comparison.layers(row)):
            defined = not np.isnan(scores[i]).all()
            j = int(np.nanargmax(scores[i])) if defined else None
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
    """Find the most similar layer of each other model and its score, for each layer.

    Parameters
    ----------
    comparison, measure
        Scores to read, of pairs of layers.

    Returns
    -------
    pandas.DataFrame
        Indexed by model_row, model_col and layer_row. Columns:

        - layer_col, with the relative depths depth_row and depth_col (0 the first layer, 1 the
          last);
        - value, and estimate (corrected for bias; with low and high if there are intervals);
        - those of `assonance.tables.floors_and_ceilings.REFERENCES` that are known;
        - share, the position of the estimate between floor (0) and ceiling (1), if both are
          known, with share_low and share_high: the interval of the score, with floor and
          ceiling taken as exact.

        What is undefined is NaN.

    Raises
    ------
    AssonanceError
        The measure was not computed, or only one model was compared.
    """
    table = best_matches(comparison, measure)
    table = table.join(estimates_at(comparison, measure, table))
    table = table.join(floors_and_ceilings.columns(comparison, measure, table))
    floor = floors_and_ceilings.floor(table, measure)
    ceiling = floors_and_ceilings.ceiling(table, measure)
    if floor is not None and ceiling is not None:
        for suffix, score in (("", "estimate"), ("_low", "low"), ("_high", "high")):
            if score in table:
                table[f"share{suffix}"] = share(
                    table[score], table[floor.column], table[ceiling.column]
                )
    return table


def mean_over_layers(
    comparison: Comparison, measure: str, best: pd.DataFrame
) -> tuple[float, float, float]:
    """Average a measure over best matches, with the interval of the mean.

    Parameters
    ----------
    comparison, measure
        Scores to read, of pairs of layers.
    best
        Rows of `best_matches` or `best_layers`.

    Returns
    -------
    tuple of float
        Estimate, low and high end of its 95 % interval, within the measure's range. If the measure
        has no interval, the plain mean and NaN twice. All NaN if no layer has a match.
    """
    matched = best.dropna(subset="layer_col")
    if matched.empty:
        return np.nan, np.nan, np.nan
    mean = float(np.mean(at_best_matches(comparison.scores[measure], matched)))
    if measure not in comparison.replicates:
        return mean, np.nan, np.nan
    replicates = comparison.replicates[measure]
    method = cells.method_of(replicates)
    result = method(np.array(mean), at_best_matches(replicates, matched).mean(0))
    if measure == LOCALISATION and DRAWS in comparison.replicates:
        draws = at_best_matches(comparison.replicates[DRAWS], matched)
        ends = (predicted_r_of(comparison.scores), ROTATED)
        predicted_r, rotated = (
            np.mean(at_best_matches(comparison.scores[name], matched)) for name in ends
        )
        # Layers of one width meet the same bases: averaging over layers does not average them.
        headroom = np.array(predicted_r - rotated)
        result = result.add_variance(*rotation_variance(draws.mean(0), headroom))
    if np.isnan(result.estimate):  # too little speech: some replicate is undefined
        return mean, np.nan, np.nan
    found = np.array([result.estimate, *result.interval])
    estimate, low, high = within_range(found, comparison.scores[measure].attrs).tolist()
    return estimate, low, high


def localisation(comparison: Comparison) -> pd.DataFrame:
    """Read the localisation index at the layer of each other model that predicts a layer best.

    Returns
    -------
    pandas.DataFrame
        Indexed as `best_layers`; with layer_col, depth_row, depth_col, value (the index: 0 for a
        shared space in unrelated bases, 1 for the same neurons), estimate (corrected for bias;
        with low and high if there are intervals) and predicted, the score by which that layer was
        chosen.

    Raises
    ------
    AssonanceError
        It was not computed, or only one model was compared.
    """
    predicting = predicting_measure(comparison)
    if LOCALISATION not in comparison.scores or predicting is None:
        raise AssonanceError(
            "localisation was not computed; compare with "
            f"{', '.join((MATCHED, ROTATED, PREDICTING[0]))}"
        )
    best = best_matches(comparison, predicting)
    index = at_best_matches(comparison.scores[LOCALISATION], best)
    table = best.assign(predicted=best["value"], value=index)
    return table.join(estimates_at(comparison, LOCALISATION, best))


def best_pair(comparison: Comparison) -> tuple[str, str, str, str] | None:
    """Find the two layers of different models of which one predicts the other best.

    Unrelated models come first: a second seed or a fine-tuned model predicts more.

    Returns
    -------
    tuple of str or None
        model_row, layer_row, model_col, layer_col; None if no score is defined.
    """
    predicting = predicting_measure(comparison)
    if predicting is None or len(comparison.models) < 2:
        return None
    table = best_matches(comparison, predicting)
    relations = Relations(comparison.provenance.models)
    unrelated = np.array(
        [relations.unrelated(relations.models[a], relations.models[b]) for a, b, _ in table.index]
    )
    if table["value"][unrelated].notna().any():
        table = table[unrelated]
    if table["value"].isna().all():
        return None
    place = int(np.nanargmax(table["value"]))
    row, col, layer_row = table.index[place]
    return row, layer_row, col, str(table["layer_col"].iloc[place])
