"""Attention head against attention head, as tables over the heads of two layers."""

import math

import torch
from torch import Tensor

from assonance.measures.registry import measure
from assonance.settings import Settings
from assonance.statistics import HeadPair

_SOURCE = "El Kheir et al. 2024, after Wu et al. 2020"


def _mean(total: Tensor, count: Tensor) -> Tensor:
    """Divide sums by how much was added; NaN where nothing was."""
    return total / count.where(count > 0, torch.nan)


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
    return 1 - _mean(heads.frobenius, heads.utterances)


@measure(
    title="Attention, Frobenius, normalised",
    level="head",
    needs="heads",
    symmetric=False,
    range=(0.0, 1.0),
    source="El Kheir et al. 2024; divided by √(2T), the largest distance of two maps of T rows",
)
def attn_frobenius_normalized(heads: HeadPair, settings: Settings) -> Tensor:
    """One minus the maps' Frobenius distance as a share of the largest there is, averaged.

    0 where every query attends to one key in each map and never to the same; 1 for equal maps, of
    any length.
    """
    return 1 - _mean(heads.frobenius_normalized, heads.utterances)


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
    return _mean(heads.pearson, heads.correlated)


@measure(
    title="Attention, Pearson, consistent",
    level="head",
    needs="heads",
    symmetric=False,
    range=(-1.0, 1.0),
    source="El Kheir et al. 2024; covariances and deviations over one number of keys",
)
def attn_pearson_centered(heads: HeadPair, settings: Settings) -> Tensor:
    """Correlation of the two heads' rows over keys, averaged; 1 for a head with itself.

    Rows that are constant have no correlation and are left out; NaN where all are.
    """
    return _mean(heads.correlation, heads.correlated)


@measure(
    title="Attention, Jensen–Shannon",
    level="head",
    needs="head divergences",
    symmetric=False,
    range=(1 - math.log(2), 1.0),
    source=_SOURCE,
)
def attn_js(heads: HeadPair, settings: Settings) -> Tensor:
    """One minus the Jensen–Shannon divergence (nats) of the rows, averaged over all rows.

    Between 1 − ln 2 (nothing attended in common) and 1.
    """
    return 1 - _mean(heads.divergence, heads.rows)


@measure(
    title="Attention, Jensen–Shannon in bits",
    level="head",
    needs="head divergences",
    symmetric=False,
    range=(0.0, 1.0),
    source="El Kheir et al. 2024; in bits",
)
def attn_js_bits(heads: HeadPair, settings: Settings) -> Tensor:
    """One minus the Jensen–Shannon divergence (bits) of the rows, averaged over all rows.

    Between 0 (nothing attended in common) and 1.
    """
    return 1 - _mean(heads.divergence, heads.rows) / math.log(2)


@measure(
    title="Attention, CKA",
    level="head",
    needs="head kernels",
    symmetric=False,
    range=(0.0, 1.0),
    source="Kornblith et al. 2019, of attention maps",
)
def attn_cka(heads: HeadPair, settings: Settings) -> Tensor:
    """Linear CKA of the two maps, averaged over utterances.

    Queries are the examples, the keys they attend to their features: whether the same queries
    look alike to both heads, wherever it is that they look. Maps that are the same for all queries
    have no CKA and are left out; NaN where all are.
    """
    return _mean(heads.alignment, heads.aligned)


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
