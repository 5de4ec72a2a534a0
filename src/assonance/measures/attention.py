"""Compare attention heads: tables of scores over the heads of two layers."""

import math

import torch
from torch import Tensor

from assonance.measures.registry import ORDER_FREE, measure
from assonance.settings import Settings
from assonance.statistics import HeadPair

_SOURCE = "El Kheir et al. 2024, after Wu et al. 2020"


def _mean(total: Tensor, count: Tensor) -> Tensor:
    """Divide sums by counts; NaN where a count is 0."""
    return total / count.where(count > 0, torch.nan)


@measure(
    title="Attention, Frobenius",
    level="head",
    needs="head distances",
    symmetric=False,
    range=(None, 1.0),
    invariances=ORDER_FREE,
    source=_SOURCE,
)
def attn_frobenius(heads: HeadPair, settings: Settings) -> Tensor:
    """Compute one minus the Frobenius distance of the maps, averaged over utterances.

    It has no lower bound and decreases with the length of the utterances.
    """
    return 1 - _mean(heads.frobenius, heads.utterances)


@measure(
    title="Attention, Frobenius, normalised",
    level="head",
    needs="head distances",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=ORDER_FREE,
    source="El Kheir et al. 2024; divided by √(2T), the largest distance of two maps of T rows",
)
def attn_frobenius_normalized(heads: HeadPair, settings: Settings) -> Tensor:
    """Compute one minus the Frobenius distance of the maps relative to the largest possible one.

    Averaged over utterances. 0 if every query attends to a single key, and never to the same key in
    both maps; 1 for equal maps, whatever their length.
    """
    return 1 - _mean(heads.frobenius_normalized, heads.utterances)


@measure(
    title="Attention, Pearson",
    level="head",
    needs="head correlations",
    symmetric=False,
    range=(-1.0, 1.0),
    invariances=ORDER_FREE,
    source=_SOURCE,
)
def attn_pearson(heads: HeadPair, settings: Settings) -> Tensor:
    """Compute the correlation of the two heads' rows over keys, averaged over all rows.

    As published, covariances are divided by T and standard deviations by T − 1. A head therefore
    scores (T − 1)/T with itself. Constant rows are left out; NaN if all are constant.
    """
    return _mean(heads.pearson, heads.correlated)


@measure(
    title="Attention, Pearson, consistent",
    level="head",
    needs="head correlations",
    symmetric=False,
    range=(-1.0, 1.0),
    invariances=ORDER_FREE,
    source="El Kheir et al. 2024; covariances and deviations over one number of keys",
)
def attn_pearson_centered(heads: HeadPair, settings: Settings) -> Tensor:
    """Compute the correlation of the two heads' rows over keys, averaged; 1 for a head with itself.

    Constant rows are left out; NaN if all are constant.
    """
    return _mean(heads.correlation, heads.correlated)


@measure(
    title="Attention, Jensen–Shannon",
    level="head",
    needs="head divergences",
    symmetric=False,
    range=(1 - math.log(2), 1.0),
    invariances=ORDER_FREE,
    source=_SOURCE,
)
def attn_js(heads: HeadPair, settings: Settings) -> Tensor:
    """Compute one minus the Jensen–Shannon divergence (nats) of the rows, averaged over all rows.

    Between 1 − ln 2 (no key attended in common) and 1.
    """
    return 1 - _mean(heads.divergence, heads.rows)


@measure(
    title="Attention, Jensen–Shannon in bits",
    level="head",
    needs="head divergences",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=ORDER_FREE,
    source="El Kheir et al. 2024; in bits",
)
def attn_js_bits(heads: HeadPair, settings: Settings) -> Tensor:
    """Compute one minus the Jensen–Shannon divergence (bits) of the rows, averaged over all rows.

    Between 0 (no key attended in common) and 1.
    """
    return 1 - _mean(heads.divergence, heads.rows) / math.log(2)


@measure(
    title="Attention, CKA",
    level="head",
    needs="head kernels",
    symmetric=False,
    range=(0.0, 1.0),
    invariances=(*ORDER_FREE, "key permutation"),
    source="Kornblith et al. 2019, of attention maps",
)
def attn_cka(heads: HeadPair, settings: Settings) -> Tensor:
    """Compute the linear CKA of the two maps, averaged over utterances.

    Queries are the examples and keys the features. The score is high if the same queries have
    similar attention in both heads, whichever keys they attend to. Maps that are constant over
    queries are left out; NaN if all are constant.
    """
    return _mean(heads.alignment, heads.aligned)


def best_match(table: Tensor) -> tuple[Tensor, Tensor]:
    """Return score and index of each row head's best matching column head; NaN never matches.

    Parameters
    ----------
    table
        Scores, shape (Hx, Hy).

    Returns
    -------
    tuple of Tensor
        Scores (Hx,), NaN for a head without a match, and indices (Hx,).
    """
    best = table.nan_to_num(nan=float("-inf")).max(1)
    return best.values.where(best.values > float("-inf"), float("nan")), best.indices
