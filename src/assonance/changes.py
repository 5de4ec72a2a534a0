"""What fine-tuning changed: the same layer of a model before and after, with what it stands beside.

The numbers behind the figures and sentences of `assonance diff`, read off a comparison.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from assonance import match_tables, tables
from assonance.anchors import estimates
from assonance.errors import AssonanceError
from assonance.head_tables import head_measures
from assonance.inference import METHODS
from assonance.measures import MEASURES
from assonance.outside import one_line
from assonance.results import CELL, Comparison, ModelRecord

# Which way a directional measure asks: what of the one layer is still, or was already, in the
# other.
KEPT, FORESEEN = "kept", "foreseen"
# The most telling measures of each kind, the most trustworthy first.
TELLING = {
    "Subspaces": ("linreg_heldout", "cka_utterance", "linreg", "svcca", "pwcca", "cka"),
    "Neurons": ("maxcorr",),
    "Heads": ("attn_js", "attn_pearson", "attn_frobenius"),
}
# Family, parameters and layers.
Architecture = tuple[str, int, tuple[str, ...]]
OWN = "_own"  # of a neuron or head with itself, by its number, and not with its best match


@dataclass(frozen=True)
class Pair:
    """A model before and after fine-tuning, by their names in a comparison.

    Attributes
    ----------
    pretrained, fine_tuned
        Before and after; models of the same layers.
    second_seed
        A pretrained model of the same recipe from another seed: what two trainings share is the
        ceiling that change is held against. None where there is none.
    """

    pretrained: str
    fine_tuned: str
    second_seed: str | None = None


def pairs(comparison: Comparison) -> tuple[Pair, ...]:
    """Find the fine-tuned models whose pretrained ones were compared too.

    A fine-tuned model comes from the pretrained one of its architecture that is most like it in
    the first layer; another of that architecture is a second seed.
    """
    models = [each for each in comparison.provenance.models if not each.twin_of]
    measure = match_tables.knowing_measure(comparison)
    found = []
    for tuned in (each for each in models if each.fine_tuned):
        alike = [
            each.name
            for each in models
            if not each.fine_tuned
            and each.objective != "none"
            and _architecture(each) == _architecture(tuned)
        ]
        if alike and measure is not None:
            first = next(iter(tuned.layers))
            shared = {
                name: float(_cell(comparison.scores[measure], name, tuned.name, first))
                for name in alike
            }
            alike.sort(key=lambda name: -np.nan_to_num(shared[name], nan=-np.inf))
            seeds = [each.name for each in models if each.seed_of == alike[0]]
            found.append(Pair(alike[0], tuned.name, *(seeds or alike[1:])[:1]))
    return tuple(found)


def layers(comparison: Comparison, pair: Pair) -> pd.DataFrame:
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
        Indexed by measure, way (`KEPT`: how much of the pretrained layer the fine-tuned one has;
        `FORESEEN`: the other way round; symmetric measures have the first alone) and layer; with
        level, depth (0 the first layer, 1 the last), value (corrected for bias where it has an
        interval), low, high (the interval), ceiling,
        ceiling_low, ceiling_high (the pretrained model with its second seed), floor (as
        `assonance.match_tables.floor_name`) and beyond, whether the layer has changed by more than
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
    _check(comparison, pair)
    rows = [
        row
        for measure in tables.measures(comparison)
        if measure != "maxcorr_rotated"
        for row in (*_scores(comparison, pair, measure), *_own(comparison, pair, measure))
    ]
    table = pd.DataFrame(rows)
    if not rows or table["value"].isna().all():
        raise AssonanceError(
            f"nothing was measured between {one_line(pair.pretrained)} and "
            f"{one_line(pair.fine_tuned)}"
        )
    table["beyond"] = table["beyond"].astype("boolean")
    return table.set_index(["measure", "way", "layer"])


def heads(comparison: Comparison, pair: Pair, measure: str) -> pd.DataFrame:
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
    _check(comparison, pair)
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
    part = pd.DataFrame(table.xs((measure, KEPT), level=("measure", "way")))
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


def of_one_architecture(architectures: Mapping[str, Architecture]) -> None:
    """Refuse models whose layers are not those of the first.

    Parameters
    ----------
    architectures
        By the models' names, the pretrained one first.

    Raises
    ------
    AssonanceError
        One is of another architecture.
    """
    first = next(iter(architectures))
    for name, architecture in architectures.items():
        if architecture != architectures[first]:
            raise AssonanceError(
                f"{one_line(name)} is of another architecture than {one_line(first)}: "
                "change is followed layer by layer; give checkpoints of one architecture"
            )


def _check(comparison: Comparison, pair: Pair) -> None:
    known = {each.name: each for each in comparison.provenance.models}
    for name in _named(pair):
        if name not in known:
            raise AssonanceError(f"{one_line(name)}: no such model here")
    of_one_architecture({name: _architecture(known[name]) for name in _named(pair)})


def _architecture(model: ModelRecord) -> Architecture:
    return model.family, model.n_parameters, tuple(model.layers)


def _named(pair: Pair) -> list[str]:
    return [name for name in (pair.pretrained, pair.fine_tuned, pair.second_seed) if name]


def _scores(comparison: Comparison, pair: Pair, measure: str) -> Iterator[dict[str, object]]:
    """Rows of a measure, one a way and layer."""
    ways = {KEPT: (pair.pretrained, pair.fine_tuned)}
    if not MEASURES[measure].symmetric:
        ways[FORESEEN] = (pair.fine_tuned, pair.pretrained)
    scores = estimates(comparison, measure)
    ladder = comparison.layers(pair.pretrained)
    for way, (row, col) in ways.items():
        for place, layer in enumerate(ladder):
            found: dict[str, object] = {
                "measure": measure,
                "way": way,
                "layer": layer,
                "level": MEASURES[measure].level,
                "depth": tables.depth(place, len(ladder)),
            }
            one, other = (pair.pretrained, pair.second_seed)[:: 1 if way == KEPT else -1]
            found["value"] = _cell(scores, row, col, layer)
            found["low"], found["high"] = _interval(comparison, measure, row, col, layer)
            found["ceiling"] = _cell(scores, one, other, layer)
            found["ceiling_low"], found["ceiling_high"] = _interval(
                comparison, measure, one, other, layer
            )
            found["floor"] = _floor(comparison, measure, row, col, layer)
            found["beyond"] = _beyond(comparison, measure, (row, col), (one, other), layer)
            yield found


def _own(comparison: Comparison, pair: Pair, measure: str) -> Iterator[dict[str, object]]:
    """Rows of neurons or heads each with itself."""
    ladder = comparison.layers(pair.pretrained)
    if measure == "maxcorr" and "maxcorr_match" in comparison.neurons:
        measured = _same_neurons
    elif measure in head_measures(comparison):
        measured = _same_heads
    else:
        return
    for place, layer in enumerate(ladder):
        yield {
            "measure": f"{measure}{OWN}",
            "way": KEPT,
            "layer": layer,
            "level": MEASURES[measure].level,
            "depth": tables.depth(place, len(ladder)),
            "value": measured(comparison, measure, pair.pretrained, pair.fine_tuned, layer),
            "ceiling": measured(comparison, measure, pair.pretrained, pair.second_seed, layer),
        }


def _same_neurons(
    comparison: Comparison, measure: str, row: str, col: str | None, layer: str
) -> float:
    """Share of neurons whose best match is the neuron of their own number."""
    if col is None:
        return np.nan
    match = _select(comparison.neurons[f"{measure}_match"], row, col, layer).to_numpy()
    alive = match >= 0
    own = match == np.arange(len(match))
    return float(own[alive].mean()) if alive.any() else np.nan


def _same_heads(
    comparison: Comparison, measure: str, row: str, col: str | None, layer: str
) -> float:
    """Mean score of heads with the heads of their own numbers."""
    scores = _heads(comparison, measure, row, col, layer) if col else np.empty((0, 0))
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


def _floor(comparison: Comparison, measure: str, row: str, col: str, layer: str) -> float:
    """Tell what the two layers would score if they shared nothing that is learnt."""
    if measure == "maxcorr":
        return _cell(comparison.scores.get("maxcorr_rotated"), row, col, layer)
    return _cell(comparison.scores.get(measure), row, comparison.twin(col), layer)


def _interval(
    comparison: Comparison, measure: str, row: str | None, col: str | None, layer: str
) -> tuple[float, float]:
    """Tell the ends of a score's interval; NaN where it has none."""
    if measure not in comparison.intervals or row is None or col is None:
        return np.nan, np.nan
    ends = _select(comparison.intervals[measure], row, col, layer)
    return float(ends.sel(statistic="low")), float(ends.sel(statistic="high"))


def _beyond(
    comparison: Comparison,
    measure: str,
    change: tuple[str, str],
    seeds: tuple[str | None, str | None],
    layer: str,
) -> bool | None:
    """Whether a layer lies below its ceiling: the interval of their difference, where it is known.

    Both scores are of the same speech: what they have in common falls out of the difference.
    """
    one, other = seeds
    if one is None or other is None:
        return None
    difference = _difference(comparison.scores[measure], change, (one, other), layer)
    if np.isnan(difference):
        return None
    if measure not in comparison.replicates:
        return bool(difference < 0)
    known = comparison.replicates[measure]
    replicates = _difference(known, change, (one, other), layer)
    _, high = METHODS[str(known.dims[-1])](difference, replicates).ends
    return bool(high < 0)


def _difference(
    array: xr.DataArray, change: tuple[str, str], seeds: tuple[str, str], layer: str
) -> NDArray[np.floating]:
    first, second = (_select(array, *models, layer).to_numpy() for models in (change, seeds))
    return np.asarray(first - second, dtype=np.float64)


def _cell(array: xr.DataArray | None, row: str | None, col: str | None, layer: str) -> float:
    if array is None or row is None or col is None:
        return np.nan
    return float(_select(array, row, col, layer))


def _select(array: xr.DataArray, row: str, col: str, layer: str) -> xr.DataArray:
    return array.sel(dict(zip(CELL, (row, layer, col, layer), strict=True)))
