"""Answers to claims: the contrast, how sure it is, and what follows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import scipy.stats
import xarray as xr
from numpy.typing import NDArray

from assonance.claims.claim import Claim, load_claims
from assonance.claims.selection import CellGrid, Mask, NotAskable, contrast_weights
from assonance.comparison.result import CELL, Comparison
from assonance.inference.intervals import METHODS, method_text, replicate_dimension
from assonance.inference.localisation import DRAWS, ROTATED
from assonance.measures import MEASURES

Verdict = Literal["supported", "not supported", "undecided", "cannot be asked"]


@dataclass(frozen=True)
class ClaimResult:
    """What a comparison says to a claim.

    Attributes
    ----------
    claim
        The claim.
    verdict
        "supported" where the whole interval is above 0, "not supported" where it is below,
        "undecided" where 0 lies in it; "cannot be asked" where something for it is lacking.
    reason
        What is lacking, as a clause; empty where the claim was asked.
    estimate, low, high
        The contrast, corrected for bias, and its 95 % interval; NaN where it was not asked.
    parts
        Mean of each term, corrected for bias, in the order of `Claim.terms`.
    p
        One-sided: how often so high a contrast would come about if there were none.
    q
        Benjamini–Hochberg, over the claims that were asked together.
    degrees
        Of freedom of Student's t, from which interval and p are read; NaN where they are read off
        the draws of a bootstrap.
    method
        What made the interval, in words.
    allows_for
        What the interval allows for, and what it takes as given, in words.
    """

    claim: Claim
    verdict: Verdict
    reason: str = ""
    estimate: float = np.nan
    low: float = np.nan
    high: float = np.nan
    parts: tuple[float, ...] = ()
    p: float = np.nan
    q: float = np.nan
    degrees: float = np.nan
    method: str = ""
    allows_for: str = ""

    @property
    def asked(self) -> bool:
        """Whether the comparison has what the claim needs."""
        return self.verdict != "cannot be asked"

    def sentence(self) -> str:
        """Say it in words and numbers."""
        if not self.asked:
            return f"{self.claim.says}: cannot be asked here, because {self.reason}."
        return (
            f"{self.claim.says}: {self.verdict}. {self.equation()} (95 % interval "
            f"{_number(self.low)} to {_number(self.high)}, p {_chance(self.p)}, "
            f"q {_chance(self.q)})."
        )

    def equation(self) -> str:
        """Write the contrast out: the mean of each term, what it is of, and the difference."""
        known: dict[tuple[float, str], list[float]] = {}
        for (sign, term), part in zip(self.claim.terms, self.parts, strict=True):
            title = MEASURES[term.measure].title if term.measure in MEASURES else term.measure
            known.setdefault((sign, f"{title} ({term.words})"), []).append(part)
        text = ""
        for (sign, what), parts in known.items():
            text += (" + " if sign > 0 else " − ") if text else ""
            text += f"{len(parts)} × " if len(parts) > 1 else ""
            text += f"{what} {_number(parts[0])}"
        return f"{text} = {_number(self.estimate)}"


def evaluate_claims(
    comparison: Comparison, claims: Iterable[Claim] | None = None
) -> list[ClaimResult]:
    """Ask a comparison whether claims hold.

    A contrast's estimate, interval and p come from its replicates, without each group of
    utterances or of groups drawn, whichever the comparison holds. Where
    MaxCorr in rotated bases is part of it, a model's own basis is, if nothing but the space is
    shared, one more random basis: the variance of the contrast over the R drawn ones is added,
    times 1 + 1/R, and degrees of freedom are Satterthwaite's (1946). See docs/validity.md for how
    often such tests fire.

    Parameters
    ----------
    comparison
        With replicates.
    claims
        The bundled ones by default.

    Returns
    -------
    list of Answer
        One a claim, in their order.

    Raises
    ------
    AssonanceError
        The bundled claims cannot be read.
    """
    asker = _Tester(comparison)
    found = [asker.answer(each) for each in (load_claims() if claims is None else claims)]
    asked = [number for number, each in enumerate(found) if each.asked]
    if asked:
        adjusted = scipy.stats.false_discovery_control([found[number].p for number in asked])
        for number, q in zip(asked, adjusted, strict=True):
            found[number] = replace(found[number], q=float(q))
    return found


def to_dataframe(found: Sequence[ClaimResult]) -> pd.DataFrame:
    """List answers, one a row, with everything that is known of them."""
    return pd.DataFrame(
        {
            "claim": each.claim.name,
            "says": each.claim.says,
            "contrast": each.equation() if each.asked else "",
            "estimate": each.estimate,
            "low": each.low,
            "high": each.high,
            "p": each.p,
            "q": each.q,
            "degrees_of_freedom": each.degrees,
            "verdict": each.verdict,
            "reason": each.reason,
            "method": each.method,
            "allows_for": each.allows_for,
        }
        for each in found
    )


def format_table(found: Sequence[ClaimResult]) -> list[str]:
    """Make a table for the terminal, and say under it what its numbers are.

    Parameters
    ----------
    found
        Answers to claims asked together.

    Returns
    -------
    list of str
        A line a claim that was asked, the others with what is lacking, and what is uncertain.
    """
    asked = [each for each in found if each.asked]
    rows = [
        (
            each.claim.name,
            _number(each.estimate),
            f"{_number(each.low)} to {_number(each.high)}",
            _chance(each.p),
            _chance(each.q),
            each.verdict,
        )
        for each in asked
    ]
    told = _aligned([("claim", "estimate", "95 % interval", "p", "q", "verdict"), *rows])
    told = told if asked else []
    told += [
        f"{each.claim.name}: cannot be asked here, because {each.reason}"
        for each in found
        if not each.asked
    ]
    if asked:
        told.append(
            f"p: one-sided; q: Benjamini–Hochberg over the {len(asked)} claims asked; undecided: "
            "the interval holds 0"
        )
        # What all of them allow for; the table in the file says what some do besides.
        allowed = min((each.allows_for for each in asked), key=len)
        told.append(f"intervals are those of {asked[0].method}, and allow for {allowed}")
    return told


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


class _Tester:
    """A comparison, ready to be asked about one claim after the other."""

    def __init__(self, comparison: Comparison) -> None:
        self.scores, self.replicates = comparison.scores, comparison.replicates
        self.dim = replicate_dimension(self.replicates) or ""
        self.population = comparison.provenance.population
        known = comparison.provenance.models
        order = [str(name) for name in self.scores["model_row"].values]
        self.at = CellGrid(
            sorted(known, key=lambda each: order.index(each.name)),
            [str(label) for label in self.scores["layer_row"].values],
        )

    def answer(self, claim: Claim) -> ClaimResult:
        """Answer one claim; q is not known yet."""
        try:
            self._demand(claim)
            weights = contrast_weights(
                claim.plus, claim.minus, claim.match, self.at, self._defined(claim)
            )
        except NotAskable as lacking:
            return ClaimResult(claim, "cannot be asked", str(lacking))
        signs = np.array([sign for sign, _ in claim.terms])
        whole, replicates = self._terms(claim, weights)
        method = METHODS[self.dim]
        found = method(signs @ whole, signs @ replicates)
        if ROTATED in claim.measures:
            found = found.add_variance(*self._of_bases(claim, weights))
        low, high = map(float, found.interval)
        return ClaimResult(
            claim,
            "supported" if low > 0 else "not supported" if high < 0 else "undecided",
            estimate=float(found.estimate),
            low=low,
            high=high,
            parts=tuple(map(float, method(whole, replicates).estimate)),
            p=float(found.p),
            degrees=float(found.degrees),
            method=method_text(self.replicates),
            allows_for=claim.allows_for(self.population),
        )

    def _demand(self, claim: Claim) -> None:
        """See that all measures of a claim are there, with what their uncertainty needs."""
        for name in claim.measures:
            if name not in self.scores:
                raise NotAskable(f"{name} was not measured")
            if name not in self.replicates:
                raise NotAskable(f"{name} has no interval here")
        if ROTATED in claim.measures and self.replicates.sizes.get("rotation", 0) < 2:
            raise NotAskable("how far random bases differ takes two of them at least")
        if self.replicates.sizes[self.dim] < 2:
            raise NotAskable("an interval takes two groups of utterances at least")

    def _draws(self) -> xr.DataArray:
        return self.replicates[DRAWS]

    def _defined(self, claim: Claim) -> Mask:
        """Mark the cells where everything that a claim needs is defined."""
        arrays = [
            table[name] for name in claim.measures for table in (self.scores, self.replicates)
        ]
        if ROTATED in claim.measures:
            arrays.append(self._draws())
        masks = []
        for array in arrays:
            known = array.notnull()
            masks.append(known.all([str(dim) for dim in known.dims if dim not in CELL]))
        defined: Mask = np.logical_and.reduce([mask.transpose(*CELL).values for mask in masks])
        return defined

    def _terms(
        self, claim: Claim, weights: Sequence[NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean of each term from all utterances, shape (terms,), and its replicates."""
        whole, replicates = [], []
        for (_, term), weight in zip(claim.terms, weights, strict=True):
            whole.append(_mean(self.scores[term.measure], weight))
            replicates.append(_mean(self.replicates[term.measure], weight))
        return np.array(whole), np.array(replicates)

    def _of_bases(
        self, claim: Claim, weights: Sequence[NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], int]:
        """Variance of a contrast over the draw of bases, and its degrees of freedom.

        A model's own basis is met twice, in its rows and in its columns; the drawn ones, which
        turn the columns alone, are as good as independent in the two. So what the two ways
        contribute is added as if they were one.
        """
        draws = self._draws()
        count = draws.sizes["rotation"]
        size = self.at.there.size
        upper = np.triu(np.ones((size, size), dtype=bool)).reshape(self.at.there.shape * 2)
        deviation = 0.0
        for way in (upper, ~upper):
            drawn = sum(
                sign * _mean(draws, weight * way)
                for (sign, term), weight in zip(claim.terms, weights, strict=True)
                if term.measure == ROTATED
            )
            deviation += float(np.std(drawn, ddof=1))
        return np.array((1 + 1 / count) * deviation**2), count - 1


def _mean(array: xr.DataArray, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted mean over cells, whatever the axes behind them."""
    values = array.transpose(*CELL, ...).values
    there = weight > 0
    mean: NDArray[np.float64] = weight[there] @ values[there].astype(np.float64)
    return mean


def _number(value: float) -> str:
    rounded = round(value, 3) + 0.0  # no −0
    return f"{rounded:.3f}".replace("-", "−")


def _chance(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"
