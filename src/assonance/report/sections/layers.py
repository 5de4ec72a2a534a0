"""Section on layers: matrices of all layers by all layers."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from assonance.comparison.result import Comparison
from assonance.errors import join_names, printable
from assonance.plots import layers as layer_plots
from assonance.plots import scales
from assonance.report.pictures import Picture, cell, picture
from assonance.report.sections.section import Panel, Section, names_of, panel, slug_of
from assonance.tables import layers as layer_tables

_INTERVALS = (
    " The table adds 95 % intervals. They are about the bias-corrected estimate, so the score "
    "itself can lie outside."
)


def layers_section(comparison: Comparison) -> Section | None:
    """Show all layers of all models against each other."""
    panels = _matrices(comparison, names_of(comparison, "neuron", "layer"))
    if not panels:
        return None
    text = (
        "The score of every layer of every model with every other layer. Each tile is a pair of "
        "models, with their first layers at its bottom left. Directional measures score how well "
        "the column layer predicts or matches the row layer, so their matrices are not symmetric. "
        "Hatched cells were not computed."
    )
    return Section("alike", "Similarity", "How similar are the layers?", text, panels)


def _matrices(comparison: Comparison, names: list[str]) -> tuple[Panel, ...]:
    """Make a panel with one matrix for each measure."""
    return tuple(panel(comparison, name, matrix_picture(comparison, name)) for name in names)


def matrix_picture(comparison: Comparison, measure: str) -> Iterator[Picture]:
    """Draw the scores of all layers by one measure."""
    table = layer_tables.matrix(comparison, measure)
    if table.isna().all(axis=None):
        return
    name = scales.title(comparison, measure)
    models = join_names([printable(model) for model in comparison.models])
    has_intervals = measure in comparison.intervals
    yield picture(
        f"matrix-{slug_of(comparison, measure)}",
        lambda: layer_plots.matrix(comparison, measure),
        _with_intervals(comparison, measure, table) if has_intervals else table,
        f"{name} of each row layer with each column layer." + (_INTERVALS if has_intervals else ""),
        f"Matrix of {name} for {len(table)} layers of {models}; {_highest(table)}",
    )


def _with_intervals(comparison: Comparison, measure: str, table: pd.DataFrame) -> pd.DataFrame:
    """Format each score of a matrix with its interval."""
    low, high = (layer_tables.matrix(comparison, measure, statistic=end) for end in ("low", "high"))
    cells = [
        [
            cell(value) if start != start else f"{cell(value)} [{cell(start)}, {cell(end)}]"
            for value, start, end in zip(*rows, strict=True)
        ]
        for rows in zip(table.to_numpy(), low.to_numpy(), high.to_numpy(), strict=True)
    ]
    return pd.DataFrame(cells, index=table.index, columns=table.columns)


def _highest(table: pd.DataFrame) -> str:
    """Word the highest score between different models."""
    models = table.index.get_level_values("model")
    other = models.to_numpy()[:, None] != models.to_numpy()[None, :]
    values = table.to_numpy()
    if not np.isfinite(values[other]).any():
        return f"scores from {np.nanmin(values):.2f} to {np.nanmax(values):.2f}."
    between = np.where(other & np.isfinite(values), values, -np.inf)
    i, j = divmod(int(between.argmax()), between.shape[1])
    row, col = (" ".join(map(printable, table.index[place])) for place in (i, j))
    return f"highest between two models: {between[i, j]:.2f}, {row} with {col}."
