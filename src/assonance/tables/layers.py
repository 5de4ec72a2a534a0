"""Read the matrices of all layers by all layers, and the consensus score of each layer."""

import pandas as pd

from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError
from assonance.measures.roles import CONSENSUS
from assonance.tables import cells
from assonance.tables.floors_and_ceilings import RANDOM_WEIGHTS


def matrix(
    comparison: Comparison, measure: str, *, twins: bool = False, statistic: str | None = None
) -> pd.DataFrame:
    """Read the scores of all layers of all models with each other.

    Parameters
    ----------
    comparison, measure
        Scores to read, of pairs of layers.
    twins
        Whether to include random twins and the baseline.
    statistic
        ``"estimate"``, ``"low"`` or ``"high"`` of the intervals in place of the scores, for a
        measure that has intervals.

    Returns
    -------
    pandas.DataFrame
        Rows and columns labelled by model and layer; NaN where a pair was not scored.

    Raises
    ------
    AssonanceError
        The measure was not computed.
    """
    models = [each.name for each in comparison.provenance.models] if twins else comparison.models
    labels = pd.MultiIndex.from_tuples(
        [(model, layer) for model in models for layer in comparison.layers(model)],
        names=("model", "layer"),
    )
    scores = cells.of_layers(comparison, measure)
    if statistic is not None:
        scores = comparison.intervals[measure].sel(statistic=statistic)
    return cells.table(scores, labels, labels)


def consensus(comparison: Comparison) -> pd.DataFrame:
    """Read each layer's consensus score: its neurons' worst match in any layer of other models.

    Returns
    -------
    pandas.DataFrame
        Indexed by model_row and layer_row; with depth_row, value (the mean over neurons), estimate
        (corrected for bias; with low and high if there are intervals) and, if random twins were
        compared, floor: the score of the model's own twin, at the nearest depth compared.

    Raises
    ------
    AssonanceError
        `mincorr` was not computed.
    """
    if CONSENSUS not in comparison.scores:
        raise AssonanceError(f"{CONSENSUS} was not computed; compare with {CONSENSUS}")
    estimates = cells.estimates(comparison, CONSENSUS)
    tables = []
    for model in comparison.models:
        layers = comparison.layers(model)
        own = {"model_row": [model] * len(layers), "layer_row": layers}
        name = comparison.twin(model)
        near = cells.nearest_scored(comparison, estimates, "row", name) if name else {}
        twin = {"model_row": [name] * len(layers), "layer_row": [near.get(each) for each in layers]}
        columns = {
            "value": cells.read(comparison.scores[CONSENSUS], own),
            "estimate": cells.read(estimates, own),
            **{
                bound: cells.read(ends, own)
                for bound, ends in cells.bounds(comparison, CONSENSUS).items()
            },
            RANDOM_WEIGHTS.column: cells.read(estimates, twin),
        }
        depth_row = [cells.depth(place, len(layers)) for place in range(len(layers))]
        tables.append(pd.DataFrame({**own, "depth_row": depth_row, **columns}))
    table = pd.concat(tables).set_index(["model_row", "layer_row"])
    return table.dropna(axis="columns", how="all")
