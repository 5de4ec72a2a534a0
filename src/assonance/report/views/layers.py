"""Scores of all layers with all layers, each with its interval, floor and ceiling."""

import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assonance.comparison.result import Comparison
from assonance.errors import printable
from assonance.measures import MEASURES
from assonance.measures.roles import EXPLAINED
from assonance.report.matches import Matches
from assonance.report.packing import Packer
from assonance.report.words import definition, level, title
from assonance.tables import cells, floors_and_ceilings
from assonance.tables.matches import best_pair


def colours() -> list[str]:
    """Read the colours of the scale, cividis, from low to high."""
    text = (
        resources.files("assonance.report").joinpath("browser", "cividis.json").read_text("utf-8")
    )
    found: list[str] = json.loads(text)
    return found


def models(comparison: Comparison) -> list[dict[str, Any]]:
    """Name the models and their layers, in the order of rows and columns."""
    return [
        {"name": printable(model), "layers": [printable(each) for each in comparison.layers(model)]}
        for model in comparison.models
    ]


def places(comparison: Comparison) -> list[tuple[str, str]]:
    """List model and layer of each row and column, N in all."""
    return [(model, layer) for model in comparison.models for layer in comparison.layers(model)]


def start(matches: Matches) -> list[int]:
    """Return the places of the two layers that the page shows first.

    The best-predicted pair of layers of two models. If none was predicted, the pair with the
    highest score by the first measure, of two models if there are any.
    """
    comparison = matches.comparison
    every = places(comparison)
    pair = best_pair(comparison)
    if pair is not None:
        return [every.index(pair[:2]), every.index(pair[2:])]
    if not matches.shown:
        return [0, 0]
    model = np.array([each for each, _ in every])
    scores = cells.read(comparison.scores[matches.shown[0]], _cells(every)).reshape(2 * model.shape)
    apart = np.where(model[:, None] != model, scores, np.nan)
    found = scores if np.isnan(apart).all() else apart
    row, column = np.unravel_index(np.nan_to_num(found, nan=-np.inf).argmax(), found.shape)
    return [int(row), int(column)]


def layers(matches: Matches, packer: Packer) -> list[dict[str, Any]]:
    """Collect, for each measure, the N × N scores with all that they are read against."""
    return [_measure(matches, name, packer) for name in matches.shown]


def _measure(matches: Matches, name: str, packer: Packer) -> dict[str, Any]:
    """Collect one measure."""
    comparison = matches.comparison
    every = places(comparison)
    where = _cells(every)
    array = comparison.scores[name]
    scores = {"value": cells.read(array, where)}
    if name in comparison.intervals:
        scores |= {
            key: cells.read(end, where) for key, end in cells.bounds(comparison, name).items()
        }
    square = (len(every), len(every))
    known = references(comparison, name, where)
    return {
        "id": name,
        "title": printable(title(comparison, name)),
        "level": level(name),
        "text": printable(definition(comparison, name)),
        "symmetric": name in MEASURES and MEASURES[name].symmetric,
        "explained": name in EXPLAINED,
        "scores": {key: packer.scores(values.reshape(square)) for key, values in scores.items()},
        "references": [
            {
                "kind": each.kind,
                "words": each.words,
                "drawn": each.line is not None,
                "values": packer.scores(known[each.column].to_numpy(float).reshape(square)),
            }
            for each in floors_and_ceilings.known(known, name)
        ],
        "among": packer.integers(_among_best(matches, name, every)),
    }


def _cells(every: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Label the N × N cells of all layers with all layers, row by row."""
    rows, columns = np.divmod(np.arange(len(every) ** 2), len(every))
    at = [every[k] for k in rows], [every[k] for k in columns]
    return {
        f"{part}_{side}": [each[k] for each in labels]
        for side, labels in zip(("row", "col"), at, strict=True)
        for k, part in enumerate(("model", "layer"))
    }


def references(comparison: Comparison, name: str, where: dict[str, list[str]]) -> pd.DataFrame:
    """Read floors, ceilings, the log-mel baseline and the shift null at every cell."""
    dims = ["model_row", "model_col", "layer_row"]
    index = pd.MultiIndex.from_arrays([where[dim] for dim in dims], names=dims)
    table = pd.DataFrame({"layer_col": where["layer_col"]}, index=index)
    if name not in MEASURES:
        return table[[]]
    table["estimate"] = cells.read(cells.estimates(comparison, name), where)
    return floors_and_ceilings.columns(comparison, name, table)


def _among_best(matches: Matches, name: str, every: list[tuple[str, str]]) -> NDArray[np.float64]:
    """Mark the best layers of each other model: 2 the best, 1 as good, 0 behind, NaN elsewhere."""
    place = {each: k for k, each in enumerate(every)}
    marks = np.full((len(every), len(every)), np.nan)
    if len(matches.comparison.models) < 2:
        return marks
    table = matches.behind(name)
    among = table["among_best"].to_numpy(float, na_value=0)
    found = np.where(table["best"], 2, among)
    for (row, col, layer_row, layer_col), mark in zip(table.index, found, strict=True):
        marks[place[row, layer_row], place[col, layer_col]] = mark
    return marks
