"""The settings `elkheir2024` against what the published code computes."""

from pathlib import Path

import numpy as np
import pytest

from assonance import head_similarity_matrix, similarity_matrix

FRAME_MEASURES = {
    "maxcorr": "maxcorr",
    "linreg": "linreg",
    "svcca": "svcca",
    "pwcca": "pwcca",
    "cka": "cka_linear",
    "cka_rbf": "cka_rbf",
}
HEAD_MEASURES = {
    "attn_frobenius": "attn_fro",
    "attn_pearson": "attn_pearson",
    "attn_js": "attn_js",
}
TOLERANCE = {"cka": 1e-4, "cka_rbf": 1e-4}  # float32 there; 1e-5 for all others


@pytest.fixture(scope="module")
def published():
    path = Path(__file__).parents[1] / "data" / "reference_a.npz"
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def ours(published):
    layers = {name: published[f"x/{name}"] for name in published["layers"].tolist()}
    return similarity_matrix(
        layers, [*FRAME_MEASURES, "mincorr"], settings="elkheir2024", per_neuron=True
    )


@pytest.fixture(scope="module")
def our_heads(published):
    maps = {
        name: [published[f"a/{name}/{utterance}"] for utterance in range(3)]
        for name in published["attention_layers"].tolist()
    }
    return head_similarity_matrix(maps, HEAD_MEASURES, settings="elkheir2024", per_head=True)


def off_diagonal(matrix):
    return matrix[~np.eye(len(matrix), dtype=bool)]


def pairs_of(names):
    return [(row, col) for row in names for col in names if row != col]


@pytest.mark.parametrize("measure", FRAME_MEASURES)
def test_layers_are_as_similar_as_published(measure, ours, published):
    np.testing.assert_allclose(
        off_diagonal(ours[measure].values),
        off_diagonal(published[f"y/{FRAME_MEASURES[measure]}"]),
        rtol=0,
        atol=TOLERANCE.get(measure, 1e-5),
    )


@pytest.mark.parametrize("measure", HEAD_MEASURES)
def test_attention_is_as_similar_as_published(measure, our_heads, published):
    np.testing.assert_allclose(
        off_diagonal(our_heads[measure].values),
        off_diagonal(published[f"y/{HEAD_MEASURES[measure]}"]),
        rtol=0,
        atol=1e-5,
    )


@pytest.mark.parametrize("measure", ["maxcorr", "linreg"])
def test_every_neuron_scores_as_published(measure, ours, published):
    for row, col in pairs_of(published["layers"].tolist()):
        expected = published[f"unit/{measure}/{row}/{col}"]
        found = ours[f"{measure}_by_neuron"].sel(layer_row=row, layer_col=col).values
        np.testing.assert_allclose(found[: len(expected)], expected, rtol=0, atol=1e-5)


def test_every_neuron_has_the_published_match(ours, published):
    for row, col in pairs_of(published["layers"].tolist()):
        expected = published[f"unit/pair/{row}/{col}"]
        found = ours["maxcorr_match"].sel(layer_row=row, layer_col=col).values
        np.testing.assert_array_equal(found[: len(expected)], expected)


def test_neurons_rank_by_their_best_and_by_their_worst_match_as_published(ours, published):
    for name in published["layers"].tolist():
        scores = ours["maxcorr_by_neuron"].sel(layer_row=name)
        best = scores.drop_sel(layer_col=name).max("layer_col").values
        worst = ours["mincorr_by_neuron"].sel(layer_row=name).values
        for ranked, by in (("sort_max", best), ("sort_min", worst)):
            in_order = by[published[f"unit/{ranked}/{name}"]]
            assert np.isfinite(in_order).all()
            assert (np.diff(in_order) < 1e-6).all()


@pytest.mark.parametrize("measure", HEAD_MEASURES)
def test_every_head_has_the_published_best_match(measure, our_heads, published):
    table = our_heads[f"{measure}_by_head"]
    for row, col in pairs_of(published["attention_layers"].tolist()):
        key = HEAD_MEASURES[measure]
        expected = published[f"head/{key}/{row}/{col}"]
        match = published[f"head/{key}_pair/{row}/{col}"]
        found = table.sel(layer_row=row, layer_col=col).values[: len(expected)]
        np.testing.assert_allclose(np.nanmax(found, 1), expected, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(np.nanargmax(found, 1), match)
