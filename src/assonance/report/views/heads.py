"""Attention heads: kind, offset profile and best matches."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from assonance.comparison.result import Comparison
from assonance.errors import printable
from assonance.report.matches import Matches
from assonance.report.packing import Packer
from assonance.report.views.layers import places
from assonance.report.words import title
from assonance.tables import head_maps
from assonance.tables import heads as head_tables

# Frames before and after the query that profiles show.
REACH = 25
# A page holds maps of at most so many heads: those of four large encoders.
MOST_MAPS = 2000
# Maps are drawn in the 64 colours of the scale.
STEPS = 63


def heads(matches: Matches, packer: Packer) -> dict[str, Any] | None:
    """Collect every head with its kind, profile and descriptors, and its matches by measure.

    Returns
    -------
    dict or None
        None if no attention was compared.
    """
    comparison = matches.comparison
    if "entropy" not in comparison.heads:
        return None
    table = head_tables.heads(comparison)
    if table.empty:
        return None
    place = {each: k for k, each in enumerate(places(comparison))}
    profiles = comparison.heads["profile"].sel(offset=slice(-REACH, REACH))
    shapes = np.stack(
        [
            profiles.sel(model_row=model, layer_row=layer).isel(head_row=int(head)).to_numpy()
            for model, layer, head in zip(*_labels(table), strict=True)
        ]
    )
    kinds = [*head_tables.KINDS, head_tables.CONTENT]
    index = {key: k for k, key in enumerate(zip(*_labels(table), strict=True))}
    return {
        "kinds": kinds,
        "reach": REACH,
        "layer": [place[model, layer] for model, layer, _ in index],
        "head": [int(head) for *_, head in index],
        "kind": [kinds.index(kind) for kind in table["kind"]],
        "profile": packer.scores(shapes / np.nanmax(shapes, 1, keepdims=True)),
        "descriptors": [
            {
                "title": printable(str(comparison.heads[name].attrs.get("long_name", name))),
                "values": packer.scores(table[name].to_numpy(float)),
            }
            for name in head_tables.DESCRIPTORS
        ],
        "matches": _matches(matches, index, packer),
        "lead": matches.heads,
        "maps": _maps(comparison, list(index), packer),
    }


def _maps(
    comparison: Comparison, heads: Sequence[tuple[Any, ...]], packer: Packer
) -> list[dict[str, Any]] | None:
    """Collect the mean map of each head, and its map of one utterance, relative to its peak.

    Returns
    -------
    list or None
        Empty if no maps were kept; None if they are those of more heads than `MOST_MAPS`.
    """
    if not head_maps.has_maps(comparison):
        return []
    if len(heads) > MOST_MAPS:
        return None
    found = [{"of": None, **_drawn(head_maps.mean_maps(comparison), heads, packer)}]
    shown = head_maps.utterance_maps(comparison)
    if shown is not None:
        times = shown["query_time"].to_numpy()
        about = {
            "of": printable(str(shown.attrs.get("utterance", ""))),
            "seconds": round(float(times[0] + times[-1]), 3),
        }
        found.append({**about, **_drawn(shown, heads, packer)})
    return found


def _drawn(maps: xr.DataArray, heads: Sequence[tuple[Any, ...]], packer: Packer) -> dict[str, Any]:
    """Store the maps of heads as steps of their peaks."""
    values = np.stack(
        [
            maps.sel(model_row=model, layer_row=layer).isel(head_row=int(head)).to_numpy()
            for model, layer, head in heads
        ]
    )
    peak = values.max((1, 2), keepdims=True)
    return {"peak": packer.scores(peak[:, 0, 0]), "values": packer.coarse(values / peak, STEPS)}


def _labels(table: pd.DataFrame) -> list["pd.Index[Any]"]:
    """List model, layer and index of each head."""
    return [table.index.get_level_values(name) for name in ("model_row", "layer_row", "head_row")]


def _matches(
    matches: Matches, index: dict[tuple[Any, ...], int], packer: Packer
) -> list[dict[str, Any]]:
    """Collect the best match of each head in each other model, by measure."""
    comparison = matches.comparison
    if len(head_tables.with_heads(comparison)) < 2:
        return []
    models = list(comparison.models)
    found = []
    for measure in head_tables.head_measures(comparison):
        table = matches.of_heads(measure)
        shape = (len(index), len(models))
        columns = {name: np.full(shape, np.nan) for name in ("head", "score", "position", "mutual")}
        for match in table.reset_index().to_dict("records"):
            row, col, layer, head = (match[str(name)] for name in table.index.names)
            at = index[row, layer, head], models.index(col)
            other = index.get((col, match["layer_col"], match["head_col"]))
            columns["head"][at] = np.nan if other is None else other
            columns["score"][at] = match["value"]
            columns["position"][at] = match["position"]
            columns["mutual"][at] = match["mutual"]
        known = {name for name, values in columns.items() if not np.isnan(values).all()}
        found.append(
            {
                "measure": measure,
                "title": printable(title(comparison, measure)),
                **{
                    name: packer.scores(columns[name])
                    if name in ("score", "position")
                    else packer.integers(columns[name])
                    for name in columns
                    if name in known
                },
            }
        )
    return found
