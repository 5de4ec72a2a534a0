"""Layers and maps that leave measures nothing, little or too much to go by."""

import warnings

import numpy as np
import oracles
import pytest
import torch
from material import make_folds, make_groups, make_layers, make_maps

from assonance import AssonanceWarning, head_similarity_matrix, similarity, similarity_matrix
from assonance.measures import MEASURES
from assonance.measures.attention import best_match
from assonance.measures.roles import NEEDS_MORE_FRAMES_THAN_NEURONS

FRAMES = 240
GROUPS = make_groups(FRAMES)
OF_FRAMES = [name for name, each in MEASURES.items() if each.level != "head"]
OF_HEADS = [name for name, each in MEASURES.items() if each.level == "head"]
OF_NEURONS = [name for name, each in MEASURES.items() if each.level == "neuron"]


@pytest.fixture
def layers():
    return make_layers({"a": 6, "b": 9}, frames=FRAMES)


def quietly(row, column, measure, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssonanceWarning)
        return similarity(row, column, measure, groups=GROUPS, **options)


def neurons_of(row, column, measure):
    result = similarity_matrix({"x": row, "y": column}, [measure], groups=GROUPS, per_neuron=True)
    cell = result[f"{measure}_by_neuron"].sel(layer_row="x")
    cell = cell.sel(layer_col="y") if "layer_col" in cell.dims else cell
    return cell.values[: row.shape[1]]


# Extreme scales


@pytest.mark.parametrize(
    ("dtype", "powers"),
    [
        *((np.float64, (power, power)) for power in (-532, -200, -60, 40, 130, 270, 530, 1000)),
        *((np.float32, (power, power)) for power in (-100, -40, 40, 60, 100)),
        (np.float64, (530, -200)),
        (np.float32, (60, -60)),
    ],
    ids=str,
)
def test_no_score_depends_on_the_scale_of_layers(dtype, powers, layers):
    rows = {name: values.astype(dtype) for name, values in layers.items()}
    moved = {
        name: np.ldexp(values, power)
        for (name, values), power in zip(rows.items(), powers, strict=True)
    }
    names = OF_FRAMES if powers[0] == powers[1] else [*set(OF_FRAMES) - {"procrustes"}]
    found = similarity_matrix(moved, names, groups=GROUPS)
    expected = similarity_matrix(rows, names, groups=GROUPS)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-6, err_msg=name)


def test_a_layer_that_is_far_smaller_has_another_size(layers):
    found = similarity(layers["a"], np.ldexp(layers["b"], -300), "procrustes")
    assert found == pytest.approx(0, abs=1e-6)


# Constant neurons

# 0.1 has no finite binary form, so that its mean need not be itself.
CONSTANTS = [0.0, 3.0, 0.1, -1e6 / 3]


@pytest.mark.parametrize("constant", CONSTANTS)
@pytest.mark.parametrize("measure", OF_NEURONS)
def test_a_constant_neuron_scores_nan_and_no_other_neuron_does(measure, constant, layers):
    row = np.insert(layers["a"], 2, constant, axis=1)
    with pytest.warns(AssonanceWarning, match=r"layer 'x': 1 of 7 neurons are constant \(2\)"):
        found = neurons_of(row, layers["b"], measure)
    assert np.isnan(found[2])
    without = neurons_of(layers["a"], layers["b"], measure)
    np.testing.assert_allclose(np.delete(found, 2), without, rtol=0, atol=1e-12)


@pytest.mark.parametrize("constant", CONSTANTS)
@pytest.mark.parametrize("measure", OF_FRAMES)
@pytest.mark.parametrize("side", ["a", "b"])
def test_a_constant_neuron_leaves_the_score_of_its_layer_as_it_was(measure, side, constant, layers):
    before = similarity(layers["a"], layers["b"], measure, groups=GROUPS)
    layers[side] = np.insert(layers[side], 3, constant, axis=1)
    assert quietly(layers["a"], layers["b"], measure) == pytest.approx(before, abs=1e-12)


def test_a_constant_neuron_matches_none_and_is_no_match(layers):
    layers = {name: np.insert(values, 0, 1.0, axis=1) for name, values in layers.items()}
    with pytest.warns(AssonanceWarning) as told:
        found = similarity_matrix(layers, ["maxcorr"], per_neuron=True)["maxcorr_match"]
    assert len(told) == 2
    match = found.sel(layer_row="a", layer_col="b").values
    assert match[0] == -1
    table = np.abs(oracles.correlations(layers["a"][:, 1:], layers["b"][:, 1:]))
    np.testing.assert_array_equal(match[1:7], table.argmax(1) + 1)


@pytest.mark.parametrize("measure", OF_FRAMES)
def test_a_layer_that_is_all_constant_scores_nan(measure, layers):
    assert np.isnan(quietly(np.full((FRAMES, 4), 0.1), layers["b"], measure))


@pytest.mark.parametrize("measure", OF_FRAMES)
def test_from_a_layer_that_is_all_constant_nothing_is_predicted(measure, layers):
    expected = 0.0 if measure.startswith(("linreg", "ridge")) else np.nan
    found = quietly(layers["a"], np.full((FRAMES, 4), 0.1), measure)
    np.testing.assert_equal(found, expected)


def test_only_the_first_constant_neurons_are_listed(layers):
    with pytest.warns(AssonanceWarning, match=r"8 of 8 neurons are constant \(0, 1, 2, 3, 4, …\)"):
        similarity(np.ones((FRAMES, 8)), layers["b"], "cka")


def test_a_neuron_that_hardly_varies_is_not_constant(layers):
    layers["a"][:, 0] = 1 + 1e-9 * layers["a"][:, 0]
    found = neurons_of(layers["a"], layers["b"], "maxcorr")
    assert np.isfinite(found).all()


# What only one fold knows


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("measure", ["linreg_heldout", "linreg_heldout_r"])
@pytest.mark.parametrize(("size", "base"), [(1, 0), (1, 0.1), (1000, 5), (3.7, 1000)])
def test_a_neuron_that_varies_in_one_group_alone_does_not_spoil_its_prediction(
    measure, seed, size, base
):
    layers = make_layers({"a": 6, "b": 3}, frames=FRAMES, seed=seed)
    burst = (GROUPS == 4) * np.random.default_rng(seed).standard_normal(FRAMES)
    layers["b"] = np.column_stack([layers["b"], size * burst + base])
    folds = make_folds(GROUPS, 5, 0)
    expected = getattr(oracles, measure)(layers["a"], layers["b"], folds)
    found = neurons_of(layers["a"], layers["b"], measure)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_neurons_that_part_in_one_group_alone_do_not_spoil_its_prediction():
    layers = make_layers({"a": 6, "b": 20}, frames=FRAMES)
    rng = np.random.default_rng(0)
    burst = (GROUPS == 4)[:, None] * rng.standard_normal((FRAMES, 10))
    layers["b"] = np.hstack([layers["b"], layers["b"] @ rng.standard_normal((20, 10)) + burst])
    folds = make_folds(GROUPS, 5, 0)
    expected = oracles.linreg_heldout(layers["a"], layers["b"], folds)
    found = neurons_of(layers["a"], layers["b"], "linreg_heldout")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


# Duplicates, few frames, one neuron


@pytest.mark.parametrize("measure", ["maxcorr", "linreg", "linreg_heldout", "linreg_heldout_r"])
def test_duplicate_neurons_of_the_other_layer_say_nothing_new(measure, layers):
    once = neurons_of(layers["a"], layers["b"], measure)
    twice = neurons_of(layers["a"], np.hstack([layers["b"], 3 * layers["b"][:, ::-1]]), measure)
    np.testing.assert_allclose(twice, once, rtol=0, atol=1e-9)


def test_the_first_of_equal_matches_is_named(layers):
    columns = np.hstack([layers["b"], layers["b"]])
    found = similarity_matrix({"x": layers["a"], "y": columns}, ["maxcorr"], per_neuron=True)
    match = found["maxcorr_match"].sel(layer_row="x", layer_col="y").values[:6]
    assert (match < 9).all()


def test_canonical_measures_take_duplicates_as_variance_not_as_directions(layers):
    twice = np.hstack([layers["a"], layers["a"]])
    for measure in ("svcca", "pwcca"):
        found = similarity(twice, layers["b"], measure)
        expected = similarity(layers["a"], layers["b"], measure)
        assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("measure", NEEDS_MORE_FRAMES_THAN_NEURONS)
def test_frames_fewer_than_neurons_explain_everything_and_are_warned_of(measure, layers):
    message = (
        rf"6 frames are too few for 9 neurons \(layer 'Y'\): in-sample scores of {measure} mean"
    )
    with pytest.warns(AssonanceWarning, match=message):
        found = similarity(layers["a"][:6], layers["b"][:6], measure)
    assert found == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("measure", sorted({*OF_FRAMES} - {*NEEDS_MORE_FRAMES_THAN_NEURONS}))
def test_measures_that_can_do_with_few_frames_do_not_warn(measure, layers):
    assert np.isfinite(
        similarity(layers["a"][:6], layers["b"][:6], measure, groups=[0, 0, 1, 2, 3, 4])
    )


def test_all_measures_that_few_frames_empty_are_named_in_one_warning(layers):
    chosen = ["pwcca", "cka", "linreg", "maxcorr"]
    with pytest.warns(AssonanceWarning, match=": in-sample scores of pwcca, linreg mean") as told:
        similarity_matrix({"a": layers["a"][:9], "b": layers["b"][:9]}, chosen)
    assert len(told) == 1


@pytest.mark.parametrize("measure", OF_FRAMES)
def test_one_neuron_is_a_layer(measure, layers):
    one, other = layers["a"][:, :1], layers["b"][:, :1]
    r = abs(np.corrcoef(one[:, 0], other[:, 0])[0, 1])
    found = similarity(one, other, measure, groups=GROUPS)
    if measure in ("cka", "cka_standardized", "cca_r2", "linreg_r2"):
        assert found == pytest.approx(r**2, abs=1e-9)
    elif measure == "angular_procrustes":
        assert found == pytest.approx(1 - np.arccos(r) / (np.pi / 2), abs=1e-9)
    elif measure == "procrustes":
        assert found == pytest.approx(oracles.procrustes(one, other), abs=1e-9)
    elif MEASURES[measure].needs == "moments":
        assert found == pytest.approx(r, abs=1e-9)
    else:
        assert -0.01 < found < 1


@pytest.mark.parametrize("measure", ["svcca", "pwcca"])
def test_the_published_cut_leaves_nothing_of_one_neuron(measure, layers):
    found = similarity(layers["a"][:, :1], layers["b"], measure, settings="elkheir2024")
    assert np.isnan(found)


# Heads


def test_rows_that_are_constant_have_no_correlation_and_are_left_out():
    maps = make_maps({"a": 2, "b": 3}, lengths=(6, 4))
    constant = [np.array(one) for one in maps["a"]]
    constant[0][1, 2] = 1 / 6
    found = head_similarity_matrix(
        {"a": constant, "b": maps["b"]}, ["attn_pearson"], per_head=True
    )["attn_pearson_by_head"].sel(layer_row="a", layer_col="b")

    def of_rows(p, q):
        return ((p - p.mean()) * (q - q.mean())).mean() / (p.std(ddof=1) * q.std(ddof=1))

    rows = [
        (constant[u][1, t], maps["b"][u][2, t])
        for u, length in enumerate((6, 4))
        for t in range(length)
        if (u, t) != (0, 2)
    ]
    expected = np.mean([of_rows(p, q) for p, q in rows])
    assert found[1, 2] == pytest.approx(expected, abs=1e-12)


def test_a_head_that_attends_evenly_everywhere_is_nan_and_left_out_of_averages():
    maps = make_maps({"a": 3, "b": 4})
    before = head_similarity_matrix(maps, ["attn_pearson"], per_head=True)
    for one in maps["a"]:
        one[1] = 1 / one.shape[-1]
    found = head_similarity_matrix(maps, ["attn_pearson"], per_head=True)
    here = {"layer_row": "a", "layer_col": "b"}
    table = found["attn_pearson_by_head"].sel(here).values[:3]
    assert np.isnan(table[1]).all()
    kept = before["attn_pearson_by_head"].sel(here).values[[0, 2]]
    np.testing.assert_allclose(table[[0, 2]], kept, rtol=0, atol=1e-12)
    assert found["attn_pearson"].sel(here) == pytest.approx(kept.max(1).mean(), abs=1e-12)
    there = {"layer_row": "b", "layer_col": "a"}
    expected = kept.T.max(1).mean()
    assert found["attn_pearson"].sel(there) == pytest.approx(expected, abs=1e-12)


def test_utterances_of_one_frame_have_no_correlation_and_are_alike_otherwise():
    maps = {"a": [np.ones((2, 1, 1))], "b": [np.ones((3, 1, 1))]}
    found = head_similarity_matrix(maps).sel(layer_row="a", layer_col="b")
    assert np.isnan(found["attn_pearson"])
    assert found["attn_frobenius"] == 1
    assert found["attn_js"] == 1
    sound = ["attn_frobenius_normalized", "attn_js_bits", "attn_pearson_centered", "attn_cka"]
    found = head_similarity_matrix(maps, sound).sel(layer_row="a", layer_col="b")
    assert found["attn_frobenius_normalized"] == found["attn_js_bits"] == 1
    assert np.isnan([found["attn_pearson_centered"], found["attn_cka"]]).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_head_that_looks_alike_from_every_query_has_no_cka_and_is_left_out(dtype):
    maps = make_maps({"a": 3, "b": 4})
    before = head_similarity_matrix(maps, ["attn_cka"], per_head=True)["attn_cka_by_head"]
    for one in maps["a"]:
        one[1] = one[1, 0]
    maps["a"] = [one.astype(dtype) for one in maps["a"]]
    found = head_similarity_matrix(maps, ["attn_cka"], per_head=True)
    here = {"layer_row": "a", "layer_col": "b"}
    table = found["attn_cka_by_head"].sel(here).values[:3]
    assert np.isnan(table[1]).all()
    kept = before.sel(here).values[[0, 2]]
    np.testing.assert_allclose(table[[0, 2]], kept, rtol=0, atol=1e-6)
    assert found["attn_cka"].sel(here) == pytest.approx(kept.max(1).mean(), abs=1e-6)


@pytest.mark.parametrize("measure", OF_HEADS)
def test_masked_keys_of_no_attention_leave_heads_comparable(measure):
    maps = make_maps({"a": 3, "b": 4}, lengths=(8, 11))
    for of_layer in maps.values():
        for one in of_layer:
            one[..., -3:] = 0
            one /= one.sum(-1, keepdims=True)
    table = head_similarity_matrix(maps, [measure], per_head=True)[f"{measure}_by_head"]
    found = table.sel(layer_row="a", layer_col="b").values[:3]
    expected = getattr(oracles, measure)(maps["a"], maps["b"])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_an_utterance_of_one_frame_changes_no_correlation_of_the_others():
    maps = make_maps({"a": 2, "b": 3}, lengths=(6, 1, 9))
    longer = {name: [one[0], one[2]] for name, one in maps.items()}
    found, expected = (
        head_similarity_matrix(each, ["attn_pearson"])["attn_pearson"].values
        for each in (maps, longer)
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_best_match_passes_over_nan_and_takes_the_first_of_equals():
    nan = float("nan")
    table = torch.tensor([[nan, 0.2, 0.2], [-3.0, nan, nan], [nan, nan, nan]])
    scores, index = best_match(table)
    np.testing.assert_array_equal(scores, np.array([0.2, -3.0, nan], dtype=np.float32))
    assert index[:2].tolist() == [1, 0]
