"""What fine-tuning changed: the same layer of a model before and after, with what it stands beside.

The numbers behind the figures and sentences of `assonance diff`, read off a comparison.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from assonance.comparison import relations
from assonance.comparison.relations import FineTuning
from assonance.comparison.result import CELL, Comparison
from assonance.errors import AssonanceError, printable
from assonance.inference.intervals import METHODS
from assonance.inference.localisation import ROTATED
from assonance.measures import MEASURES
from assonance.measures.roles import TELLING
from assonance.tables import cells
from assonance.tables.cells import estimates
from assonance.tables.heads import head_measures

# Which way a directional measure asks: what of the one layer is still, or was already, in the
# other.
RETAINED, ANTICIPATED = "kept", "foreseen"


# Names of a row and a column model; None for one that was not compared.
_Models = tuple[str | None, str | None]


OWN = "_own"  # of a neuron or head with itself, by its number, and not with its best match


def layers(comparison: Comparison, pair: FineTuning) -> pd.DataFrame:
    """Compare every layer before fine-tuning with the same layer after, by every measure.

    Parameters
    ----------
    comparison
        Of the pair's models.
    pair
        What to look at.

    Returns
    -------
    pandas.DataFrame
        Indexed by measure, way (`RETAINED`: how much of the pretrained layer the fine-tuned one
        has; `ANTICIPATED`: the other way round; symmetric measures have the first alone) and
        layer; with level, depth (0 the first layer, 1 the last), value (corrected for bias where
        it has an interval), low, high (the interval), ceiling,
        ceiling_low, ceiling_high (the pretrained model with its second seed), floor (as
        `floor_name`) and beyond, whether the layer has changed by more than
        two trainings differ: value − ceiling, with its own interval where there is one, lies below
        0.
        What was not measured is NaN, `beyond` without a ceiling is <NA>.
        ``<measure>_own`` is of neurons or heads each with itself: the share of neurons that are
        their own best match, the mean score of heads with themselves.

    Raises
    ------
    AssonanceError
        The models are of different architectures, or nothing was measured between them.
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
            f"nothing was measured between {printable(pair.pretrained)} and "
            f"{printable(pair.fine_tuned)}"
        )
    table = pd.concat(parts).astype({"beyond": "boolean"})
    return table.set_index(["measure", "way", "layer"])


def heads(comparison: Comparison, pair: FineTuning, measure: str) -> pd.DataFrame:
    """Compare every attention head before fine-tuning with itself and with its best match after.

    Parameters
    ----------
    comparison, pair
        Where to look.
    measure
        A measure of heads.

    Returns
    -------
    pandas.DataFrame
        Indexed by layer and head; with value (of the head with itself), position (what the two
        would score if they knew positions alone), best and best_head, the highest score with a
        head of the same layer after, and which.

    Raises
    ------
    AssonanceError
        The measure was not measured, or the models are of different architectures.
    """
    relations.check(comparison, pair)
    if measure not in head_measures(comparison):
        raise AssonanceError(
            f"{measure}: not measured of heads here; you can use: "
            f"{', '.join(head_measures(comparison)) or 'nothing'}"
        )
    rows = []
    for layer in comparison.layers(pair.pretrained):
        scores = _heads(comparison, measure, pair.pretrained, pair.fine_tuned, layer)
        positions = _heads(
            comparison, f"{measure}_position", pair.pretrained, pair.fine_tuned, layer
        )
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
    """Take one measure, of what was kept, out of a table of `layers`.

    Returns
    -------
    pandas.DataFrame
        Indexed by layer; layers of which nothing is known are left out.

    Raises
    ------
    AssonanceError
        It is not in the table.
    """
    known = list(dict.fromkeys(map(str, table.index.get_level_values("measure"))))
    if measure not in known:
        raise AssonanceError(f"{measure}: not measured here; you can use: {', '.join(known)}")
    part = pd.DataFrame(table.xs((measure, RETAINED), level=("measure", "way")))
    return part.dropna(subset="value")


def telling(table: pd.DataFrame) -> list[str]:
    """Name the most telling measures in a table of layers: of subspaces, neurons and heads."""
    there = set(table.dropna(subset="value").index.get_level_values("measure"))
    firsts = (next((name for name in names if name in there), None) for names in TELLING.values())
    return [name for name in firsts if name is not None]


def onset(part: pd.DataFrame) -> str | None:
    """Name the layer from which on all layers have changed.

    Parameters
    ----------
    part
        Of one measure, as `curve` gives it.

    Returns
    -------
    str or None
        The first of the last layers that are all beyond the ceiling; without a ceiling, of those
        that lie below the middle between the most and the least similar layer. None where the
        last layer has not changed so far.
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
    """Tell what a measure says of each layer with itself, one table a way."""
    change, seeds = (pair.pretrained, pair.fine_tuned), (pair.pretrained, pair.second_seed)
    ways: dict[str, tuple[_Models, _Models]] = {RETAINED: (change, seeds)}
    if not MEASURES[measure].symmetric:
        ways[ANTICIPATED] = (change[::-1], seeds[::-1])
    scores = estimates(comparison, measure)
    ladder = comparison.layers(pair.pretrained)
    for way, (models, ends) in ways.items():
        low, high = _interval(comparison, measure, models, ladder)
        ceiling_low, ceiling_high = _interval(comparison, measure, ends, ladder)
        yield _labelled(measure, way, ladder).assign(
            value=_each(scores, models, ladder),
            low=low,
            high=high,
            ceiling=_each(scores, ends, ladder),
            ceiling_low=ceiling_low,
            ceiling_high=ceiling_high,
            floor=_floor(comparison, measure, models, ladder),
            beyond=_beyond(comparison, measure, models, ends, ladder),
        )


def _own(comparison: Comparison, pair: FineTuning, measure: str) -> Iterator[pd.DataFrame]:
    """Tell what a measure says of neurons or heads each with itself."""
    if measure == "maxcorr" and "maxcorr_match" in comparison.neurons:
        measured = _same_neurons
    elif measure in head_measures(comparison):
        measured = _same_heads
    else:
        return
    ladder = comparison.layers(pair.pretrained)
    value, ceiling = (
        [measured(comparison, measure, pair.pretrained, other, layer) for layer in ladder]
        if other
        else np.nan
        for other in (pair.fine_tuned, pair.second_seed)
    )
    yield _labelled(measure, RETAINED, ladder).assign(
        measure=f"{measure}{OWN}", value=value, ceiling=ceiling
    )


def _labelled(measure: str, way: str, ladder: Sequence[str]) -> pd.DataFrame:
    """Name what the rows of a table are about."""
    return pd.DataFrame(
        {
            "measure": measure,
            "way": way,
            "layer": ladder,
            "level": MEASURES[measure].level,
            "depth": [cells.depth(place, len(ladder)) for place in range(len(ladder))],
        }
    )


def _same_neurons(comparison: Comparison, measure: str, row: str, col: str, layer: str) -> float:
    """Share of neurons whose best match is the neuron of their own number."""
    match = _select(comparison.neurons[f"{measure}_match"], row, col, layer).to_numpy()
    alive = match >= 0
    own = match == np.arange(len(match))
    return float(own[alive].mean()) if alive.any() else np.nan


def _same_heads(comparison: Comparison, measure: str, row: str, col: str, layer: str) -> float:
    """Mean score of heads with the heads of their own numbers."""
    scores = _heads(comparison, measure, row, col, layer)
    return float(np.diagonal(scores).mean()) if scores.size else np.nan


def _heads(
    comparison: Comparison, measure: str, row: str, col: str, layer: str
) -> NDArray[np.floating]:
    """Scores of all heads of a layer with all of the same layer; empty where it has none."""
    if measure not in comparison.heads:
        return np.empty((0, 0))
    table: NDArray[np.floating] = _select(comparison.heads[measure], row, col, layer).to_numpy()
    known = ~np.isnan(table)
    alive: NDArray[np.floating] = table[known.any(1)][:, known.any(0)]
    return alive


def _floor(
    comparison: Comparison, measure: str, models: _Models, ladder: Sequence[str]
) -> NDArray[np.float64]:
    """Tell what layers would score if they shared nothing that is learnt."""
    if measure == "maxcorr":
        return _each(comparison.scores.get(ROTATED), models, ladder)
    row, col = models
    twin = comparison.twin(col) if col else None
    return _each(comparison.scores[measure], (row, twin), ladder)


def _interval(
    comparison: Comparison, measure: str, models: _Models, ladder: Sequence[str]
) -> tuple[NDArray[np.float64], ...]:
    """Low and high ends of scores' intervals; NaN where there are none."""
    known = comparison.intervals.get(measure)
    return tuple(
        _each(None if known is None else known.sel(statistic=end), models, ladder)
        for end in ("low", "high")
    )


def _beyond(
    comparison: Comparison, measure: str, change: _Models, seeds: _Models, ladder: Sequence[str]
) -> pd.Series:
    """Whether layers lie below their ceilings: by the interval of the difference, where known.

    Both scores are of the same speech: what they have in common falls out of the difference.
    """
    scores, replicates = comparison.scores[measure], comparison.replicates.get(measure)
    highest = difference = _each(scores, change, ladder) - _each(scores, seeds, ladder)
    if replicates is not None and None not in seeds:
        again = _each(replicates, change, ladder) - _each(replicates, seeds, ladder)
        _, highest = METHODS[str(replicates.dims[-1])](difference, again).interval
    return pd.Series(highest < 0, dtype="boolean").mask(np.isnan(difference))


def _each(
    array: xr.DataArray | None, models: _Models, ladder: Sequence[str]
) -> NDArray[np.float64]:
    """Take what is known of each layer of a model and the same of another; NaN if nothing is."""
    row, col = models
    if array is None or row is None or col is None:
        return np.full(len(ladder), np.nan)
    here = _select(array, row, col, xr.DataArray(list(ladder), dims="layer"))
    return here.transpose("layer", ...).to_numpy().astype(np.float64)


def _select(array: xr.DataArray, row: str, col: str, layer: str | xr.DataArray) -> xr.DataArray:
    return array.sel(dict(zip(CELL, (row, layer, col, layer), strict=True)))


def pairs(comparison: Comparison) -> tuple[FineTuning, ...]:
    """Return the fine-tunings among the models, as `Relations` finds them.

    Pairs without any score between a layer before and the same layer after are left out.
    """
    found = relations.Relations(comparison.provenance.models).fine_tunings()
    return tuple(pair for pair in found if _scored(comparison, pair))


def _scored(comparison: Comparison, pair: FineTuning) -> bool:
    """Return whether any measure compares a layer before fine-tuning with the same layer after."""
    ladder = comparison.layers(pair.pretrained)
    models = pair.pretrained, pair.fine_tuned
    return any(
        not np.isnan(_each(estimates(comparison, measure), models, ladder)).all()
        for measure in cells.measures(comparison)
        if measure != ROTATED
    )
