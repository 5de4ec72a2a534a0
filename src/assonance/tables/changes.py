"""Measure what fine-tuning changed: each layer before and after, with its floor and ceiling."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from assonance.comparison import relations
from assonance.comparison.relations import FineTuning
from assonance.comparison.result import CELL, Comparison
from assonance.errors import AssonanceError, printable
from assonance.measures.names import LEVELS
from assonance.measures.roles import CHANGE, MATCHED, ROTATED
from assonance.tables import cells
from assonance.tables.cells import estimates
from assonance.tables.heads import head_measures, position_name, require_heads

# The two directions of an asymmetric measure: how well the fine-tuned layer predicts the
# pretrained one (what it retained), and the other way round (what was there already).
RETAINED, ANTICIPATED = "kept", "foreseen"
# Names of a row and a column model; None for one that was not compared.
_Models = tuple[str | None, str | None]
# Suffix of scores of neurons or heads with those of the same index, not with their best match.
OWN = "_own"


def layers(comparison: Comparison, pair: FineTuning) -> pd.DataFrame:
    """Compare every layer before fine-tuning with the same layer after, by every measure.

    Parameters
    ----------
    comparison
        Scores to read.
    pair
        The models before and after fine-tuning.

    Returns
    -------
    pandas.DataFrame
        Indexed by measure, way and layer. The way is `RETAINED` (how well the fine-tuned layer
        predicts the pretrained one) or, for asymmetric measures, also `ANTICIPATED` (the other way
        round). Columns:

        - level; depth (0 the first layer, 1 the last);
        - value, corrected for bias if there is an interval, with low and high;
        - ceiling, the pretrained model with its second seed, with ceiling_low and ceiling_high;
        - floor, of rotated neurons or random weights;
        - beyond, whether the layer changed by more than two trainings differ: value − ceiling lies
          below 0, and so does its own interval if there is one. <NA> without a ceiling.

        What was not computed is NaN. The measure ``<measure>_own`` compares neurons or heads with
        those of the same index: the share of neurons that are their own best match, the mean score
        of heads with themselves.

    Raises
    ------
    AssonanceError
        The models are of different architectures, or no score compares them.
    """
    relations.check(comparison, pair)
    parts = [
        part
        for measure in cells.measures(comparison)
        if measure != ROTATED
        for part in (*_scores(comparison, pair, measure), *_own(comparison, pair, measure))
    ]
    if all(part["value"].isna().all() for part in parts):
        raise AssonanceError(
            f"no score compares {printable(pair.pretrained)} with {printable(pair.fine_tuned)}; "
            "compare both by one measure at least"
        )
    table = pd.concat(parts).astype({"beyond": "boolean"})
    return table.set_index(["measure", "way", "layer"])


def heads(comparison: Comparison, pair: FineTuning, measure: str) -> pd.DataFrame:
    """Compare every attention head before fine-tuning with itself and with its best match after.

    Parameters
    ----------
    comparison, pair
        Scores to read, and the models before and after fine-tuning.
    measure
        A measure of heads.

    Returns
    -------
    pandas.DataFrame
        Indexed by layer and head; with value (the head with itself), position (the score of two
        heads that attend by relative position alone, NaN by a measure for which that is no floor),
        best and best_head: the highest score with a head of the same layer after fine-tuning, and
        the index of that head.

    Raises
    ------
    AssonanceError
        The measure was not computed, or the models are of different architectures.
    """
    relations.check(comparison, pair)
    require_heads(comparison, measure)
    models = (pair.pretrained, pair.fine_tuned)
    position = position_name(comparison, measure)
    rows = []
    for layer in comparison.layers(pair.pretrained):
        scores = _heads(comparison, measure, models, layer)
        positions = _heads(comparison, position or "", models, layer)
        for head in range(len(scores)):
            best = int(np.argmax(scores[head]))
            rows.append(
                {
                    "layer": layer,
                    "head": head,
                    "value": scores[head, head],
                    "position": positions[head, head] if len(positions) else np.nan,
                    "best": scores[head, best],
                    "best_head": best,
                }
            )
    columns = ["layer", "head", "value", "position", "best", "best_head"]
    return pd.DataFrame(rows, columns=columns).set_index(["layer", "head"])


def curve(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Select the curve of one measure, the way `RETAINED`, from a table of `layers`.

    Returns
    -------
    pandas.DataFrame
        Indexed by layer; layers without a score are left out.

    Raises
    ------
    AssonanceError
        The measure is not in the table.
    """
    names = list(dict.fromkeys(map(str, table.index.get_level_values("measure"))))
    if measure not in names:
        raise AssonanceError(f"{measure}: was not computed; you can use: {', '.join(names)}")
    part = pd.DataFrame(table.xs((measure, RETAINED), level=("measure", "way")))
    return part.dropna(subset="value")


def leading_measures(table: pd.DataFrame) -> list[str]:
    """Name the first measure of each kind of `CHANGE` that a table of `layers` has."""
    scored = set(table.dropna(subset="value").index.get_level_values("measure"))
    firsts = (next((name for name in names if name in scored), None) for names in CHANGE.values())
    return [name for name in firsts if name is not None]


def onset(part: pd.DataFrame) -> str | None:
    """Find the onset of change: the layer from which on every layer has changed.

    Parameters
    ----------
    part
        The curve of one measure, as `curve` returns it.

    Returns
    -------
    str or None
        The first layer from which on all are beyond the ceiling. Without a ceiling, from which on
        all lie below the midpoint between the least and the most similar layer. None if the last
        layer has not changed by this rule.
    """
    if part["ceiling"].notna().any():
        changed = part["beyond"].to_numpy(bool, na_value=False)
    else:
        values = part["value"].to_numpy(float)
        changed = values < (values.max() + values.min()) / 2
    unchanged = np.flatnonzero(~changed)
    first = int(unchanged[-1]) + 1 if len(unchanged) else 0
    return str(part.index[first]) if first < len(part) else None


def _scores(comparison: Comparison, pair: FineTuning, measure: str) -> Iterator[pd.DataFrame]:
    """Yield the scores of each layer with itself, one table per way."""
    change, seeds = (pair.pretrained, pair.fine_tuned), (pair.pretrained, pair.second_seed)
    ways: dict[str, tuple[_Models, _Models]] = {RETAINED: (change, seeds)}
    if not _symmetric(measure):
        ways[ANTICIPATED] = (change[::-1], seeds[::-1])
    scores, bounds = estimates(comparison, measure), cells.bounds(comparison, measure)
    labels = comparison.layers(pair.pretrained)
    for way, (models, ends) in ways.items():
        columns: dict[str, Any] = {
            "value": _by_layer(scores, models, labels),
            **{end: _by_layer(bounds.get(end), models, labels) for end in cells.BOUNDS},
            "ceiling": _by_layer(scores, ends, labels),
            **{f"ceiling_{end}": _by_layer(bounds.get(end), ends, labels) for end in cells.BOUNDS},
            "floor": _floor(comparison, measure, models, labels),
            "beyond": _beyond(comparison, measure, models, ends, labels),
        }
        yield _labelled(measure, way, labels).assign(**columns)


def _symmetric(measure: str) -> bool:
    """Return whether a measure gives the same score both ways."""
    from assonance.measures import MEASURES  # which imports torch

    return MEASURES[measure].symmetric


def _own(comparison: Comparison, pair: FineTuning, measure: str) -> Iterator[pd.DataFrame]:
    """Yield the scores of neurons or heads with those of the same index, one table or none."""
    if measure == MATCHED and f"{MATCHED}_match" in comparison.neurons:
        score = _same_neurons
    elif measure in head_measures(comparison):
        score = _same_heads
    else:
        return
    labels = comparison.layers(pair.pretrained)
    value, ceiling = (
        [score(comparison, measure, (pair.pretrained, other), layer) for layer in labels]
        if other
        else np.nan
        for other in (pair.fine_tuned, pair.second_seed)
    )
    yield _labelled(measure, RETAINED, labels).assign(
        measure=f"{measure}{OWN}", value=value, ceiling=ceiling
    )


def _labelled(measure: str, way: str, labels: Sequence[str]) -> pd.DataFrame:
    """Label the rows of a table."""
    return pd.DataFrame(
        {
            "measure": measure,
            "way": way,
            "layer": labels,
            "level": LEVELS[measure],
            "depth": [cells.depth(place, len(labels)) for place in range(len(labels))],
        }
    )


def _same_neurons(comparison: Comparison, measure: str, models: _Models, layer: str) -> float:
    """Compute the share of neurons whose best match is the neuron of their own index."""
    match = _by_layer(comparison.neurons[f"{measure}_match"], models, [layer])[0]
    varying = match >= 0
    own = match == np.arange(len(match))
    return float(own[varying].mean()) if varying.any() else np.nan


def _same_heads(comparison: Comparison, measure: str, models: _Models, layer: str) -> float:
    """Compute the mean score of heads with the heads of their own index."""
    scores = _heads(comparison, measure, models, layer)
    return float(np.diagonal(scores).mean()) if scores.size else np.nan


def _heads(
    comparison: Comparison, measure: str, models: _Models, layer: str
) -> NDArray[np.floating]:
    """Read the scores of all heads of a layer with all of the same layer; empty if it has none."""
    if measure not in comparison.heads:
        return np.empty((0, 0))
    array = comparison.heads[measure]
    scores = _by_layer(array, models, [layer])[0].astype(array.dtype)
    defined = ~np.isnan(scores)
    result: NDArray[np.floating] = scores[defined.any(1)][:, defined.any(0)]
    return result


def _floor(
    comparison: Comparison, measure: str, models: _Models, labels: Sequence[str]
) -> NDArray[np.float64]:
    """Read the floor of each layer: of rotated neurons, or of the column model's random twin.

    That of the layer nearest in depth that was compared.
    """
    if measure == MATCHED:
        return _by_layer(comparison.scores.get(ROTATED), models, labels)
    row, col = models
    twin = comparison.twin(col) if col else None
    if twin is None:
        return np.full(len(labels), np.nan)
    scores = comparison.scores[measure]
    near = cells.nearest_scored(comparison, scores, "col", twin)
    sides = ([row] * len(labels), labels, [twin] * len(labels), map(near.get, labels))
    return cells.read(scores, dict(zip(CELL, sides, strict=True)))


def _beyond(
    comparison: Comparison, measure: str, change: _Models, seeds: _Models, labels: Sequence[str]
) -> pd.Series:
    """Test whether layers lie below their ceilings: by the interval of the difference, if known.

    Both scores are of the same speech, so that their common variation cancels in the difference.
    """
    scores, replicates = comparison.scores[measure], comparison.replicates.get(measure)
    highest = difference = _by_layer(scores, change, labels) - _by_layer(scores, seeds, labels)
    if replicates is not None and None not in seeds:
        again = _by_layer(replicates, change, labels) - _by_layer(replicates, seeds, labels)
        _, highest = cells.method_of(replicates)(difference, again).interval
    return pd.Series(highest < 0, dtype="boolean").mask(np.isnan(difference))


def _by_layer(
    array: xr.DataArray | None, models: _Models, labels: Sequence[str]
) -> NDArray[np.float64]:
    """Read the cell of each layer with the same layer of another model; NaN if there is none."""
    if array is None:
        return np.full(len(labels), np.nan)
    row, col = ([model] * len(labels) for model in models)
    return cells.read(array, dict(zip(CELL, (row, labels, col, labels), strict=True)))


def pairs(comparison: Comparison) -> tuple[FineTuning, ...]:
    """Return the fine-tunings among the models, as `Relations` finds them.

    Pairs without any score between a layer before and the same layer after are left out.
    """
    found = relations.Relations(comparison.provenance.models).fine_tunings()
    return tuple(pair for pair in found if _scored(comparison, pair))


def _scored(comparison: Comparison, pair: FineTuning) -> bool:
    """Return whether any measure compares a layer before fine-tuning with the same layer after."""
    labels = comparison.layers(pair.pretrained)
    models = pair.pretrained, pair.fine_tuned
    return any(
        not np.isnan(_by_layer(estimates(comparison, measure), models, labels)).all()
        for measure in cells.measures(comparison)
        if measure != ROTATED
    )
