"""Read the scores of single neurons: the whole other layer, and its best-matching neuron."""

import pandas as pd

from assonance.comparison.result import CELL, Comparison
from assonance.errors import AssonanceError
from assonance.inference.localisation import LEAST_HEADROOM, LOCALISATION
from assonance.measures.roles import MATCHED, PREDICTED_R, ROTATED


def neurons(
    comparison: Comparison, row: str, layer_row: str, col: str, layer_col: str
) -> pd.DataFrame:
    """Read, for each neuron of a layer, its prediction from another layer and its best match.

    Parameters
    ----------
    comparison, row, layer_row, col, layer_col
        The two layers; the neurons are those of the row layer.

    Returns
    -------
    pandas.DataFrame
        Indexed by neuron; neurons that are constant are left out. Columns:

        - linreg_heldout_r (prediction from the whole layer), maxcorr (the best match) and, if
          computed, maxcorr_rotated (the best match among randomly rotated neurons);
        - localisation: (maxcorr − maxcorr_rotated)/(linreg_heldout_r − maxcorr_rotated), NaN if
          the denominator is at most 0.01;
        - the ends of their 95 % intervals, such as maxcorr_low and maxcorr_high, if there are
          any; those of localisation are about an estimate corrected for bias;
        - match, the index of the best-matching neuron.

    Raises
    ------
    AssonanceError
        A measure was not computed, or a model or layer is unknown.
    """
    scores = comparison.neurons
    missing = {PREDICTED_R, MATCHED} - set(map(str, scores.data_vars))
    if missing:
        raise AssonanceError(
            f"{' and '.join(sorted(missing))} of single neurons: not computed; "
            f"compare with {PREDICTED_R} and {MATCHED}"
        )
    cell = dict(zip(CELL, (row, layer_row, col, layer_col), strict=True))
    try:
        pair = scores.sel(cell)
    except KeyError as error:
        raise AssonanceError(
            f"{error.args[0]!r}: no such model or layer in the comparison"
        ) from None
    names = [name for name in (PREDICTED_R, MATCHED, ROTATED) if name in pair]
    table = pd.DataFrame({name: pair[name].to_numpy() for name in names})
    if ROTATED in table:
        headroom = table[PREDICTED_R] - table[ROTATED]
        index = (table[MATCHED] - table[ROTATED]) / headroom.where(headroom > LEAST_HEADROOM)
        table = table.assign(**{LOCALISATION: index})
    intervals = comparison.neuron_intervals
    for name in [name for name in table if name in intervals]:
        for end in ("low", "high"):
            table[f"{name}_{end}"] = intervals[name].sel({**cell, "statistic": end}).to_numpy()
    if f"{MATCHED}_match" in pair:
        match = pair[f"{MATCHED}_match"].to_numpy()
        table = table.assign(match=pd.array(match, dtype="Int64")).loc[match >= 0]
    return table.rename_axis("neuron").dropna(subset=[PREDICTED_R, MATCHED])
