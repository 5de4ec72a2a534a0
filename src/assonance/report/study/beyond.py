"""Ask whether models share more than the spectrum of their common input.

A question of our own, stated before any score of it was computed. LinReg between two models is high
in part because both carry the spectrum of their common input. The hypotheses below are about the
partial R² that remains once the log-mel spectrum of a frame, and of the frames 80 ms before and
after, is partialled out of both layers (`assonance.comparison.beyond_spectrum`). Layers of one
number are compared, of pretrained models of one size and different objectives.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from assonance.comparison.records import ModelRecord
from assonance.comparison.relations import Relations, fine_tuned, trained
from assonance.inference.intervals import METHODS

OBJECTIVES, RANDOM, SEEDS = "other objective", "random weights", "other seed"
KINDS = (OBJECTIVES, RANDOM, SEEDS)

# Means of "whole" and "beyond" over pairs of layers of a kind and a range of depths, with any
# further axes last.
Mean = Callable[..., NDArray[np.float64]]


@dataclass(frozen=True)
class Hypothesis:
    """The hypothesis that a contrast of mean scores is above 0.

    Attributes
    ----------
    says
        The hypothesis, without its full stop.
    words
        The contrast in words.
    contrast
        Computes it from means.
    """

    says: str
    words: str
    contrast: Callable[[Mean], NDArray[np.float64]]


def _survival(mean: Mean, low: float, high: float) -> NDArray[np.float64]:
    share: NDArray[np.float64] = mean("beyond", OBJECTIVES, low, high) / mean(
        "whole", OBJECTIVES, low, high
    )
    return share


HYPOTHESES = (
    Hypothesis(
        "More than half of what models of different objectives predict of each other is not in the "
        "log-mel spectrum",
        "partial R² − ½ R²",
        lambda mean: mean("beyond", OBJECTIVES) - mean("whole", OBJECTIVES) / 2,
    ),
    Hypothesis(
        "The share that survives grows with depth",
        "partial R² / R², last third of depth − first third",
        lambda mean: _survival(mean, 2 / 3, 1) - _survival(mean, 0, 1 / 3),
    ),
    Hypothesis(
        "What survives is learned: it exceeds what random weights of the other architecture "
        "predict beyond the spectrum",
        "partial R² − partial R² from random weights",
        lambda mean: mean("beyond", OBJECTIVES) - mean("beyond", RANDOM),
    ),
)


@dataclass(frozen=True)
class Finding:
    """The test of a hypothesis: estimate with its 95 % interval, one-sided p, and the verdict."""

    hypothesis: Hypothesis
    estimate: float
    low: float
    high: float
    p: float

    @property
    def verdict(self) -> str:
        """Supported if the interval lies above 0, not supported if below, undecided if neither."""
        return "supported" if self.low > 0 else "not supported" if self.high < 0 else "undecided"


def pairs(records: Sequence[ModelRecord]) -> pd.DataFrame:
    """List the pairs of layers that the question is about, with its floor and its ceiling.

    Parameters
    ----------
    records
        Of the models of a comparison, their random twins and, for the ceiling, second seeds.

    Returns
    -------
    pandas.DataFrame
        Columns row_model, row_layer, col_model, col_layer, kind (one of `KINDS`) and depth, from 0
        at the input of the first block to 1 at the output of the last.
    """
    relations = Relations(records)
    models = [each for each in records if trained(each)]
    twins = {model: each.name for each in records for model in each.twin_of}
    found = []
    for row, col in product([each for each in models if not fine_tuned(each)], repeat=2):
        if fine_tuned(col) or list(row.layers) != list(col.layers):
            continue
        if relations.other_seed(row, col):
            found.append((row, col.name, SEEDS))
        elif row.objective != col.objective and not (row.seed_of or col.seed_of):
            found.append((row, col.name, OBJECTIVES))
            if twin := twins.get(col.name):
                found.append((row, twin, RANDOM))
    return pd.DataFrame(
        [cell for row, col, kind in found for cell in _same_layers(row, col, kind)],
        columns=["row_model", "row_layer", "col_model", "col_layer", "kind", "depth"],
    )


def ends(which: pd.DataFrame) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Return the pairs as row and column, each a model and one of its layers."""
    rows = which[["row_model", "row_layer"]].itertuples(index=False, name=None)
    cols = which[["col_model", "col_layer"]].itertuples(index=False, name=None)
    return list(zip(rows, cols, strict=True))


def _same_layers(
    row: ModelRecord, col: str, kind: str
) -> list[tuple[str, str, str, str, str, float]]:
    last = max(len(row.layers) - 1, 1)
    return [
        (row.name, layer, col, layer, kind, place / last) for place, layer in enumerate(row.layers)
    ]


def test(scores: xr.Dataset, which: pd.DataFrame) -> list[Finding]:
    """Test the hypotheses.

    Parameters
    ----------
    scores
        As `assonance.comparison.beyond_spectrum.partial_similarity` returns them, one a row of
        `which`.
    which
        The pairs, as `pairs` returns them.

    Returns
    -------
    list of Finding
        In the order of `HYPOTHESES`. Intervals are from a jackknife over groups of speech, so they
        generalise to other speech, not to other models.
    """
    findings = []
    for each in HYPOTHESES:
        value = each.contrast(_means(scores, which, ""))
        replicates = each.contrast(_means(scores, which, "_replicates"))
        found = METHODS["group"](value, replicates)
        low, high = map(float, found.interval)
        findings.append(Finding(each, float(found.estimate), low, high, float(found.p)))
    return findings


def by_depth(scores: xr.Dataset, which: pd.DataFrame) -> pd.DataFrame:
    """Average R² and partial R² over pairs of models, at each depth, with intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed by kind, size (number of layers) and depth; columns ``whole`` and ``beyond``, each
        also with ``_low`` and ``_high``.
    """
    size = which.groupby(["row_model", "col_model"])["row_layer"].transform("size")
    rows = {}
    for key, members in which.groupby(
        [which["kind"], size.rename("layers"), which["depth"]]
    ).groups.items():
        at = which.index.get_indexer(members)
        columns: dict[str, float] = {}
        for name in ("whole", "beyond"):
            found = METHODS["group"](
                scores[name].values[at].mean(0), scores[f"{name}_replicates"].values[at].mean(0)
            )
            low, high = map(float, found.interval)
            columns |= {name: float(found.estimate), f"{name}_low": low, f"{name}_high": high}
        rows[key] = columns
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(table.index, names=("kind", "layers", "depth"))
    return table


def _means(scores: xr.Dataset, which: pd.DataFrame, ending: str) -> Mean:
    def mean(name: str, kind: str, low: float = 0, high: float = 1) -> NDArray[np.float64]:
        depth = which["depth"]
        at = ((which["kind"] == kind) & (depth >= low) & (depth <= high)).to_numpy()
        average: NDArray[np.float64] = scores[name + ending].values[at].mean(0)
        return average

    return mean
