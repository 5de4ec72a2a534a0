"""Attention head against attention head, as tables over the heads of two layers."""

import math

from torch import Tensor

from assonance.measures.registry import Settings, measure
from assonance.statistics import HeadPair

_SOURCE = "El Kheir et al. 2024, after Wu et al. 2020"


@measure(
    title="Attention, Frobenius",
    level="head",
    needs="heads",
    symmetric=False,
    range=(None, 1.0),
    source=_SOURCE,
)
def attn_frobenius(heads: HeadPair, settings: Settings) -> Tensor:
    """One minus the Frobenius norm of the maps' difference, averaged over utterances.

    Unbounded below, and lower for longer utterances.
    """
    return 1 - heads.frobenius / heads.utterances


@measure(
    title="Attention, Pearson",
    level="head",
    needs="heads",
    symmetric=False,
    range=(-1.0, 1.0),
    source=_SOURCE,
)
def attn_pearson(heads: HeadPair, settings: Settings) -> Tensor:
    """Correlation of the two heads' rows over keys, averaged over all rows of all utterances.

    As published, covariances divide by T and deviations by T − 1, so a head has (T − 1)/T with
    itself. Rows that are constant have no correlation and are left out; NaN where all are.
    """
    return heads.pearson / heads.correlated.where(heads.correlated > 0, float("nan"))


@measure(
    title="Attention, Jensen–Shannon",
    level="head",
    needs="heads",
    symmetric=False,
    range=(1 - math.log(2), 1.0),
    source=_SOURCE,
)
def attn_js(heads: HeadPair, settings: Settings) -> Tensor:
    """One minus the Jensen–Shannon divergence (nats) of the rows, averaged over all rows.

    Between 1 − ln 2 (nothing attended in common) and 1.
    """
    return 1 - heads.divergence / heads.rows


def best_match(table: Tensor) -> tuple[Tensor, Tensor]:
    """Score and index of each row head's best column head; NaN cells never match.

    Parameters
    ----------
    table
        Scores, shape (Hx, Hy).

    Returns
    -------
    tuple of Tensor
        Scores (Hx,), NaN where a head has none, and indices (Hx,).
    """
    best = table.nan_to_num(nan=float("-inf")).max(1)
    return best.values.where(best.values > float("-inf"), float("nan")), best.indices
