"""Head measures have their closed forms, and a head without a score matches none."""

import math

import numpy as np
import pytest
import torch

from assonance import head_similarity_matrix
from assonance.measures.attention import best_match

T = 6
DIAGONAL = np.eye(T)
NEXT = np.roll(np.eye(T), 1, axis=1)  # each query attends to the key after its own
EVEN = np.full((T, T), 1 / T)


def score(measure, one, other):
    layers = {"one": [one[None]], "other": [other[None]]}
    found = head_similarity_matrix(layers, [measure])
    return float(found[measure].sel(layer_row="one", layer_col="other"))


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("attn_frobenius", 1 - math.sqrt(2 * T)),
        ("attn_frobenius_normalized", 0),
        ("attn_js", 1 - math.log(2)),
        ("attn_js_bits", 0),
        ("attn_pearson_centered", -1 / (T - 1)),
    ],
)
def test_maps_without_a_common_key_score_lowest(measure, expected):
    assert score(measure, DIAGONAL, NEXT) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "measure",
    ["attn_frobenius", "attn_frobenius_normalized", "attn_js", "attn_js_bits", "attn_cka"],
)
def test_equal_maps_score_one(measure):
    assert score(measure, DIAGONAL, DIAGONAL) == pytest.approx(1, abs=1e-6)


def test_even_attention_has_no_correlation():
    assert np.isnan(score("attn_pearson_centered", EVEN, DIAGONAL))


def test_the_best_match_ignores_what_is_undefined():
    scores, indices = best_match(torch.tensor([[0.1, float("nan"), 0.3], [float("nan")] * 3]))
    assert scores[0] == pytest.approx(0.3)
    assert indices[0] == 2
    assert scores[1].isnan()
