"""Read the maps of attention heads: averaged over utterances, and of one utterance."""

import xarray as xr

from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError
from assonance.measures.roles import CHANGE
from assonance.statistics.head_maps import LEVELS

MEAN, UTTERANCE = "mean_map", "utterance_map"


def has_maps(comparison: Comparison) -> bool:
    """Return whether maps of heads were kept; runs of 0.2.0 and before have none."""
    return MEAN in comparison.maps


def mean_maps(comparison: Comparison) -> xr.DataArray:
    """Return the mean map of every head: attention from each part of an utterance to each other.

    Returns
    -------
    xarray.DataArray
        Dimensions model_row, layer_row, head_row, query_part, key_part; rows sum to 1. NaN where a
        layer has no such head.

    Raises
    ------
    AssonanceError
        No maps were kept.
    """
    if not has_maps(comparison):
        raise AssonanceError(
            f"no maps of heads were kept; compare with {CHANGE['Heads'][0]} by this version"
        )
    return comparison.maps[MEAN]


def utterance_maps(comparison: Comparison) -> xr.DataArray | None:
    """Return the map of every head for one utterance, the same for all heads.

    Returns
    -------
    xarray.DataArray or None
        Dimensions model_row, layer_row, head_row, query_time, key_time: middles of the cells, in
        seconds. A row is the attention of the queries in a cell to the keys in each cell, and sums
        to 1 within the precision of its steps. NaN where a layer has no such head. The attribute
        ``utterance`` is its name. None if no utterance was kept.
    """
    if UTTERANCE not in comparison.maps:
        return None
    levels = comparison.maps[UTTERANCE]
    weights: xr.DataArray = ((levels / LEVELS) ** 2).where(levels >= 0)
    return weights.assign_attrs(levels.attrs)
