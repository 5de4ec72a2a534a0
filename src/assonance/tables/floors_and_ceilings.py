"""State what scores are read against: floors, ceilings, the log-mel baseline, the shift null.

`REFERENCES` is the one list. Tables take their columns from it, figures their lines and legends,
the report its headings and sentences: a new floor is one more entry.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from assonance.comparison.relations import Relations
from assonance.comparison.result import CELL, Comparison
from assonance.measures.roles import EXPLAINED, MATCHED, ROTATED
from assonance.tables import cells
from assonance.tables.cells import at_best_matches, best_scores, estimates, highest


@dataclass(frozen=True)
class Line:
    """Look of a reference's line in figures.

    Attributes
    ----------
    style, words
        matplotlib's line style, and its name in captions.
    color
        Of a reference that is the same for all other models: each panel has one such line. None
        for one line per other model, in that model's colour.
    width
        In points.
    """

    style: str | tuple[float, tuple[float, ...]]
    words: str
    color: str | None = None
    width: float = 1.1


@dataclass(frozen=True)
class Reference:
    """A score that other scores are read against.

    Attributes
    ----------
    name
        Unique; names its column in `assonance.tables.trust.chance_by_measure`.
    column
        Its column in `assonance.tables.matches.best_layers`. References that suit different
        measures can share one.
    kind
        The share of a score is taken from the first floor to the first ceiling.
    words
        What it is, in legends, headings and captions; after its kind.
    of
        Computes, from a comparison, a measure and its best matches, the column by its name (and
        more, such as its interval in ``<column>_low`` and ``<column>_high``), one row per best
        match. No column if it was not computed.
    line
        Its look in curves over depth; None to leave it to tables. Of several ceilings, only the
        first that is known is drawn.
    mean
        Computes its mean over all pairs of layers of different models, for
        `assonance.tables.trust.chance_by_measure`; None to leave it out there.
    phrase
        Its words beside a score of a measure in the first sentences; None if it is not mentioned.
    suits
        Whether it is a reference for a measure.
    """

    name: str
    column: str
    kind: Literal["floor", "baseline", "null", "ceiling"]
    words: str
    of: Callable[[Comparison, str, pd.DataFrame], pd.DataFrame]
    line: Line | None = None
    mean: Callable[[Comparison, str], float] | None = None
    phrase: Callable[[str], str | None] = lambda _: None
    suits: Callable[[str], bool] = lambda _: True

    @property
    def label(self) -> str:
        """Kind and words, as legends and headings have them."""
        return f"{self.kind}: {self.words}"


def columns(comparison: Comparison, measure: str, best: pd.DataFrame) -> pd.DataFrame:
    """Compute the columns of all references that suit a measure and are known here.

    Parameters
    ----------
    comparison, measure
        Scores to read, of pairs of layers.
    best
        The best match of each layer, with its ``estimate``.

    Returns
    -------
    pandas.DataFrame
        Indexed as `best`.
    """
    parts = [each.of(comparison, measure, best) for each in REFERENCES if each.suits(measure)]
    return pd.concat([best[[]], *parts], axis="columns")


def known(table: pd.DataFrame, measure: str) -> list[Reference]:
    """List the references that have a column in a table of a measure's best layers."""
    return [each for each in REFERENCES if each.suits(measure) and each.column in table]


def drawn(table: pd.DataFrame, measure: str) -> list[Reference]:
    """List the references that figures of a table draw: of several ceilings, the first alone."""
    lines = [each for each in known(table, measure) if each.line is not None]
    first = ceiling(table, measure)
    return [each for each in lines if each.kind != "ceiling" or each is first]


def floor(table: pd.DataFrame, measure: str) -> Reference | None:
    """Return the floor of a measure, or None if a table has none."""
    return next((each for each in known(table, measure) if each.kind == "floor"), None)


def ceiling(table: pd.DataFrame, measure: str) -> Reference | None:
    """Return the ceiling of a measure: the first that is known and drawn, or None."""
    ceilings = [each for each in known(table, measure) if each.kind == "ceiling" and each.line]
    return next(iter(ceilings), None)


def share(score: pd.Series, floor: pd.Series, ceiling: pd.Series) -> pd.Series:
    """Return where scores lie between floor (0) and ceiling (1).

    Negative below the floor and above 1 beyond the ceiling; NaN where the ceiling does not lie
    above the floor.
    """
    headroom = ceiling - floor
    return (score - floor) / headroom.where(headroom > 0)


def headings() -> dict[str, str]:
    """Name the columns of all references in words."""
    words: dict[str, str] = {}
    for each in REFERENCES:
        shared = any(other.column == each.column for other in REFERENCES if other is not each)
        label = each.kind if shared else each.label
        words |= {
            each.column: label,
            f"{each.column}_low": f"{label}, 95 % low",
            f"{each.column}_high": f"{label}, 95 % high",
        }
    return words


def _nothing(best: pd.DataFrame) -> pd.DataFrame:
    return best[[]]


def _rotated(comparison: Comparison, measure: str, best: pd.DataFrame) -> pd.DataFrame:
    """Read the score of randomly rotated neurons at the best matches."""
    if ROTATED not in comparison.scores:
        return _nothing(best)
    rotated = estimates(comparison, ROTATED)
    return pd.DataFrame({"floor": at_best_matches(rotated, best)}, index=best.index)


def _random_weights(comparison: Comparison, measure: str, best: pd.DataFrame) -> pd.DataFrame:
    """Find the best score of each row layer in the random twin of the column model."""
    twins = list(comparison.twins)
    if not twins:
        return _nothing(best)
    scores = cells.of_layers(comparison, measure)
    if not scores.sel(model_row=list(comparison.models), model_col=twins).notnull().any():
        return _nothing(best)
    others = [comparison.twin(col) for col in best.index.get_level_values("model_col")]
    found = best_scores(estimates(comparison, measure), best.index, others)
    return pd.DataFrame({"floor": found}, index=best.index)


def _mean_random_weights(comparison: Comparison, measure: str) -> float:
    """Average all layers with all layers of twins, but not with a twin of that model alone."""
    models, twins = list(comparison.models), comparison.twins
    if not twins:
        return float("nan")
    scores = comparison.scores[measure].sel(model_row=models, model_col=list(twins))
    own = np.array([[of == (row,) for of in twins.values()] for row in models], dtype=bool)
    return float(scores.where(~xr.DataArray(own, dims=("model_row", "model_col"))).mean())


def _baseline(comparison: Comparison, measure: str, best: pd.DataFrame) -> pd.DataFrame:
    """Read the score of log-mel frames in place of the other model, with its interval.

    For R² also ``baseline_fraction``, how much of the variance that the other model explains
    log-mel frames explain.
    """
    if comparison.baseline is None:
        return _nothing(best)
    # The baseline has one layer: the bounds of the best score are its own.
    arrays = {"": estimates(comparison, measure)} | {
        f"_{bound}": ends for bound, ends in cells.bounds(comparison, measure).items()
    }
    others = [comparison.baseline] * len(best)
    found = pd.DataFrame(
        {
            f"baseline{name}": best_scores(array, best.index, others)
            for name, array in arrays.items()
        },
        index=best.index,
    )
    if found["baseline"].isna().all():
        return _nothing(best)
    if measure in EXPLAINED:
        explained = best["estimate"].where(best["estimate"] > 0)
        found["baseline_fraction"] = found["baseline"].clip(lower=0) / explained
    return found


def _mean_baseline(comparison: Comparison, measure: str) -> float:
    """Average all layers with log-mel frames."""
    if comparison.baseline is None:
        return float("nan")
    scores = comparison.scores[measure]
    return float(
        scores.sel(model_row=list(comparison.models), model_col=comparison.baseline).mean()
    )


def _shifted(comparison: Comparison, measure: str, best: pd.DataFrame) -> pd.DataFrame:
    """Average the circular-shift null over its shifts at the best matches.

    Where these were not shifted, the null of the layers nearest in depth that were.
    """
    if measure not in comparison.nulls:
        return _nothing(best)
    mean = comparison.nulls[measure].mean("shift")
    where = {dim: list(best.index.get_level_values(dim)) for dim in CELL[:3]}
    where["layer_col"] = list(best["layer_col"])
    for side in ("row", "col"):
        models = where[f"model_{side}"]
        near = {each: cells.nearest_scored(comparison, mean, side, each) for each in set(models)}
        layers = where[f"layer_{side}"]
        where[f"layer_{side}"] = [
            near[model].get(layer) for model, layer in zip(models, layers, strict=True)
        ]
    return pd.DataFrame({"shifted": cells.read(mean, where)}, index=best.index)


def _second_seed(comparison: Comparison, measure: str, best: pd.DataFrame) -> pd.DataFrame:
    """Find the best layer of the row model trained with another seed, whichever came first."""
    relations = Relations(comparison.provenance.models)
    seeds = {row: relations.second_seed(row) for row in map(str, best.index.unique("model_row"))}
    others = [seeds[str(row)] for row in best.index.get_level_values("model_row")]
    found = best_scores(estimates(comparison, measure), best.index, others)
    return _unless_undefined("seed", found, best)


def _neighbour(comparison: Comparison, measure: str, best: pd.DataFrame) -> pd.DataFrame:
    """Find the better neighbour of each row layer in its own model."""
    scores = estimates(comparison, measure)
    found: dict[tuple[str, str], float] = {}
    for model in map(str, best.index.unique("model_row")):
        layers = list(comparison.layers(model))
        own = scores.sel(model_row=model, model_col=model, layer_row=layers, layer_col=layers)
        places = np.arange(len(layers))
        beside = np.abs(places[:, None] - places[None, :]) == 1
        own = own.transpose("layer_row", "layer_col")
        nearest = highest(np.where(beside, own.values, np.nan))
        found |= {(model, layer): nearest[place] for place, layer in enumerate(layers)}
    return _unless_undefined("neighbour", [found[row, layer] for row, _, layer in best.index], best)


def _halves(comparison: Comparison, measure: str, best: pd.DataFrame) -> pd.DataFrame:
    """Read the score of one random half of each row layer's neurons with the other half."""
    if measure not in comparison.halves:
        return _nothing(best)
    rows = {dim: best.index.get_level_values(dim) for dim in ("model_row", "layer_row")}
    return _unless_undefined("halves", cells.read(comparison.halves[measure], rows), best)


def _unless_undefined(
    column: str, values: Sequence[float] | NDArray[np.float64], best: pd.DataFrame
) -> pd.DataFrame:
    """Make a column, or none if no value is defined."""
    found = pd.DataFrame({column: values}, index=best.index)
    return found if found[column].notna().any() else _nothing(best)


ROTATED_NEURONS = Reference(
    name="rotated neurons",
    column="floor",
    kind="floor",
    words="randomly rotated neurons",
    of=_rotated,
    line=Line("--", "dashed"),
    phrase=lambda _: "a random rotation of the neurons",
    suits=lambda measure: measure == MATCHED,
)

RANDOM_WEIGHTS = Reference(
    name="random weights",
    column="floor",
    kind="floor",
    words="random weights",
    of=_random_weights,
    line=Line("--", "dashed"),
    mean=_mean_random_weights,
    phrase=lambda _: "an untrained copy",
    suits=lambda measure: measure not in (MATCHED, ROTATED),
)

BASELINE = Reference(
    name="baseline",
    column="baseline",
    kind="baseline",
    words="log-mel",
    of=_baseline,
    line=Line("-.", "dash-dotted", "#444444", 1.3),
    mean=_mean_baseline,
    # With 80 bands to match, log-mel frames are too low a floor for single neurons.
    phrase=lambda measure: None if measure == MATCHED else "log-mel",
    suits=lambda measure: measure != ROTATED,
)

SHIFTED = Reference(
    name="shifted",
    column="shifted",
    kind="null",
    words="circular shifts",
    of=_shifted,
)

SECOND_SEED = Reference(
    name="second seed",
    column="seed",
    kind="ceiling",
    words="second seed",
    of=_second_seed,
    line=Line(":", "dotted"),
)

NEIGHBOUR = Reference(
    name="neighbour",
    column="neighbour",
    kind="ceiling",
    words="the neighbouring layer",
    of=_neighbour,
    line=Line(":", "dotted"),
)

HALVES = Reference(
    name="halves",
    column="halves",
    kind="ceiling",
    words="halves of the layer's neurons",
    of=_halves,
)

REFERENCES: tuple[Reference, ...] = (
    ROTATED_NEURONS,
    RANDOM_WEIGHTS,
    BASELINE,
    SHIFTED,
    SECOND_SEED,
    NEIGHBOUR,
    HALVES,
)
