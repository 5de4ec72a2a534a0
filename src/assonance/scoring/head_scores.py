"""Score attention heads: every head against every head, best matches, and means by layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from assonance.measures import Measure, describe_heads
from assonance.measures.attention import best_match
from assonance.scoring.scores import CELL, attributes, nan_mean
from assonance.settings import Settings
from assonance.statistics import (
    HeadMaps,
    HeadProfiles,
    HeadSums,
    UtteranceMaps,
    weighted_heads,
)
from assonance.statistics.head_maps import LEVELS
from assonance.utils.cores import Map

HEADS = ("head_row", "head_col")
# Reach of offset profiles on either side of a query, in frames.
REACH = 50

# Dimensions, values and attributes by name.
_Variables = dict[str, tuple[tuple[str, ...], NDArray[Any], dict[str, Any]]]


@dataclass(frozen=True)
class HeadTables:
    """Labelled scores of attention heads; one variable a measure.

    Attributes
    ----------
    scores
        Best match of each row head among the column layer's heads, averaged over the row layer's
        heads; dimensions layer_row, layer_col.
    heads
        Scores of every head against every head, with last dimensions head_row, head_col.
    matches
        Best match of each head, with a last dimension head_row; −1 for none.
    """

    scores: xr.Dataset
    heads: xr.Dataset
    matches: xr.Dataset


def head_scores(
    groups: Sequence[HeadSums], measures: Sequence[Measure], settings: Settings
) -> HeadTables:
    """Score every pair of layers by their attention heads.

    Parameters
    ----------
    groups
        Sums over disjoint groups of utterances; at least one.
    measures, settings
        Head measures, and how they are computed.

    Returns
    -------
    HeadTables
        NaN where a pair is not to be compared or a score is undefined.
    """
    total = weighted_heads(groups, [1] * len(groups))
    scores: _Variables = {}
    heads: _Variables = {}
    matches: _Variables = {}
    for each in measures:
        table = _table(total, each, settings)
        best, match = _best(total, table)
        about = attributes(each)
        scores[each.name] = (CELL, _by_layer(total, best), about)
        heads[each.name] = ((*CELL, *HEADS), _by_head(total, table), about)
        matches[each.name] = ((*CELL, HEADS[0]), match, {"long_name": "Best match"})
    labels = _labels(total)
    return HeadTables(*(xr.Dataset(each, labels) for each in (scores, heads, matches)))


def head_replicates(
    groups: Sequence[HeadSums],
    total: HeadSums,
    measures: Sequence[Measure],
    settings: Settings,
    weights: Sequence[Sequence[int]],
    pool_map: Map = map,
) -> xr.Dataset:
    """Score every pair of layers in each replicate.

    Parameters
    ----------
    groups, measures, settings
        As for `head_scores`; the groups are jackknife groups.
    total
        The sums over all groups.
    weights
        How often each group counts in each replicate.
    pool_map
        Scores replicates, on several cores if it does.

    Returns
    -------
    xarray.Dataset
        One variable a measure with dimensions layer_row, layer_col, and group or draw, as the
        settings say; empty if there are no replicates.
    """
    if not weights:
        return xr.Dataset()

    def score(of_groups: Sequence[int]) -> list[NDArray[np.float64]]:
        replicate = weighted_heads(groups, of_groups, total)
        best = (_best(replicate, _table(replicate, each, settings))[0] for each in measures)
        return [_by_layer(replicate, each) for each in best]

    tables = zip(*pool_map(score, weights), strict=True)
    dims = (*CELL, settings.replicated)
    return xr.Dataset(
        {
            each.name: (
                dims,
                np.stack(table, -1),
                attributes(each) | {"long_name": f"{each.title}, replicated"},
            )
            for each, table in zip(measures, tables, strict=True)
        },
        _labels(total),
    )


def head_descriptors(heads: Mapping[str, int], shapes: HeadProfiles) -> xr.Dataset:
    """Label the descriptors of single heads.

    Parameters
    ----------
    heads
        Layer name to its number of heads, in the order of `shapes`.
    shapes
        Sums over the utterances.

    Returns
    -------
    xarray.Dataset
        One variable a descriptor (see `describe_heads`) with dimensions layer_row, head_row; and
        ``profile``, the share of the attention at each offset, with a last dimension offset, from
        −`REACH` to `REACH` frames. NaN where a layer has fewer heads.
    """
    names = list(heads)
    dims = (CELL[0], HEADS[0])
    offsets = np.arange(-REACH, REACH + 1)
    result = xr.Dataset(coords={"layer_row": names, "offset": offsets})
    for name, each in describe_heads(shapes).items():
        about = {"long_name": each.title, "description": each.meaning, "units": each.unit}
        result[name] = (dims, _padded(heads, each.values.numpy()), about)
    about = {"long_name": "Offset profile", "description": "share of the attention at each offset"}
    profile = _padded(heads, shapes.profile(REACH).numpy())
    result["profile"] = ((*dims, "offset"), profile, about)
    return result


def head_maps(
    heads: Mapping[str, int], sums: HeadMaps, shown: UtteranceMaps | None, name: str
) -> xr.Dataset:
    """Label the mean maps of single heads, and their maps of one utterance.

    Parameters
    ----------
    heads
        Layer name to its number of heads, in the order of `sums`.
    sums
        Sums over the utterances.
    shown, name
        The maps of the utterance that is shown, and its name; None if it was not read.

    Returns
    -------
    xarray.Dataset
        ``mean_map``, with dimensions layer_row, head_row, query_part, key_part: centres of equal
        parts of an utterance. NaN where a layer has fewer heads. ``utterance_map``, with dimensions
        layer_row, head_row, query_time, key_time: centres in seconds; see `UtteranceMaps`. −1 where
        a layer has fewer heads.
    """
    dims = (CELL[0], HEADS[0])
    mean = sums.mean().numpy()
    parts = (np.arange(mean.shape[1]) + 0.5) / mean.shape[1]
    coords = {"layer_row": list(heads), "query_part": parts, "key_part": parts}
    about = {
        "long_name": "Mean map",
        "description": "attention from each part of an utterance to each other part",
    }
    result = xr.Dataset(coords=coords)
    result["mean_map"] = ((*dims, "query_part", "key_part"), _padded(heads, mean), about)
    if shown is None:
        return result
    cells = shown.levels.shape[1]
    times = (np.arange(cells) + 0.5) * shown.seconds / cells
    levels = np.nan_to_num(_padded(heads, shown.levels), nan=-1).astype(np.int16)
    about = {
        "long_name": "Map of one utterance",
        "description": f"{LEVELS} times the square root of the attention to the keys of a cell",
        "utterance": name,
    }
    result = result.assign_coords(query_time=times, key_time=times)
    result["utterance_map"] = ((*dims, "query_time", "key_time"), levels, about)
    return result


def _labels(sums: HeadSums) -> xr.Coordinates:
    """Name the layers, once for several datasets: that takes longer than a small dataset."""
    names = list(sums.heads)
    return xr.Dataset(coords={"layer_row": names, "layer_col": names}).coords


def _padded(heads: Mapping[str, int], values: NDArray[Any]) -> NDArray[np.float64]:
    """Split values of all heads by layer, padded with NaN; (L, H, …)."""
    result = np.full((len(heads), max(heads.values()), *values.shape[1:]), np.nan)
    start = 0
    for layer, count in enumerate(heads.values()):
        result[layer, :count] = values[start : start + count]
        start += count
    return result


def _table(sums: HeadSums, measure: Measure, settings: Settings) -> Tensor:
    """Score every head against every head; NaN for pairs of layers not compared; (N, N)."""
    table: Tensor = measure.function(sums.total, settings)
    return table.where(sums.compared(), torch.nan)


def _best(sums: HeadSums, table: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Find the best match of each head in each layer.

    Returns
    -------
    tuple
        Scores, shape (N, L), and indices within the layer, shape (L, L, most heads), −1 for none.
    """
    best = [best_match(table[:, place]) for place in sums.slices().values()]
    scores = torch.stack([score for score, _ in best], 1).numpy()
    indices = torch.stack([index for _, index in best], 1).to(torch.int32).numpy()
    match = np.full((len(best), len(best), max(sums.heads.values())), -1, dtype=np.int32)
    for row, place in enumerate(sums.slices().values()):
        of_layer = np.where(np.isnan(scores[place]), -1, indices[place])
        match[row, :, : len(of_layer)] = of_layer.T
    return scores, match


def _by_layer(sums: HeadSums, best: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average the best matches over the heads of each layer that have one; shape (L, L)."""
    return np.stack([nan_mean(best[place].T) for place in sums.slices().values()])


def _by_head(sums: HeadSums, table: Tensor) -> NDArray[np.float64]:
    """Split the table by layer, padded with NaN; shape (L, L, H, H)."""
    most, places = max(sums.heads.values()), sums.slices().values()
    result = np.full((len(places), len(places), most, most), np.nan)
    for i, row in enumerate(places):
        for j, col in enumerate(places):
            cell = table[row, col].numpy()
            result[i, j, : cell.shape[0], : cell.shape[1]] = cell
    return result
