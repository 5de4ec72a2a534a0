"""Test claims on a comparison: the contrast, its interval and p value, and the verdict."""

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
from assonance.inference.intervals import METHODS, method_text, range_of, replicate_dimension
from assonance.inference.localisation import DRAWS, ROTATED
from assonance.measures import MEASURES

Verdict = Literal["supported", "not supported", "undecided", "cannot be asked"]


@dataclass(frozen=True)
class ClaimResult:
    """The result of testing one claim.

    Attributes
    ----------
    claim
        The claim.
    verdict
        "supported" if the whole interval lies above 0, "not supported" if it lies below,
        "undecided" if it contains 0, and "cannot be asked" if the comparison lacks what the claim
        needs.
    reason
        What the comparison lacks, as a clause; empty if the claim was tested.
    estimate, low, high
        The bias-corrected contrast and its 95 % interval; NaN if the claim was not tested.
    parts
        Bias-corrected mean of each term, in the order of `Claim.terms`.
    p
        One-sided p value for a contrast above 0.
    q
        p adjusted by Benjamini and Hochberg over the claims that were tested together.
    degrees
        Degrees of freedom of Student's t; NaN for a bootstrap.
    method
        The method of the interval, in words.
    allows_for
        The sampling variation that the interval covers, and what it takes as given, in words.
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
    def tested(self) -> bool:
        """Whether the claim was tested."""
        return self.verdict != "cannot be asked"

    def sentence(self) -> str:
        """Return the claim, its verdict and the numbers behind it as a sentence."""
        if not self.tested:
            return f"{self.claim.says}: cannot be tested here, because {self.reason}."
        return (
            f"{self.claim.says}: {self.verdict}. {self.equation()} (95 % interval "
            f"{_number(self.low)} to {_number(self.high)}, p {_p_value(self.p)}, "
            f"q {_p_value(self.q)})."
        )

    def equation(self) -> str:
        """Return the contrast as an equation: the mean of each term, and their difference."""
        terms: dict[tuple[float, str], list[float]] = {}
        for (sign, term), part in zip(self.claim.terms, self.parts, strict=True):
            title = MEASURES[term.measure].title if term.measure in MEASURES else term.measure
            terms.setdefault((sign, f"{title} ({term.words})"), []).append(part)
        text = ""
        for (sign, words), parts in terms.items():
            text += (" + " if sign > 0 else " − ") if text else ""
            text += f"{len(parts)} × " if len(parts) > 1 else ""
            text += f"{words} {_number(parts[0])}"
        return f"{text} = {_number(self.estimate)}"


def evaluate_claims(
    comparison: Comparison, claims: Iterable[Claim] | None = None
) -> list[ClaimResult]:
    """Test claims on a comparison.

    Estimate, interval and p value of a contrast come from its replicates, by the jackknife or the
    bootstrap, whichever the comparison holds. Contrasts with MaxCorr in rotated bases have a
    second source of variance. If two models share only a space, a model's own basis is one more
    random basis, so (1 + 1/R) times the variance of the contrast over the R drawn bases is added,
    with the degrees of freedom of Satterthwaite (1946). docs/validity.md reports the error rates
    of these tests.

    Parameters
    ----------
    comparison
        A comparison with replicates.
    claims
        Claims to test; the bundled ones by default.

    Returns
    -------
    list of ClaimResult
        One result a claim, in their order.

    Raises
    ------
    AssonanceError
        The bundled claims cannot be read.
    """
    tester = _Tester(comparison)
    results = [tester.test(each) for each in (load_claims() if claims is None else claims)]
    tested = [number for number, each in enumerate(results) if each.tested]
    if tested:
        adjusted = scipy.stats.false_discovery_control([results[number].p for number in tested])
        for number, q in zip(tested, adjusted, strict=True):
            results[number] = replace(results[number], q=float(q))
    return results


def to_dataframe(results: Sequence[ClaimResult]) -> pd.DataFrame:
    """Return a table with one row a claim and all its numbers."""
    return pd.DataFrame(
        {
            "claim": each.claim.name,
            "says": each.claim.says,
            "contrast": each.equation() if each.tested else "",
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
        for each in results
    )


def format_table(results: Sequence[ClaimResult]) -> list[str]:
    """Format results as lines for the terminal.

    Parameters
    ----------
    results
        Results of claims that were tested together.

    Returns
    -------
    list of str
        A table of the claims that were tested, a line for each other claim with the reason, and
        a legend.
    """
    tested = [each for each in results if each.tested]
    rows = [
        (
            each.claim.name,
            _number(each.estimate),
            f"{_number(each.low)} to {_number(each.high)}",
            _p_value(each.p),
            _p_value(each.q),
            each.verdict,
        )
        for each in tested
    ]
    lines = _aligned([("claim", "estimate", "95 % interval", "p", "q", "verdict"), *rows])
    lines = lines if tested else []
    lines += [
        f"{each.claim.name}: cannot be tested here, because {each.reason}"
        for each in results
        if not each.tested
    ]
    if tested:
        count = f"{len(tested)} claim{'s' if len(tested) > 1 else ''}"
        lines.append(
            f"p: one-sided; q: Benjamini–Hochberg over the {count} tested; undecided: the interval "
            "contains 0"
        )
        # The shortest is common to all claims; the table on disk adds what single ones allow for.
        common = min((each.allows_for for each in tested), key=len)
        lines.append(f"intervals are from {tested[0].method} and allow for {common}")
    return lines


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


class _Tester:
    """Tests of claims on one comparison."""

    def __init__(self, comparison: Comparison) -> None:
        self.scores, self.replicates = comparison.scores, comparison.replicates
        self.dim = replicate_dimension(self.replicates) or ""
        self.population = comparison.provenance.population
        order = [str(name) for name in self.scores["model_row"].values]
        self.grid = CellGrid(
            sorted(comparison.provenance.models, key=lambda each: order.index(each.name)),
            [str(label) for label in self.scores["layer_row"].values],
        )

    def test(self, claim: Claim) -> ClaimResult:
        """Test one claim, without its q, which depends on the other claims."""
        try:
            self._require(claim)
            weights = contrast_weights(
                claim.plus, claim.minus, claim.match, self.grid, self._defined(claim)
            )
        except NotAskable as missing:
            return ClaimResult(claim, "cannot be asked", str(missing))
        signs = np.array([sign for sign, _ in claim.terms])
        means, replicates = self._terms(claim, weights)
        method = METHODS[self.dim]
        contrast = method(signs @ means, signs @ replicates)
        if ROTATED in claim.measures:
            contrast = contrast.add_variance(*self._variance_of_bases(claim, weights))
        ranges = np.array([range_of(self.scores[term.measure].attrs) for _, term in claim.terms])
        # A contrast is highest where its terms with a plus are highest and the others lowest.
        furthest = (signs[:, None] * np.where(signs[:, None] > 0, ranges, ranges[:, ::-1])).sum(0)
        estimate, low, high = np.clip([contrast.estimate, *contrast.interval], *furthest).tolist()
        return ClaimResult(
            claim,
            "supported" if low > 0 else "not supported" if high < 0 else "undecided",
            estimate=estimate,
            low=low,
            high=high,
            parts=tuple(np.clip(method(means, replicates).estimate, *ranges.T).tolist()),
            p=float(contrast.p),
            degrees=float(contrast.degrees),
            method=method_text(self.replicates),
            allows_for=claim.allows_for(self.population),
        )

    def _require(self, claim: Claim) -> None:
        """Check that the measures of a claim have scores and enough replicates."""
        for name in claim.measures:
            if name not in self.scores:
                raise NotAskable(f"{name} was not measured")
            if name not in self.replicates:
                raise NotAskable(f"{name} has no interval here")
        if ROTATED in claim.measures and self.replicates.sizes.get("rotation", 0) < 2:
            raise NotAskable("the variance over random bases needs at least two of them")
        if self.replicates.sizes[self.dim] < 2:
            raise NotAskable("an interval needs at least two replicates")

    def _draws(self) -> xr.DataArray:
        return self.replicates[DRAWS]

    def _defined(self, claim: Claim) -> Mask:
        """Mark the cells where every score and replicate of a claim is defined."""
        arrays = [
            table[name] for name in claim.measures for table in (self.scores, self.replicates)
        ]
        if ROTATED in claim.measures:
            arrays.append(self._draws())
        masks = []
        for array in arrays:
            present = array.notnull()
            masks.append(present.all([str(dim) for dim in present.dims if dim not in CELL]))
        defined: Mask = np.logical_and.reduce([mask.transpose(*CELL).values for mask in masks])
        return defined

    def _terms(
        self, claim: Claim, weights: Sequence[NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Compute the mean of each term, (terms,), and its replicates, (terms, replicates)."""
        means, replicates = [], []
        for (_, term), weight in zip(claim.terms, weights, strict=True):
            means.append(_mean(self.scores[term.measure], weight))
            replicates.append(_mean(self.replicates[term.measure], weight))
        return np.array(means), np.array(replicates)

    def _variance_of_bases(
        self, claim: Claim, weights: Sequence[NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], int]:
        """Compute the variance of a contrast over random bases, and its degrees of freedom.

        A model's own basis occurs in its rows and in its columns, while a drawn basis rotates the
        columns only and is practically independent in the two directions. The standard deviations
        of the two directions are therefore added, as if they were fully correlated.
        """
        draws = self._draws()
        count = draws.sizes["rotation"]
        size = self.grid.present.size
        upper = np.triu(np.ones((size, size), dtype=bool)).reshape(self.grid.present.shape * 2)
        deviation = 0.0
        for direction in (upper, ~upper):
            drawn = sum(
                sign * _mean(draws, weight * direction)
                for (sign, term), weight in zip(claim.terms, weights, strict=True)
                if term.measure == ROTATED
            )
            deviation += float(np.std(drawn, ddof=1))
        return np.array((1 + 1 / count) * deviation**2), count - 1


def _mean(array: xr.DataArray, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the weighted mean over cells, with any further axes last."""
    values = array.transpose(*CELL, ...).values
    weighted = weight > 0
    mean: NDArray[np.float64] = weight[weighted] @ values[weighted].astype(np.float64)
    return mean


def _number(value: float) -> str:
    rounded = round(value, 3) + 0.0  # no −0
    return f"{rounded:.3f}".replace("-", "−")


def _p_value(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"
