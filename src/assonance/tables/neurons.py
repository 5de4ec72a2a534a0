"""Single neurons of a layer: how well another layer knows each, and by which neuron."""

import pandas as pd

from assonance.comparison.result import CELL, Comparison
from assonance.errors import AssonanceError
from assonance.inference.localisation import LEAST_HEADROOM, ROTATED


def neurons(
    comparison: Comparison, row: str, layer_row: str, col: str, layer_col: str
) -> pd.DataFrame:
    """Each neuron of a layer: what another layer knows of it as a whole, and by its best neuron.

    Parameters
    ----------
    comparison, row, layer_row, col, layer_col
        Where to look: the neurons are those of the row layer.

    Returns
    -------
    pandas.DataFrame
        Indexed by neuron; with linreg_heldout_r, maxcorr and, where measured, maxcorr_rotated and
        localisation (the share of the way from the rotated neurons to the whole layer that the
        best one goes, NaN where there is hardly a way) and match, the index of the best neuron.
        With the ends of their 95 % intervals where there are any, such as maxcorr_low and
        maxcorr_high; those of the localisation are about an estimate corrected for bias.
        Neurons that are constant are left out.

    Raises
    ------
    AssonanceError
        Either was not measured, or a model or layer is unknown.
    """
    found = comparison.neurons
    lacking = {"linreg_heldout_r", "maxcorr"} - set(map(str, found.data_vars))
    if lacking:
        raise AssonanceError(
            f"{' and '.join(sorted(lacking))} of single neurons: not measured; "
            "compare with linreg_heldout_r and maxcorr"
        )
    cell = dict(zip(CELL, (row, layer_row, col, layer_col), strict=True))
    try:
        here = found.sel(cell)
    except KeyError as error:
        raise AssonanceError(f"{error.args[0]!r}: no such model or layer here") from None
    wanted = ("linreg_heldout_r", "maxcorr", ROTATED)
    table = pd.DataFrame({name: here[name].to_numpy() for name in wanted if name in here})
    if ROTATED in table:
        room = table["linreg_heldout_r"] - table[ROTATED]
        way = (table["maxcorr"] - table[ROTATED]) / room.where(room > LEAST_HEADROOM)
        table = table.assign(localisation=way)
    sure = comparison.neuron_intervals
    for name in [name for name in table if name in sure]:
        for end in ("low", "high"):
            table[f"{name}_{end}"] = sure[name].sel({**cell, "statistic": end}).to_numpy()
    if "maxcorr_match" in here:
        match = here["maxcorr_match"].to_numpy()
        table = table.assign(match=pd.array(match, dtype="Int64")).loc[match >= 0]
    return table.rename_axis("neuron").dropna(subset=["linreg_heldout_r", "maxcorr"])
