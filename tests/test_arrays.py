"""Similarity of plain arrays: labels, options, and one line for each mistake."""

import re
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import oracles
import pytest
import torch
import xarray as xr
from material import make_groups, make_layers, make_maps

from assonance import (
    AssonanceError,
    AssonanceWarning,
    head_similarity_matrix,
    similarity,
    similarity_matrix,
)
from assonance.measures import MEASURES, find
from assonance.measures.layer_descriptors import DESCRIPTORS
from assonance.settings import SETTINGS, Settings, find_settings
from assonance.statistics import head_tables

FRAMES = 120
WIDTHS = {"one": 4, "two": 7, "three": 5}
LAYERS = make_layers(WIDTHS, frames=FRAMES)
GROUPS = make_groups(FRAMES)
# Measures that say how many canonical correlations they used.
OF_DIRECTIONS = ("cca_mean", "cca_r2", "svcca", "pwcca", "pwcca_mean", "cca_heldout")
MAPS = make_maps({"one": 2, "two": 3})
NEURON, LAYER, HEAD = (
    [name for name, each in MEASURES.items() if each.level == level]
    for level in ("neuron", "layer", "head")
)


# Labels


def test_every_measure_is_a_table_of_layers_by_layers_in_the_order_given():
    result = similarity_matrix(LAYERS, [*NEURON, *LAYER], groups=GROUPS)
    assert [name for name in result.data_vars if name in MEASURES] == [*NEURON, *LAYER]
    assert result["layer_row"].values.tolist() == list(WIDTHS)
    assert result["layer_col"].values.tolist() == list(WIDTHS)
    for name, values in result.items():
        alone = name == "mincorr" or name in DESCRIPTORS
        expected = ("layer_row",) if alone else ("layer_row", "layer_col")
        assert values.dims == expected
        if name == "localisation":  # says nothing of a layer with itself
            values = values.where(~np.eye(len(WIDTHS), dtype=bool), 0)
        assert np.isfinite(values).all(), name


def test_rows_are_scored_by_columns():
    result = similarity_matrix(LAYERS, ["linreg"])["linreg"]
    expected = similarity(LAYERS["one"], LAYERS["two"], "linreg")
    assert float(result.sel(layer_row="one", layer_col="two")) == pytest.approx(expected, abs=1e-12)
    assert abs(expected - similarity(LAYERS["two"], LAYERS["one"], "linreg")) > 0.01


@pytest.mark.parametrize("measure", [*NEURON, *LAYER])
def test_two_arrays_score_as_they_do_in_a_matrix(measure):
    pair = {"one": LAYERS["one"], "two": LAYERS["two"]}
    result = similarity_matrix(pair, [measure], groups=GROUPS)[measure].sel(layer_row="one")
    result = result.sel(layer_col="two") if "layer_col" in result.dims else result
    found = similarity(LAYERS["one"], LAYERS["two"], measure, groups=GROUPS)
    assert type(found) is float
    assert found == float(result)


def test_neurons_are_listed_where_asked_padded_to_the_widest_layer():
    result = similarity_matrix(LAYERS, [*NEURON, *LAYER], groups=GROUPS, per_neuron=True)
    for measure in NEURON:
        scores = result[f"{measure}_by_neuron"]
        assert scores.dims[-1] == "neuron"
        assert scores.sizes["neuron"] == 7
        for layer, width in WIDTHS.items():
            of_layer = scores.sel(layer_row=layer)
            unmatched = [max(0, width - most) for most in WIDTHS.values()]
            none = unmatched if measure == "one_to_one" else 0
            missing = np.isnan(of_layer[..., :width]).sum("neuron")
            np.testing.assert_array_equal(missing, np.broadcast_to(none, missing.shape))
            assert np.isnan(of_layer[..., width:]).all()
        np.testing.assert_allclose(scores.mean("neuron"), result[measure], rtol=0, atol=1e-12)
    extra = {name for name in result if name not in MEASURES}
    matching = ("maxcorr", "one_to_one", "soft_matching")
    assert extra == {
        *(f"{measure}_by_neuron" for measure in NEURON),
        *(f"{measure}_match" for measure in matching),
        *(f"{measure}_rank" for measure in OF_DIRECTIONS),
        *DESCRIPTORS,
        "localisation",
    }


def test_layers_are_described_beside_their_scores():
    layers = {name: values.copy() for name, values in LAYERS.items()}
    layers["two"][:, 3] = 0.5
    layers["two"][:, 4] *= 1e-6
    layers["three"][:, 0] *= 1e3
    with pytest.warns(AssonanceWarning, match="constant"):
        found = similarity_matrix(layers, ["cka"])
    assert "uniformity" not in found
    variances = np.var(layers["three"], axis=0)
    top = found["top_neuron"].sel(layer_row="three")
    assert float(top) == pytest.approx(variances.max() / variances.sum(), abs=1e-12)
    assert found["top_ten_neurons"].values.tolist() == pytest.approx([1, 1, 1])
    assert found["constant_neurons"].values.tolist() == [0, 1, 0]
    assert found["dead_neurons"].values.tolist() == [0, 2, 0]
    values = np.linalg.eigvalsh(np.cov(layers["one"], rowvar=False))
    expected = values.sum() ** 2 / (values**2).sum()
    assert float(found["effective_rank"].sel(layer_row="one")) == pytest.approx(expected)


def test_matches_are_neurons_of_the_column_layer_and_minus_one_in_the_padding():
    match = similarity_matrix(LAYERS, ["maxcorr"], per_neuron=True)["maxcorr_match"]
    assert match.dtype.kind == "i"
    for row, width in WIDTHS.items():
        for col, most in WIDTHS.items():
            cell = match.sel(layer_row=row, layer_col=col).values
            assert ((cell[:width] >= 0) & (cell[:width] < most)).all()
            assert (cell[width:] == -1).all()
    own = match.sel(layer_row="two", layer_col="two").values
    np.testing.assert_array_equal(own, np.arange(7))


def test_neurons_are_not_listed_unless_asked():
    assert set(similarity_matrix(LAYERS, ["maxcorr"])) - set(DESCRIPTORS) == {"maxcorr"}


def test_a_single_layer_is_compared_with_itself_and_has_no_others():
    result = similarity_matrix({"one": LAYERS["one"]}, ["maxcorr", "mincorr"])
    assert result["maxcorr"].item() == pytest.approx(1)
    assert np.isnan(result["mincorr"].item())


def test_a_result_names_its_settings_frames_and_measures():
    settings = replace(SETTINGS["default"], name="mine", sample_frames=30)
    result = similarity_matrix(
        LAYERS, ["cka_rbf", "linreg_heldout"], groups=GROUPS, settings=settings
    )
    assert result.attrs == {"settings": "mine", "frames": FRAMES, "sample_frames": 30}
    attrs = result["linreg_heldout"].attrs
    assert attrs["long_name"] == MEASURES["linreg_heldout"].title
    assert attrs["description"] == MEASURES["linreg_heldout"].summary
    assert attrs["range"] == [-np.inf, 1.0]
    assert attrs["source"] == MEASURES["linreg_heldout"].source


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int16, np.uint8, np.int64])
def test_any_real_numbers_will_do(dtype):
    layers = {name: (20 * values % 97).astype(dtype) for name, values in LAYERS.items()}
    exact = {name: values.astype(np.float64) for name, values in layers.items()}
    found, expected = similarity_matrix(layers), similarity_matrix(exact)
    for measure in expected:
        np.testing.assert_allclose(found[measure], expected[measure], rtol=0, atol=1e-12)


@pytest.mark.parametrize("measure", ["svcca", "pwcca", "cca_mean", "cca_r2"])
def test_the_rank_used_stands_beside_the_score(measure):
    layers = {name: np.hstack([values, values[:, :1]]) for name, values in LAYERS.items()}
    ranks = similarity_matrix(layers, [measure])[f"{measure}_rank"]
    for a in layers:
        for b in layers:
            kept = []
            for name in (a, b):
                variances = np.linalg.eigvalsh(np.corrcoef(layers[name], rowvar=False))[::-1]
                reached = int((np.cumsum(variances) < 0.99 * variances.sum()).sum()) + 1
                kept.append(reached if measure in ("svcca", "pwcca") else WIDTHS[name])
            assert int(ranks.sel(layer_row=a, layer_col=b)) == min(kept)


def test_tensors_and_lists_will_do_and_nothing_given_is_changed():
    tensor = torch.from_numpy(LAYERS["one"].copy())
    found = similarity(tensor, LAYERS["two"].tolist(), "cka")
    assert found == similarity(LAYERS["one"], LAYERS["two"], "cka")
    np.testing.assert_array_equal(tensor, LAYERS["one"])
    frozen = LAYERS["one"].copy()
    frozen.flags.writeable = False
    assert similarity(frozen, LAYERS["two"], "cka") == found


def test_frames_beyond_one_chunk_count_like_the_first(monkeypatch):
    before = similarity_matrix(LAYERS, [*NEURON, *LAYER], groups=GROUPS)
    monkeypatch.setattr("assonance.arrays.CHUNK_FRAMES", 17)
    after = similarity_matrix(LAYERS, [*NEURON, *LAYER], groups=GROUPS)
    for measure in before:
        np.testing.assert_allclose(after[measure], before[measure], rtol=0, atol=1e-12)


# Groups


def test_groups_may_be_named_by_anything_and_lie_anywhere():
    names = [("utterance", int(group)) for group in GROUPS]
    expected = similarity(LAYERS["one"], LAYERS["two"], "linreg_heldout", groups=names)
    place_in_group = np.arange(FRAMES) - np.searchsorted(GROUPS, GROUPS)
    order = np.argsort(place_in_group, kind="stable")
    found = similarity(
        LAYERS["one"][order],
        LAYERS["two"][order],
        "linreg_heldout",
        groups=[names[frame] for frame in order],
    )
    assert found == pytest.approx(expected, abs=1e-12)


def ways_to_give(ids):
    """The same ids as data loaders and tables hold them; after pytorch/pytorch#7733 and #10625."""
    tensor = torch.from_numpy(ids)
    return {
        "a tensor": tensor,
        "a list of tensors": list(tensor),
        "a list of arrays of no dimension": [np.array(each) for each in ids],
        "a list of arrays of one number": [np.array([each]) for each in ids],
        "a column": ids[:, None],
        "a column of a tensor": tensor[:, None],
        "words": ids.astype(str),
        "floats": ids.astype(float),
        "tuples": [(int(each), "u") for each in ids],
        "an array with labels": xr.DataArray(ids),
        "a masked array without masked entries": np.ma.array(ids),
    }


# Folds follow from the names, so other names give other folds.
NAMED_OTHERWISE = {
    "words": lambda ids: [str(each) for each in ids],
    "tuples": lambda ids: [(each, "u") for each in ids],
}


@pytest.mark.parametrize("way", ways_to_give(GROUPS))
@pytest.mark.parametrize("measure", ["linreg_heldout", "cka_utterance"])
def test_equal_ids_are_one_utterance_however_they_are_held(way, measure):
    names = NAMED_OTHERWISE[way](GROUPS.tolist()) if way in NAMED_OTHERWISE else GROUPS.tolist()
    expected = similarity(LAYERS["one"], LAYERS["two"], measure, groups=names)
    given = ways_to_give(GROUPS)[way]
    assert similarity(LAYERS["one"], LAYERS["two"], measure, groups=given) == expected


def test_groups_leave_measures_in_sample_as_they_are():
    found = similarity_matrix(LAYERS, ["maxcorr", "linreg", "linreg_heldout"], groups=GROUPS)
    expected = similarity_matrix(LAYERS, ["maxcorr", "linreg"])
    for measure in ("maxcorr", "linreg"):
        np.testing.assert_allclose(found[measure], expected[measure], rtol=0, atol=1e-12)


def test_held_out_scores_depend_on_the_folds_that_are_set():
    scores = {
        similarity(
            LAYERS["one"],
            LAYERS["two"],
            "linreg_heldout",
            groups=GROUPS,
            settings=replace(SETTINGS["default"], folds=folds, seed=seed),
        )
        for folds, seed in [(2, 0), (5, 0), (5, 1)]
    }
    assert len(scores) == 3


def test_two_groups_are_enough_to_hold_one_out():
    halves = np.arange(FRAMES) < FRAMES // 2
    found = similarity(LAYERS["one"], LAYERS["two"], "linreg_heldout", groups=halves)
    expected = oracles.linreg_heldout(LAYERS["one"], LAYERS["two"], halves).mean()
    assert found == pytest.approx(expected, abs=1e-9)


def test_utterances_may_lie_anywhere_too():
    measures = ["cka_utterance", "cka_debiased"]
    expected = similarity_matrix(LAYERS, measures, groups=GROUPS)
    order = np.random.default_rng(0).permutation(FRAMES)
    shuffled = {name: values[order] for name, values in LAYERS.items()}
    found = similarity_matrix(shuffled, measures, groups=GROUPS[order])
    for measure in expected:
        np.testing.assert_allclose(found[measure], expected[measure], rtol=0, atol=1e-12)


@pytest.mark.parametrize("groups", [None, [0] * FRAMES, GROUPS])
def test_comparing_different_frames_takes_no_groups(groups):
    found = similarity(LAYERS["one"], LAYERS["two"], "cka_debiased", groups=groups)
    expected = oracles.cka_debiased(LAYERS["one"], LAYERS["two"])
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("count", [1, 3])
def test_less_than_four_utterances_have_no_alignment(count):
    groups = np.arange(FRAMES) % count
    with pytest.warns(AssonanceWarning, match=f"at least 4 utterances .* there (is|are) {count}: "):
        found = similarity(LAYERS["one"], LAYERS["two"], "cka_utterance", groups=groups)
    assert np.isnan(found)


# Mistakes


def with_one(values):
    return {**LAYERS, "two": values}


def nan_in(values):
    values = values.copy()
    values[3, 1] = np.nan
    values[5, 0] = np.inf
    return values


MISTAKES = {
    "no layers": (({}, ["cka"]), {}, "no layers to compare"),
    "one dimension": ((with_one(np.zeros(FRAMES)), ["cka"]), {}, r"layer 'two' .*\(120,\)"),
    "three dimensions": ((with_one(np.zeros((FRAMES, 2, 2))), ["cka"]), {}, "layer 'two'"),
    "no neurons": ((with_one(np.zeros((FRAMES, 0))), ["cka"]), {}, r"layer 'two' .*\(120, 0\)"),
    "words": ((with_one(np.full((FRAMES, 2), "a")), ["cka"]), {}, "layer 'two' .*<U1"),
    "truths": ((with_one(np.full((FRAMES, 2), True)), ["cka"]), {}, "layer 'two' .*bool"),
    "complex": ((with_one(np.full((FRAMES, 2), 1j)), ["cka"]), {}, "layer 'two' .*complex128"),
    "objects": ((with_one(np.full((FRAMES, 2), None)), ["cka"]), {}, "layer 'two' .*object"),
    "ragged": ((with_one([[1.0], [1.0, 2.0]]), ["cka"]), {}, "layer 'two' cannot be made an array"),
    "a tensor that learns": (
        (with_one(torch.ones(FRAMES, 2, requires_grad=True)), ["cka"]),
        {},
        "layer 'two' cannot be made an array",
    ),
    "not finite": ((with_one(nan_in(LAYERS["two"])), ["cka"]), {}, "layer 'two' has 2 values"),
    "frames missing": (
        (with_one(LAYERS["two"][:-1]), ["cka"]),
        {},
        "different frame counts: .*'two': 119",
    ),
    "one frame": (({"two": np.zeros((1, 3))}, ["cka"]), {}, "1 frames are too few"),
    "no frame": (({"two": np.zeros((0, 3))}, ["cka"]), {}, "0 frames are too few"),
    "unknown measure": (
        (LAYERS, ["cka", "ckb"]),
        {},
        "measure 'ckb' is unknown; choose from: .*cka",
    ),
    "measure of heads": ((LAYERS, ["attn_js"]), {}, "measure 'attn_js' cannot be used here"),
    "unknown settings": ((LAYERS, ["cka"]), {"settings": "x"}, "settings 'x' .*elkheir2024"),
    "no groups": ((LAYERS, ["linreg_heldout"]), {}, "linreg_heldout .*groups="),
    "no utterances": ((LAYERS, ["cka_utterance"]), {}, "cka_utterance .*groups="),
    "few groups": ((LAYERS, ["linreg_heldout"]), {"groups": GROUPS[1:]}, "groups= has 119 .* 120"),
    "groups with NaN": (
        (LAYERS, ["linreg_heldout"]),
        {"groups": np.where(GROUPS[0] == GROUPS, np.nan, GROUPS)},
        r"groups= has \d+ entries that are missing",
    ),
    "groups with None": (
        (LAYERS, ["linreg_heldout"]),
        {"groups": [None, *GROUPS[1:].tolist()]},
        "groups= has 1 entries that are missing",
    ),
    "masked groups": (
        (LAYERS, ["linreg_heldout"]),
        {"groups": np.ma.masked_equal(GROUPS, GROUPS[0])},
        r"groups= has \d+ masked values",
    ),
    "groups in lists": (
        (LAYERS, ["linreg_heldout"]),
        {"groups": [[int(each)] for each in GROUPS]},
        "groups= must name the utterance of each frame .*unhashable",
    ),
    "a table of groups": (
        (LAYERS, ["linreg_heldout"]),
        {"groups": np.tile(GROUPS[:, None], 2)},
        r"groups= must have one entry for each frame; .*\(120, 2\)",
    ),
    "one number for groups": (
        (LAYERS, ["linreg_heldout"]),
        {"groups": 4},
        "groups= must be a sequence .*got int",
    ),
    "a set of groups": (
        (LAYERS, ["linreg_heldout"]),
        {"groups": set(GROUPS.tolist())},
        "groups= must be a sequence .*got set",
    ),
    "layers in a list": (
        (list(LAYERS.values()), ["cka"]),
        {},
        "layers must be a mapping .*got list",
    ),
    "a masked layer": (
        (with_one(np.ma.masked_less(LAYERS["two"], -1)), ["cka"]),
        {},
        r"layer 'two' has \d+ masked values; fill them",
    ),
    "rows that are masked": (
        (with_one([np.ma.masked_less(row, -1) for row in LAYERS["two"]]), ["cka"]),
        {},
        r"layer 'two' has \d+ masked values; fill them",
    ),
    "a word for measures": ((LAYERS, "cka"), {}, r"measures must be a list .*got 'cka'"),
    "no list of measures": ((LAYERS, None), {}, r"measures must be a list .*got None"),
    "settings in a mapping": ((LAYERS, ["cka"]), {"settings": {}}, "settings {} are not known"),
    "one group": (
        (LAYERS, ["linreg_heldout_r"]),
        {"groups": [0] * FRAMES},
        "linreg_heldout_r needs at least 2 utterances or recordings",
    ),
}


def said_by(function, *given, **options):
    """The one line that a mistake is answered with; nothing else is warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AssonanceError) as raised:
            function(*given, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(("given", "options", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_by_one_line_that_says_where_it_is(given, options, message):
    assert re.search(message, said_by(similarity_matrix, *given, **options))


def test_a_mistake_in_one_of_two_arrays_is_named_by_its_argument():
    assert "layer 'Y'" in said_by(similarity, LAYERS["one"], nan_in(LAYERS["two"]), "cka")
    assert "layer 'X'" in said_by(similarity, nan_in(LAYERS["two"]), LAYERS["one"], "cka")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("variance", 0.0),
        ("variance", 1.1),
        ("variance", float("nan")),
        ("cut", "above"),
        ("sample_frames", 1),
        ("folds", 1),
        ("rotations", 0),
    ],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(AssonanceError, match=f"^{name} must be .*; got {value!r}$"):
        Settings("mine", **{name: value})


def test_settings_and_measures_are_found_by_name():
    assert find_settings("default") is SETTINGS["default"]
    mine = Settings("mine")
    assert find_settings(mine) is mine
    assert [each.name for each in find(["cka", "maxcorr"], ("neuron", "layer"))] == [
        "cka",
        "maxcorr",
    ]


def test_measures_of_another_level_are_not_offered():
    with pytest.raises(AssonanceError) as raised:
        find(["nothing"], ("head",))
    offered = str(raised.value).split("choose from: ")[1].split(", ")
    assert offered == HEAD


# Heads


def test_head_measures_are_tables_of_layers_by_layers():
    result = head_similarity_matrix(MAPS, HEAD)
    assert list(result.data_vars) == HEAD
    assert result.attrs == {"settings": "default"}
    for values in result.values():
        assert values.dims == ("layer_row", "layer_col")
        assert values["layer_row"].values.tolist() == ["one", "two"]
        assert np.isfinite(values).all()


def test_head_tables_are_listed_where_asked_padded_with_nan():
    result = head_similarity_matrix(MAPS, HEAD, per_head=True)
    for measure in HEAD:
        table = result[f"{measure}_by_head"]
        assert table.dims == ("layer_row", "layer_col", "head_row", "head_col")
        assert table.shape == (2, 2, 3, 3)
        cell = table.sel(layer_row="one", layer_col="two").values
        assert np.isfinite(cell[:2]).all()
        assert np.isnan(cell[2]).all()
        back = table.sel(layer_row="two", layer_col="one").values
        np.testing.assert_array_equal(back, cell.T)
        best = result[measure].sel(layer_row="one", layer_col="two")
        assert float(best) == pytest.approx(cell[:2].max(1).mean(), abs=1e-12)
        match = result[f"{measure}_match"]
        assert match.dims == ("layer_row", "layer_col", "head_row")
        found = match.sel(layer_row="one", layer_col="two").values.tolist()
        assert found == [*cell[:2].argmax(1), -1]


def test_maps_of_different_lengths_are_compared_on_the_grid_of_the_shortest():
    maps = make_maps({"fine": 2, "coarse": 3}, lengths=(12, 6))
    coarse = [maps["fine"][0].reshape(2, 6, 2, 6, 2).sum(4).mean(2), maps["fine"][1]]
    maps["coarse"][0] = make_maps({"coarse": 3}, lengths=(6,), seed=4)["coarse"][0]
    found = head_similarity_matrix(maps, HEAD, per_head=True)
    expected = head_similarity_matrix({**maps, "fine": coarse}, HEAD, per_head=True)
    xr.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def rounded(maps, dtype):
    return {name: [one.astype(dtype) for one in values] for name, values in maps.items()}


def test_maps_of_few_digits_are_compared_in_float32_to_a_few_millionths(monkeypatch):
    maps = rounded(make_maps({"one": 3, "two": 2}, lengths=(40, 25), sharpness=3), np.float32)
    compared = []

    def noted(utterance, pool_map, compare=head_tables.compare):
        compared.append(utterance.dtype)
        return compare(utterance, pool_map)

    monkeypatch.setattr("assonance.statistics.head_sums.compare", noted)
    found = head_similarity_matrix(maps, HEAD, per_head=True)
    assert compared == [torch.float32, torch.float32]
    for measure in HEAD:
        expected = getattr(oracles, measure)(*rounded(maps, np.float64).values())
        table = found[f"{measure}_by_head"].sel(layer_row="one", layer_col="two").values[:, :2]
        np.testing.assert_allclose(table, expected, rtol=0, atol=5e-6, err_msg=measure)


def test_maps_of_half_precision_are_compared_in_float32():
    maps = rounded(MAPS, np.float16)
    expected = head_similarity_matrix(rounded(maps, np.float32), HEAD)
    xr.testing.assert_identical(head_similarity_matrix(maps, HEAD), expected)


@pytest.mark.parametrize("precise", [np.float64, np.longdouble])
def test_one_precise_map_makes_all_compared_in_float64(precise):
    maps = rounded(MAPS, np.float32)
    expected = head_similarity_matrix(rounded(maps, np.float64), HEAD)
    maps["two"][0] = maps["two"][0].astype(precise)
    xr.testing.assert_identical(head_similarity_matrix(maps, HEAD), expected)


def test_maps_may_be_read_only_and_in_any_order_in_memory():
    maps = {name: [np.asfortranarray(one) for one in values] for name, values in MAPS.items()}
    for one in maps["one"]:
        one.setflags(write=False)
    maps["two"] = [one[::-1][::-1].astype(">f8") for one in maps["two"]]
    xr.testing.assert_identical(
        head_similarity_matrix(maps, HEAD), head_similarity_matrix(MAPS, HEAD)
    )


@pytest.mark.parametrize("utterances", [1, 3])
def test_heads_score_the_same_to_the_bit_on_any_number_of_cores(utterances, monkeypatch):
    monkeypatch.setattr(head_tables, "_LEAST", 2 * 5 * 40)
    maps = rounded(make_maps({"one": 3, "two": 2}, lengths=(40, 25, 33)[:utterances]), np.float32)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            found.append(head_similarity_matrix(maps, HEAD, per_head=True))
    finally:
        torch.set_num_threads(before)
    for each in found[1:]:
        xr.testing.assert_identical(each, found[0])


def test_maps_given_are_not_changed():
    maps = {name: [one.copy() for one in values] for name, values in MAPS.items()}
    head_similarity_matrix(maps)
    for name, values in MAPS.items():
        for one, two in zip(maps[name], values, strict=True):
            np.testing.assert_array_equal(one, two)


def of_two(change):
    return {**MAPS, "two": change(list(MAPS["two"]))}


def nan_map(values):
    one = values[1].copy()
    one[0, 0, 0] = np.nan
    return [values[0], one, values[2]]


HEAD_MISTAKES = {
    "no layers": ({}, {}, "no layers to compare"),
    "no utterances": ({"one": [], "two": []}, {}, "no attention maps"),
    "utterances missing": (of_two(lambda maps: maps[:2]), {}, "utterances: .*'two': 2"),
    "two dimensions": (of_two(lambda maps: [maps[0][0]] * 3), {}, r"layer 'two': .*\(7, 7\)"),
    "not square": (of_two(lambda maps: [one[:, 1:] for one in maps]), {}, "layer 'two': .*6, 7"),
    "no heads": (of_two(lambda maps: [one[:0] for one in maps]), {}, "layer 'two': .*0, 7, 7"),
    "words": (of_two(lambda maps: [one.astype(str) for one in maps]), {}, "layer 'two' .*<U"),
    "maps in a list": ([MAPS["one"]], {}, "layers must be a mapping .*got list"),
    "no maps": (of_two(lambda _: None), {}, "layer 'two' must be a sequence of maps.*got NoneType"),
    "not finite": (of_two(nan_map), {}, "layer 'two' has attention that is NaN"),
    "not a softmax's": (
        of_two(lambda maps: [maps[0], 2 * maps[1], maps[2]]),
        {},
        r"the maps of utterance 1 have rows that do not sum to one",
    ),
    "heads missing": (
        of_two(lambda maps: [maps[0], maps[1], maps[2][1:]]),
        {},
        r"utterance 2 .*'two': \(2, 5, 5\)",
    ),
    "measure of layers": (MAPS, {"measures": ["cka"]}, "measure 'cka' cannot be used here"),
    "unknown settings": (MAPS, {"settings": "x"}, "settings 'x'"),
}


@pytest.mark.parametrize(("maps", "options", "message"), HEAD_MISTAKES.values(), ids=HEAD_MISTAKES)
def test_a_mistake_in_maps_is_answered_by_one_line(maps, options, message):
    assert re.search(message, said_by(head_similarity_matrix, maps, **options))


# Warnings


def test_warnings_point_to_who_called():
    layers = {"one": np.ones((FRAMES, 2)), "two": LAYERS["two"]}
    with pytest.warns(AssonanceWarning) as told:
        similarity_matrix(layers, ["cka"])
    assert told[0].filename == __file__


def test_few_frames_are_warned_of_once_naming_the_widest_layer():
    few = {name: values[:5] for name, values in LAYERS.items()}
    with pytest.warns(AssonanceWarning, match=r"5 frames are too few for 7 .*'two'") as told:
        similarity_matrix(few, ["svcca"])
    assert len(told) == 1
    assert told[0].filename == __file__


def test_frames_more_than_the_neurons_of_two_layers_are_not_warned_of():
    few = {name: values[:13] for name, values in LAYERS.items()}
    similarity_matrix(few, ["linreg"])
    with pytest.warns(AssonanceWarning, match="12 frames are few for 7 neurons"):
        similarity_matrix({name: values[:12] for name, values in few.items()}, ["linreg"])


def test_arrays_are_compared_without_loading_transformers():
    code = (
        "import sys, numpy, assonance;"
        "assonance.similarity(numpy.eye(5)[:, :2], numpy.eye(5)[:, 2:4], 'cka');"
        "assert 'transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("measure", ["linreg_heldout", "maxcorr"])
def test_a_layer_of_one_neuron_has_an_interval(measure):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(400, 1)), rng.normal(size=(400, 3))
    groups = np.repeat(np.arange(20), 20)
    found = similarity_matrix({"one": X, "three": Y}, [measure], groups=groups, intervals=True)
    assert np.isfinite(found[f"{measure}_interval"].sel(layer_row="one", layer_col="three")).all()


def test_the_order_of_utterances_is_of_no_consequence_to_held_out_scores_and_intervals():
    names = ["linreg_heldout", "linreg_heldout_r", "ridge_heldout", "maxcorr", "cka_utterance"]
    order = np.random.default_rng(0).permutation(12)
    rows = np.concatenate([np.flatnonzero(group == GROUPS) for group in order])
    settings = Settings("few", folds=4, groups=10)
    before = similarity_matrix(LAYERS, names, groups=GROUPS, settings=settings, intervals=True)
    permuted = {name: values[rows] for name, values in LAYERS.items()}
    after = similarity_matrix(
        permuted, names, groups=GROUPS[rows], settings=settings, intervals=True
    )
    for name in before:
        np.testing.assert_allclose(after[name], before[name], rtol=0, atol=1e-9, err_msg=str(name))
    # Other names hold other groups out together.
    other = similarity_matrix(LAYERS, names, groups=[f"u{each}" for each in GROUPS])
    assert (abs(other["linreg_heldout"] - before["linreg_heldout"]) > 1e-4).any()
