"""Values of the paper's figures are labelled, and found at the depth of other models' layers."""

import numpy as np
import pytest

from assonance.report.study import published

BASE = [f"encoder.{k}" for k in range(13)]
LARGE = [f"encoder.{k}" for k in range(25)]


def off_diagonal(values):
    return values[~np.eye(len(values), dtype=bool)]


def test_the_source_is_named():
    attributes = published.figures().attrs
    assert "arXiv 2406.16099" in attributes["source"]
    assert "colour bar" in attributes["how"]


@pytest.mark.parametrize("measure", ["svcca", "cka"])
def test_symmetric_measures_are_symmetric(measure):
    values = published.figures()[measure].values
    np.testing.assert_array_equal(values, values.T)


# The ranges over models of the medians that the paper's figures have.
@pytest.mark.parametrize(
    ("measure", "within", "across"),
    [
        ("maxcorr", (0.30, 0.40), (0.20, 0.24)),
        ("linreg", (0.70, 0.78), (0.62, 0.72)),
        ("svcca", (0.36, 0.51), (0.35, 0.42)),
        ("pwcca", (0.48, 0.61), (0.47, 0.55)),
        ("cka", (0.61, 0.85), (0.29, 0.77)),
        ("attn_pearson", (0.35, 0.43), (0.25, 0.36)),
    ],
)
def test_medians_are_those_of_the_paper(measure, within, across):
    models = list(published.BLOCKS)
    own = [np.nanmedian(off_diagonal(published.block(measure, each, each))) for each in models]
    others = [
        np.nanmedian(published.block(measure, row, col))
        for row in models
        for col in models
        if row != col
    ]
    for found, expected in ((own, within), (others, across)):
        assert min(found) == pytest.approx(expected[0], abs=0.016)
        assert max(found) == pytest.approx(expected[1], abs=0.016)


@pytest.mark.parametrize(
    ("model", "measure", "first", "last"),
    [
        ("hubert-large", "maxcorr", 0.97, 0.42),
        ("hubert-large", "linreg", 1.0, 0.80),
        ("hubert-large", "pwcca", 0.99, 0.61),
        ("wav2vec2-large", "maxcorr", 0.95, 0.11),
        ("wav2vec2-large", "svcca", 0.95, 0.40),
    ],
)
def test_what_fine_tuning_retained_is_that_of_the_paper(model, measure, first, last):
    same = np.diag(published.block(measure, model, f"{model}-finetuned"))
    assert same[0] == pytest.approx(first, abs=0.006)
    assert same[-1] == pytest.approx(last, abs=0.006)


def test_models_of_the_papers_depth_have_every_published_layer():
    found = published.counterparts("linreg", "hubert-base", BASE, "hubert-large", LARGE)
    np.testing.assert_array_equal(
        found[:, :24], published.block("linreg", "hubert-base", "hubert-large")
    )
    assert np.isnan(found[:, 24]).all()  # no figure shows the last output of a large model


def test_attention_of_block_k_is_map_k_minus_one():
    found = published.counterparts("attn_js", "hubert-base", BASE, "wav2vec2-base", BASE)
    assert np.isnan(found[0]).all()  # the input of the first block has no attention
    np.testing.assert_array_equal(
        found[1:, 1:], published.block("attn_js", "hubert-base", "wav2vec2-base")
    )


def test_shallower_models_are_read_at_the_same_depth():
    half = BASE[:7]
    found = published.counterparts("cka", "hubert-base", half, "hubert-base", half)
    np.testing.assert_array_equal(
        found, published.block("cka", "hubert-base", "hubert-base")[::2, ::2]
    )


def test_between_two_layers_values_are_interpolated():
    five = [f"encoder.{k}" for k in range(6)]
    found = published.counterparts("svcca", "hubert-base", five, "hubert-base", BASE)
    whole = published.block("svcca", "hubert-base", "hubert-base")
    np.testing.assert_allclose(found[1], 0.6 * whole[2] + 0.4 * whole[3])  # 12/5 = 2.4 blocks up


def test_other_layers_and_models_have_no_counterpart():
    assert published.block("cka", "hubert-base", "wav2vec2-large-finetuned") is None
    assert published.block("cka_utterance", "hubert-base", "hubert-base") is None
    found = published.counterparts("cka", "hubert-base", ["cnn"], "hubert-base", BASE)
    assert np.isnan(found).all()
