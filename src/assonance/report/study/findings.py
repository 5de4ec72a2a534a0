"""Test the findings of a paper by its own measures and by stricter ones."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assonance.claims.selection import CellGrid, NotAskable, Term, equal_weights, selected
from assonance.claims.verdict import ClaimResult, evaluate_claims
from assonance.comparison.result import CELL, Comparison
from assonance.inference.intervals import METHODS, replicate_dimension
from assonance.report.study.recipe import Finding, Study
from assonance.tables.floors_and_ceilings import BASELINE

# What becomes of a finding, by the rule of `Judgement.verdict`.
MEANINGS = {
    "stands": "supported by the paper's measure and by every stricter one",
    "weakens": "supported by the paper's measure, and by some stricter ones only",
    "may be chance": "supported by the paper's measure; the stricter ones leave it undecided",
    "reversed": "supported by the paper's measure, and contradicted by every stricter one",
    "does not recur": "not supported here by the paper's own measure",
    "not tested": "the models or measures that it needs are missing",
}
# Kinds of pairs of layers, by the conditions of a claim that select them.
_KINDS = {
    "within a model": ("within", "pretrained"),
    "across models": ("across", "pretrained"),
    "ceiling: second seed": ("other seed", "pretrained"),
    "floor: random weights": ("random weights", "pretrained"),
}
_ACROSS = _KINDS["across models"]
SHIFTED, MEL = "floor: shifted speech", "log-mel"


@dataclass(frozen=True)
class Judgement:
    """A finding with the results of its claims.

    Attributes
    ----------
    finding
        The finding.
    published
        Result of the claim in the paper's measures.
    stricter, besides
        Results of the other claims.
    """

    finding: Finding
    published: ClaimResult
    stricter: tuple[ClaimResult, ...]
    besides: tuple[ClaimResult, ...]

    @property
    def verdict(self) -> str:
        """What becomes of the finding: one of `MEANINGS`."""
        if not self.published.tested or not any(each.tested for each in self.stricter):
            return "not tested"
        if self.published.verdict != "supported":
            return "does not recur"
        found = {each.verdict for each in self.stricter if each.tested}
        if found == {"supported"}:
            return "stands"
        if found == {"not supported"}:
            return "reversed"
        return "weakens" if "supported" in found else "may be chance"


def judge(study: Study, comparisons: Mapping[str, Comparison]) -> list[Judgement]:
    """Test the findings of a study.

    Parameters
    ----------
    study
        The study.
    comparisons
        Its runs, by name.

    Returns
    -------
    list of Judgement
        In the order of the study. q values are over the claims of each run.
    """
    published = evaluate_claims(
        comparisons["published"], [each.published for each in study.findings]
    )
    claims = {
        claim.name: claim for each in study.findings for claim in (*each.stricter, *each.besides)
    }
    results = {
        each.claim.name: each
        for each in evaluate_claims(comparisons["default"], list(claims.values()))
    }
    return [
        Judgement(
            finding,
            result,
            tuple(results[each.name] for each in finding.stricter),
            tuple(results[each.name] for each in finding.besides),
        )
        for finding, result in zip(study.findings, published, strict=True)
    ]


def scales(comparison: Comparison, measures: tuple[str, ...]) -> pd.DataFrame:
    """Average measures over pairs of layers of each kind: scores, their ceiling and their floors.

    Parameters
    ----------
    comparison
        A run with random twins, nulls and, for the ceiling, second seeds.
    measures
        Measures, and ``localisation``; those that were not computed are left out.

    Returns
    -------
    pandas.DataFrame
        Indexed by measure and kind, in the order of `measures`; columns mean (corrected for bias
        where there is an interval), low and high. Pairs of models weigh the same.
    """
    order = [str(name) for name in comparison.scores["model_row"].values]
    grid = CellGrid(
        sorted(comparison.provenance.models, key=lambda each: order.index(each.name)),
        [str(label) for label in comparison.scores["layer_row"].values],
    )
    rows = {}
    for measure in measures:
        if measure not in comparison.scores:
            continue
        for kind, where in _KINDS.items():
            found = _mean(comparison, measure, where, grid)
            if found is not None:
                rows[measure, kind] = found
        if measure in comparison.nulls:
            null = _shifted(comparison, measure, grid)
            if np.isfinite(null):
                rows[measure, SHIFTED] = (null, np.nan, np.nan)
        mel = BASELINE.mean(comparison, measure) if BASELINE.mean else np.nan
        if np.isfinite(mel):
            rows[measure, MEL] = (mel, np.nan, np.nan)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "low", "high"])
    table.index = pd.MultiIndex.from_tuples(rows, names=("measure", "kind"))
    return table


def _mean(
    comparison: Comparison, measure: str, where: tuple[str, ...], grid: CellGrid
) -> tuple[float, float, float] | None:
    """Average a measure over selected cells, with its interval; None if there is no such cell."""
    scores = comparison.scores[measure].transpose(*CELL)
    weights = _weights(measure, where, grid, scores.notnull().to_numpy())
    if weights is None:
        return None
    at = weights > 0
    score = weights[at] @ scores.to_numpy()[at]
    dim = replicate_dimension(comparison.replicates)
    if measure not in comparison.replicates or dim is None:
        return float(score), np.nan, np.nan
    replicates = comparison.replicates[measure].transpose(*CELL, dim).to_numpy()[at]
    estimate = METHODS[dim](np.asarray(score), weights[at] @ replicates)
    low, high = map(float, estimate.interval)
    return float(estimate.estimate), low, high


def _shifted(comparison: Comparison, measure: str, grid: CellGrid) -> float:
    """Average the circular-shift null over pairs of layers across models."""
    null = comparison.nulls[measure].mean("shift").transpose(*CELL)
    weights = _weights(measure, _ACROSS, grid, null.notnull().to_numpy())
    if weights is None:
        return float("nan")
    return float(weights[weights > 0] @ null.to_numpy()[weights > 0])


def _weights(
    measure: str, where: tuple[str, ...], grid: CellGrid, defined: NDArray[np.bool_]
) -> NDArray[np.float64] | None:
    try:
        return equal_weights(selected(Term(measure, where), grid, defined))
    except NotAskable:
        return None
