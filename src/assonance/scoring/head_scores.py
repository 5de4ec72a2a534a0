"""Scores of attention heads: every head by every head, best matches, layer by layer."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from assonance.measures import Measure, describe_heads
from assonance.measures.attention import best_match
from assonance.scoring.scores import CELL, attributes, nan_mean
from assonance.settings import Settings
from assonance.statistics import HeadProfiles, HeadSums, weighted_heads

HEADS = ("head_row", "head_col")


# Frames at either side of a query that offset profiles reach.
REACH = 50


def head_scores(
    parts: Sequence[HeadSums],
    measures: Sequence[Measure],
    settings: Settings,
    *,
    per_head: bool,
    replicates: Sequence[Sequence[int]] = (),
    position: HeadSums | None = None,
) -> xr.Dataset:
    """Score every wanted pair of layers by their attention heads.

    Parameters
    ----------
    parts
        Sums over disjoint parts of the utterances; at least one.
    measures, settings
        Head measures, and how they are taken.
    per_head
        Whether to list the scores of single heads too.
    replicates
        How often each part counts in each replicate.
    position
        Sums over what heads would be that knew positions alone.

    Returns
    -------
    xarray.Dataset
        For each measure, with dimensions layer_row, layer_col: ``<measure>``, each row head's best
        match among the column layer's heads, averaged over the row's heads. With `replicates`
        ``<measure>_replicates``, with a last dimension group or draw, as the settings say. With
        `position`, ``<measure>_position``, the same of heads that know positions alone. With
        `per_head` also ``<measure>_by_head`` and ``<measure>_position_by_head``, with last
        dimensions head_row, head_col, and ``<measure>_match``, the best match of each head_row,
        −1 where there is none. NaN where a pair was not wanted or a score is not defined.
    """
    total = weighted_heads(parts, [1] * len(parts))
    repeated = _repeated(parts, measures, settings, replicates)
    names = list(total.heads)
    result = xr.Dataset(coords={"layer_row": names, "layer_col": names})
    for each in measures:
        table = _table(total, each, settings)
        best, match = _best(total, table)
        about = attributes(each)
        result[each.name] = (CELL, _by_layer(total, best), about)
        if per_head:
            result[f"{each.name}_by_head"] = ((*CELL, *HEADS), _by_head(total, table), about)
            result[f"{each.name}_match"] = ((*CELL, HEADS[0]), match, {"long_name": "Best match"})
        if replicates:
            about = about | {"long_name": f"{each.title}, replicated"}
            dims = (*CELL, settings.replicated)
            result[f"{each.name}_replicates"] = (dims, np.stack(repeated[each.name], -1), about)
        if position is not None:
            table = _table(position, each, settings)
            about = about | {"long_name": f"{each.title}, of heads that know positions alone"}
            cells = _by_layer(position, _best(position, table)[0])
            result[f"{each.name}_position"] = (CELL, cells, about)
            if per_head:
                name = f"{each.name}_position_by_head"
                result[name] = ((*CELL, *HEADS), _by_head(position, table), about)
    return result


def head_kinds(heads: Mapping[str, int], shapes: HeadProfiles) -> xr.Dataset:
    """Label what describes single heads.

    Parameters
    ----------
    heads
        Layer name to its number of heads, in the order of `shapes`.
    shapes
        Sums over the utterances.

    Returns
    -------
    xarray.Dataset
        One variable a descriptor (see `describe_heads`) with dimensions layer_row, head_row, and
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


def _repeated(
    parts: Sequence[HeadSums],
    measures: Sequence[Measure],
    settings: Settings,
    replicates: Sequence[Sequence[int]],
) -> dict[str, list[NDArray[np.float64]]]:
    """Score layers in each replicate; by measure, (L, L) each."""
    found: dict[str, list[NDArray[np.float64]]] = {each.name: [] for each in measures}
    for weights in replicates:
        drawn = weighted_heads(parts, weights)
        for each in measures:
            best, _ = _best(drawn, _table(drawn, each, settings))
            found[each.name].append(_by_layer(drawn, best))
    return found


def _padded(heads: Mapping[str, int], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lay values of all heads out by layer, NaN where a layer has fewer heads; (L, H, …)."""
    result = np.full((len(heads), max(heads.values()), *values.shape[1:]), np.nan)
    start = 0
    for layer, count in enumerate(heads.values()):
        result[layer, :count] = values[start : start + count]
        start += count
    return result


def _table(sums: HeadSums, measure: Measure, settings: Settings) -> Tensor:
    """Score every head by every head; NaN where the layers were not to be compared; (N, N)."""
    table: Tensor = measure.function(sums.total, settings)
    places = sums.slices()
    wanted = torch.zeros(table.shape, dtype=torch.bool)
    for a, b in sums.pairs:
        wanted[places[a], places[b]] = wanted[places[b], places[a]] = True
    return table.where(wanted, torch.nan)


def _best(sums: HeadSums, table: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Find the best match of each head in each layer.

    Returns
    -------
    tuple
        Scores, shape (N, L), and indices within the layer, shape (L, L, most heads), −1 for none.
    """
    found = [best_match(table[:, place]) for place in sums.slices().values()]
    scores = torch.stack([score for score, _ in found], 1).numpy()
    indices = torch.stack([index for _, index in found], 1).to(torch.int32).numpy()
    match = np.full((len(found), len(found), max(sums.heads.values())), -1, dtype=np.int32)
    for row, place in enumerate(sums.slices().values()):
        of_layer = np.where(np.isnan(scores[place]), -1, indices[place])
        match[row, :, : len(of_layer)] = of_layer.T
    return scores, match


def _by_layer(sums: HeadSums, best: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average the best matches over the heads of each layer that have one; shape (L, L)."""
    return np.stack([nan_mean(best[place].T) for place in sums.slices().values()])


def _by_head(sums: HeadSums, table: Tensor) -> NDArray[np.float64]:
    """Lay the table out by layer, NaN where a layer has fewer heads; shape (L, L, H, H)."""
    most, places = max(sums.heads.values()), sums.slices().values()
    result = np.full((len(places), len(places), most, most), np.nan)
    for i, row in enumerate(places):
        for j, col in enumerate(places):
            cell = table[row, col].numpy()
            result[i, j, : cell.shape[0], : cell.shape[1]] = cell
    return result
