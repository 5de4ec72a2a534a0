"""Compare the pattern of a measure over pairs of layers with that of a published figure.

Scores of other models on other speech are not expected to equal the published ones. The question is
whether they rank pairs of models, and pairs of layers, in the same order. Cells of a matrix are not
independent, since each layer has a row and a column of them. Layers are therefore the units that
are resampled and permuted, never cells.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from assonance.comparison.result import Comparison
from assonance.report.study import published

Array = NDArray[np.float64]

DRAWS = 500
LEVEL = 0.95


@dataclass(frozen=True)
class Cells:
    """Scores of all pairs of layers, and the published values of their counterparts.

    Attributes
    ----------
    measured, published
        Shape (L, L); NaN for a layer with itself, and where there is no score or no counterpart.
    model
        Number of each layer's model, shape (L,).
    depth
        Relative depth of each layer in its model, from 0 to 1, shape (L,).
    layers
        Role and label of each layer.
    """

    measured: Array
    published: Array
    model: NDArray[np.int64]
    depth: Array
    layers: tuple[tuple[str, str], ...] = ()

    @cached_property
    def ranks(self) -> list[tuple[Array, Array, Array]]:
        """For each pair of models, the ranks of scores, published values and nearness in depth."""
        nearness = -np.abs(self.depth[:, None] - self.depth[None, :])
        found = []
        for part in _blocks(self.model):
            at = np.isfinite(self.measured[part])
            if at.any():
                x, y, z = (
                    _ranks(values[part][at]) for values in (self.measured, self.published, nearness)
                )
                found.append((x, y, z))
        return found

    def take(self, rows: NDArray[np.int64]) -> "Cells":
        """Return the cells of layers, some of which may be taken more than once.

        A layer with its own copy is no pair of layers, and is NaN.
        """
        same = rows[:, None] == rows[None, :]
        measured, known = (
            np.where(same, np.nan, each[np.ix_(rows, rows)])
            for each in (self.measured, self.published)
        )
        return Cells(measured, known, self.model[rows], self.depth[rows])


def cells(comparison: Comparison, roles: Mapping[str, str], measure: str) -> Cells:
    """Pair the scores of a comparison with the published values of a measure.

    Parameters
    ----------
    comparison
        Scores.
    roles
        From a role in the study to the name of a model in the comparison.
    measure
        A measure of both.
    """
    known = [(role, name) for role, name in roles.items() if role in published.BLOCKS]
    layers = [(role, name, layer) for role, name in known for layer in comparison.layers(name)]
    measured, values = (np.full((len(layers), len(layers)), np.nan) for _ in range(2))
    places = {role: [n for n, each in enumerate(layers) if each[0] == role] for role, _ in known}
    for row, row_name in known:
        for col, col_name in known:
            at = np.ix_(places[row], places[col])
            measured[at] = comparison.matrix(measure, row_name, col_name).to_numpy()
            values[at] = published.counterparts(
                measure, row, comparison.layers(row_name), col, comparison.layers(col_name)
            )
    np.fill_diagonal(measured, np.nan)
    values[np.isnan(measured)] = np.nan
    measured[np.isnan(values)] = np.nan
    model = np.array([[role for role, _ in known].index(each[0]) for each in layers])
    depth = np.concatenate([np.linspace(0, 1, len(each)) for each in places.values()])
    names = tuple((role, layer) for role, _, layer in layers)
    return Cells(measured, values, model, depth, names)


def of_all(each: Cells) -> float:
    """Correlate the ranks of all cells (Spearman)."""
    at = np.isfinite(each.measured)
    return _correlation(_ranks(each.measured[at]), _ranks(each.published[at]))


def between(each: Cells) -> float:
    """Correlate the ranks of the medians of pairs of models."""
    medians = np.array(_medians(each)).T
    defined = medians[:, np.isfinite(medians[0])]
    return _correlation(*map(_ranks, defined))


def within(each: Cells) -> float:
    """Correlate ranks within each pair of models, averaged over its cells."""
    return _within(each, lambda x, y, near: _correlation(x, y))


def beyond_nearness(each: Cells) -> float:
    """Correlate ranks within each pair of models, with nearness in depth partialled out.

    Layers of about equal depth are more similar in any deep network. This is what is left.
    """
    return _within(each, _partial)


def profile(each: Cells) -> float:
    """Correlate, within each model, the ranks of its layers' mean scores with all other models."""
    other = each.model[:, None] != each.model[None, :]
    at = other & np.isfinite(each.measured)
    total, weight = 0.0, 0
    means = [
        np.where(at, values, 0).sum(1) / np.maximum(at.sum(1), 1)
        for values in (each.measured, each.published)
    ]
    for model in np.unique(each.model):
        own = (each.model == model) & at.any(1)
        found = _correlation(*(_ranks(mean[own]) for mean in means))
        if np.isfinite(found):
            total, weight = total + found * own.sum(), weight + own.sum()
    return total / weight if weight else np.nan


STATISTICS: Mapping[str, Callable[[Cells], float]] = {
    "all cells": of_all,
    "between pairs of models": between,
    "within pairs of models": within,
    "beyond nearness in depth": beyond_nearness,
    "depth profile": profile,
}


def agreement(each: Cells, *, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Test whether scores rank pairs of layers as the published figure does.

    Parameters
    ----------
    each
        The cells.
    draws
        Number of bootstrap draws and of permutations.
    seed
        Their seed.

    Returns
    -------
    pandas.DataFrame
        Indexed by the names of `STATISTICS`. Column rho; low and high, the 2.5 % and 97.5 %
        quantiles over draws of each model's layers with replacement; and p, one-sided, the share of
        permutations with at least this rho: of the layers of each model, or of the models (exact)
        for the statistic between pairs of models. "all cells" mixes the two and has no p.
    """
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(each.model == model) for model in np.unique(each.model)]
    drawn = [
        each.take(np.concatenate([np.sort(rng.choice(group, len(group))) for group in groups]))
        for _ in range(draws)
    ]
    shuffled = [
        _permuted(each, np.concatenate([rng.permutation(group) for group in groups]))
        for _ in range(draws)
    ]
    rows = {}
    for name, statistic in STATISTICS.items():
        rho = statistic(each)
        values = np.array([statistic(draw) for draw in drawn])
        ends = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        if name == "between pairs of models":
            p = _exact_p(each, rho)
        elif name == "all cells":
            p = np.nan
        else:
            under = np.array([statistic(one) for one in shuffled])
            p = float((1 + (under >= rho).sum()) / (1 + draws))
        rows[name] = {"rho": rho, "low": ends[0], "high": ends[1], "p": p}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("statistic")


def retained(
    comparison: Comparison, roles: Mapping[str, str], measures: Sequence[str]
) -> pd.DataFrame:
    """Pair each layer's similarity to itself before fine-tuning with the published one.

    Returns
    -------
    pandas.DataFrame
        Columns measure, model (role), layer, depth, measured, published; rows with both values.
    """
    found = []
    for role, name in roles.items():
        tuned = roles.get(role + published.TUNED)
        if tuned is None:
            continue
        layers = comparison.layers(name)
        for measure in measures:
            if published.block(measure, role, role + published.TUNED) is None:
                continue
            values = published.counterparts(measure, role, layers, role + published.TUNED, layers)
            scores = np.diag(comparison.matrix(measure, name, tuned).to_numpy())
            depths = np.linspace(0, 1, len(layers))
            found += [
                (measure, role, layer, depth, score, value)
                for layer, depth, score, value in zip(
                    layers, depths, scores, np.diag(values), strict=True
                )
                if np.isfinite(score) and np.isfinite(value)
            ]
    columns = ["measure", "model", "layer", "depth", "measured", "published"]
    return pd.DataFrame(found, columns=columns)


def retained_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Correlate, by measure and model, the ranks of what each layer retains.

    Returns
    -------
    pandas.DataFrame
        Indexed by measure and model. Columns layers, rho, and p: one-sided, exact over all
        orders of the layers, or over `DRAWS` random ones if there are more than five. NaN for a
        profile without any change over depth.
    """
    rows = {}
    for key, part in table.groupby(["measure", "model"], sort=False):
        x, y = _ranks(part["measured"].to_numpy()), _ranks(part["published"].to_numpy())
        rho = p = float("nan")
        if np.isfinite(_correlation(x, y)):  # a profile without any fall or rise has no order
            test = stats.permutation_test(
                (x,),
                lambda order, other=y: _correlation(order, other),
                permutation_type="pairings",
                alternative="greater",
                n_resamples=DRAWS - 1,
                rng=np.random.default_rng(0),
                vectorized=False,
            )
            rho, p = float(test.statistic), float(test.pvalue)
        rows[key] = {"layers": len(part), "rho": rho, "p": p}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["measure", "model"])


def _within(each: Cells, statistic: Callable[[Array, Array, Array], float]) -> float:
    found = np.array([statistic(*ranks) for ranks in each.ranks])
    weights = np.array([len(ranks[0]) for ranks in each.ranks])
    defined = np.isfinite(found)
    return float(np.average(found[defined], weights=weights[defined])) if defined.any() else np.nan


def _blocks(model: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], ...]]:
    """List the rows and columns of each pair of models, in both orders."""
    members = [np.flatnonzero(model == each) for each in np.unique(model)]
    return [np.ix_(rows, cols) for rows in members for cols in members]


def _partial(x: Array, y: Array, z: Array) -> float:
    xy, xz, yz = _correlation(x, y), _correlation(x, z), _correlation(y, z)
    left = (1 - xz**2) * (1 - yz**2)
    return (xy - xz * yz) / np.sqrt(left) if left > 0 else np.nan


def _medians(each: Cells) -> list[tuple[float, float]]:
    """Return the median score and the median published value of each pair of models."""
    found = []
    for part in _blocks(each.model):
        at = np.isfinite(each.measured[part])
        score, known = (
            float(np.median(values[part][at])) if at.any() else np.nan
            for values in (each.measured, each.published)
        )
        found.append((score, known))
    return found


def _exact_p(each: Cells, rho: float) -> float:
    """Return the share of orders of the models under which `between` is at least rho."""
    count = len(np.unique(each.model))
    scores, known = np.array(_medians(each)).T.reshape(2, count, count)
    found = []
    for order in permutations(range(count)):
        moved = scores[np.ix_(order, order)]
        at = np.isfinite(moved) & np.isfinite(known)
        found.append(_correlation(_ranks(moved[at]), _ranks(known[at])))
    return float(np.mean(np.array(found) >= rho - 1e-12))


def _permuted(each: Cells, order: NDArray[np.int64]) -> Cells:
    """Permute the layers of the scores, and not those of the published values."""
    measured = each.measured[np.ix_(order, order)]
    at = np.isfinite(measured) & np.isfinite(each.published)
    return Cells(
        np.where(at, measured, np.nan), np.where(at, each.published, np.nan), each.model, each.depth
    )


def _ranks(values: Array) -> Array:
    ranks: Array = stats.rankdata(values)
    return ranks


def _correlation(x: Array, y: Array) -> float:
    """Return Pearson's r; NaN with fewer than three values or without variance."""
    if len(x) < 3:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    norm = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / norm) if norm > 0 else float("nan")
