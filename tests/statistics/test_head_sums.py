"""Sums over attention maps: additive, symmetric, safe with tiny probabilities and broken maps."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from material import make_maps

from assonance.statistics import HeadSums, count_rows, sample_queries, weighted_heads
from assonance.statistics.head_sums import HeadPair

HEADS = {"a": 3, "b": 5}
PAIRS = [("b", "a"), ("a", "a")]
LENGTHS = (6, 9, 4, 7, 1)
TABLES = tuple(HeadPair.__dataclass_fields__)


def stacked(maps, utterance, dtype=torch.float64):
    """Return the maps of each layer."""
    return [torch.as_tensor(one[utterance]).to(dtype) for one in maps.values()]


def sums_of(maps, utterances=None, pairs=PAIRS, dtype=torch.float64):
    sums = HeadSums({name: one[0].shape[0] for name, one in maps.items()}, pairs)
    count = len(next(iter(maps.values())))
    for index in range(count) if utterances is None else utterances:
        sums.update(stacked(maps, index, dtype))
    return sums


def assert_same(found, expected, tolerance=1e-10):
    for table in TABLES:
        torch.testing.assert_close(
            found.tables[table], expected.tables[table], rtol=tolerance, atol=tolerance
        )
    assert torch.equal(found.broken, expected.broken)


def divergence(x, y):
    """Compute the divergence of two maps of one head."""
    sums = HeadSums({"a": 1, "b": 1}, [("a", "b")])
    sums.update([torch.as_tensor(x), torch.as_tensor(y)])
    return sums.pair("a", "b").divergence.item()


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-10), (torch.float32, 2e-6)])
@pytest.mark.parametrize("sharpness", [0.01, 1.5, 8])
def test_sums_are_what_the_definitions_average(dtype, error, sharpness):
    maps = make_maps(HEADS, (*LENGTHS[:4], 60), sharpness=sharpness)
    pair = sums_of(maps, dtype=dtype).pair("a", "b")
    xs, ys = maps["a"], maps["b"]
    rows = sum(LENGTHS[:4]) + 60
    np.testing.assert_array_equal(pair.utterances, 5)
    for table in (pair.rows, pair.correlated):
        np.testing.assert_array_equal(table, rows)
    np.testing.assert_array_equal(pair.aligned, 5)
    found = {
        "attn_frobenius": 1 - pair.frobenius / 5,
        "attn_frobenius_normalized": 1 - pair.frobenius_normalized / 5,
        "attn_pearson": pair.pearson / rows,
        "attn_pearson_centered": pair.correlation / rows,
        "attn_js": 1 - pair.divergence / rows,
        "attn_cka": pair.alignment / 5,
    }
    for measure, table in found.items():
        # float32 maps lose the digits of deviations far below their means.
        loose = 1e3 if dtype == torch.float32 and sharpness < 1 else 1
        expected = getattr(oracles, measure)(xs, ys)
        np.testing.assert_allclose(table, expected, rtol=0, atol=loose * error, err_msg=measure)


@pytest.mark.parametrize("heads", [1, 5, 47, 48, 50, 97])
def test_every_two_heads_are_compared_for_any_number_of_heads(heads):
    maps = make_maps({"a": 2, "b": heads}, (5,))
    pair = sums_of(maps).pair("a", "b")
    for measure, table in {
        "attn_js": 1 - pair.divergence / pair.rows,
        "attn_frobenius": 1 - pair.frobenius,
        "attn_pearson_centered": pair.correlation / pair.rows,
    }.items():
        expected = getattr(oracles, measure)(maps["a"], maps["b"])
        np.testing.assert_allclose(table, expected, rtol=0, atol=1e-12)


def test_maps_processed_in_many_blocks_give_the_same_sums(monkeypatch):
    maps = make_maps(HEADS, (23,))
    expected = sums_of(maps)
    here = "assonance.statistics.head_tables"
    for name, value in {"_BLOCK": 2, "_LEAST": 3, "_MOST": 5}.items():
        monkeypatch.setattr(f"{here}.{name}", value * 8 * 23)
    monkeypatch.setattr(f"{here}._COLUMNS", 7)
    assert_same(sums_of(maps), expected)


@given(st.lists(st.integers(0, 2), min_size=5, max_size=5), st.permutations(range(3)))
def test_any_split_and_any_order_of_merging_agree_with_one_shot(where, order):
    maps = make_maps(HEADS, LENGTHS)
    parts = [sums_of(maps, [u for u in range(5) if where[u] == part]) for part in order]
    expected = sums_of(maps)
    assert_same(parts[0].merge(parts[1]).merge(parts[2]), expected)
    assert_same(parts[0].merge(parts[1].merge(parts[2])), expected)


def test_utterances_drawn_twice_count_twice():
    maps = make_maps(HEADS, LENGTHS)
    parts = [sums_of(maps, [0, 1]), sums_of(maps, [2]), sums_of(maps, [3, 4])]
    expected = sums_of(maps, [0, 1, 3, 4, 0, 1])
    assert_same(weighted_heads(parts, [2, 0, 1]), expected)


def test_a_group_that_is_left_out_is_subtracted_from_the_sum_of_all_and_no_other_is_read():
    maps = make_maps(HEADS, LENGTHS)
    parts = [sums_of(maps, [0, 1]), sums_of(maps, [2]), sums_of(maps, [3, 4])]
    total = sums_of(maps)
    expected = sums_of(maps, [0, 1, 3, 4])
    assert_same(weighted_heads([None, parts[1], None], [1, 0, 1], total), expected)
    assert_same(total, sums_of(maps))
    assert_same(weighted_heads(parts, [2, 0, 1], total), weighted_heads(parts, [2, 0, 1]))
    assert_same(weighted_heads(parts, [0, 0, 1], total), parts[2])


def test_merging_changes_neither_operand():
    maps = make_maps(HEADS, LENGTHS)
    one, two = sums_of(maps, [0, 1]), sums_of(maps, [2, 3, 4])
    merged = one.merge(two)
    merged.update(stacked(maps, 0))
    assert_same(one, sums_of(maps, [0, 1]), tolerance=0)
    assert_same(two, sums_of(maps, [2, 3, 4]), tolerance=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_update_never_changes_its_input(dtype):
    maps = stacked(make_maps(HEADS), 0, dtype)
    maps[0][0, 0, 0], maps[1][2, 1, 1] = 1e-40, torch.nan
    copies = [one.clone() for one in maps]
    HeadSums(HEADS, PAIRS).update(maps)
    torch.testing.assert_close(maps, copies, rtol=0, atol=0, equal_nan=True)


def test_tables_are_symmetric_to_the_bit():
    sums = sums_of(make_maps({"a": 30, "b": 40}, (9, 6), sharpness=4), dtype=torch.float32)
    for table in TABLES:
        assert torch.equal(sums.tables[table], sums.tables[table].T), table
    there, back = sums.pair("a", "b"), sums.pair("b", "a")
    assert there.frobenius.shape == (30, 40)
    assert torch.equal(there.divergence, back.divergence.T)


TABLES_OF = {
    "head distances": {"frobenius", "frobenius_normalized"},
    "head correlations": {"correlation", "pearson", "correlated"},
    "head divergences": {"divergence", "divergence_variance"},
    "head kernels": {"alignment", "aligned"},
}


@pytest.mark.parametrize("part", TABLES_OF)
def test_a_part_is_computed_alone_and_there_are_no_other_tables(part):
    maps = make_maps(HEADS)
    whole = sums_of(maps)
    sums = HeadSums(HEADS, [("b", "a")], [part])
    for index in range(3):
        sums.update(stacked(maps, index))
    assert sums.pairs == [("a", "b")]
    assert sums.tables.keys() == TABLES_OF[part] | {"utterances", "rows"}
    for name in TABLES:
        table = getattr(sums.pair("a", "b"), name)
        if name in sums.tables:
            torch.testing.assert_close(table, whole.tables[name][:3, 3:])
        else:
            assert table.shape == (3, 5)
            assert not table.any()


def test_weighted_sums_have_the_parts_of_all_groups():
    maps = stacked(make_maps(HEADS), 0)
    one = HeadSums(HEADS, PAIRS, ["head distances", "head divergences"])
    two = HeadSums(HEADS, PAIRS, ["head divergences"])
    for sums in (one, two):
        sums.update(maps)
    assert weighted_heads([one, two], [1, 1]).parts == ["head divergences"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_bit_depends_on_where_the_spans_are_computed(dtype, monkeypatch):
    monkeypatch.setattr("assonance.statistics.head_tables._LEAST", 2 * 8 * 31)
    maps = stacked(make_maps(HEADS, (31,)), 0, dtype)
    sums, shared = HeadSums(HEADS, PAIRS), HeadSums(HEADS, PAIRS)
    sums.update(maps)
    with ThreadPoolExecutor(3, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        shared.update(maps, pool.map)
    assert_same(shared, sums, tolerance=0)


@pytest.mark.parametrize(
    "other",
    [HeadSums({"a": 3, "b": 4}, PAIRS), HeadSums(HEADS, [("a", "b")]), HeadSums({"a": 3}, [])],
    ids=["heads", "pairs", "layers"],
)
def test_sums_over_different_heads_or_pairs_cannot_be_merged(other):
    for one, two in itertools.permutations([HeadSums(HEADS, PAIRS), other]):
        with pytest.raises(ValueError, match="different heads or pairs"):
            one.merge(two)


@pytest.mark.parametrize(
    "shapes",
    [[(3, 4, 4)], [(3, 4, 4), (4, 4, 4)], [(3, 4, 5)] * 2, [(3, 0, 0), (5, 0, 0)], []],
    ids=["one layer", "too few heads", "not square", "empty", "nothing"],
)
def test_maps_must_be_of_all_heads_and_square(shapes):
    sums = HeadSums(HEADS, PAIRS)
    with pytest.raises(ValueError, match=r"maps of .* heads must be"):
        sums.update([torch.ones(shape) for shape in shapes])
    assert_same(sums, HeadSums(HEADS, PAIRS), tolerance=0)


# Numbers that are hard for logarithms and differences


@pytest.mark.parametrize("tiny", [0.0, 1e-320, 1e-45, 1e-38, 1e-36, 1e-30])
@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
def test_tiny_probabilities_leave_the_divergence_as_it_is(tiny, dtype, error):
    x = torch.tensor([[[1.0, tiny], [tiny, 1.0]]], dtype=dtype)
    y = torch.tensor([[[tiny, 1.0], [0.25, 0.75]]], dtype=dtype)
    second = oracles.attn_js([np.array([[[0.0, 1.0]]])], [np.array([[[0.25, 0.75]]])])
    expected = np.log(2) + (1 - second.item())
    assert divergence(x, y) == pytest.approx(expected, abs=error)
    assert divergence(x, x) == 0


@pytest.mark.parametrize(("dtype", "step"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_heads_that_nearly_agree_keep_their_distance(dtype, step):
    one = torch.from_numpy(make_maps({"a": 1}, (40,))["a"][0]).to(dtype)
    two = one.clone()
    two[0, 3, 5] += 3 * step
    two[0, 3, 6] -= 4 * step
    sums = HeadSums({"a": 1, "b": 1}, [("a", "b")])
    sums.update([one, two])
    expected = (one.double() - two.double()).norm().item()
    assert sums.pair("a", "b").frobenius.item() == pytest.approx(expected, rel=1e-6)
    assert expected == pytest.approx(5 * step, rel=1e-3)


def test_heads_of_nearly_even_attention_keep_their_distances_in_single_precision():
    maps = make_maps({"a": 4, "b": 4}, (50,), sharpness=1e-3)
    found = sums_of(maps, dtype=torch.float32).pair("a", "b").frobenius
    single = {name: [one[0].astype(np.float32).astype(float)] for name, one in maps.items()}
    expected = 1 - oracles.attn_frobenius(single["a"], single["b"])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_head_is_exactly_itself(dtype):
    sums = sums_of(make_maps({"a": 4}, (30, 8)), pairs=[("a", "a")], dtype=dtype)
    pair = sums.pair("a", "a")
    assert (pair.frobenius.diagonal() == 0).all()
    assert (pair.divergence.diagonal() == 0).all()
    assert (pair.correlation.diagonal() == 38).all()
    assert (pair.alignment.diagonal() == 2).all()
    np.testing.assert_allclose(pair.pearson.diagonal(), 29 + 7, rtol=1e-12)


def test_equal_heads_of_two_layers_compare_as_a_head_with_itself():
    maps = make_maps({"a": 3}, (30,))
    pair = sums_of({**maps, "b": maps["a"]}, dtype=torch.float32).pair("a", "b")
    assert (pair.frobenius.diagonal() == 0).all()
    assert (pair.divergence.diagonal() == 0).all()
    np.testing.assert_allclose(pair.correlation.diagonal(), 30, rtol=1e-6)
    np.testing.assert_allclose(pair.alignment.diagonal(), 1, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_are_correlated_only_where_both_vary(dtype):
    maps = make_maps({"a": 2, "b": 2}, (6,))
    maps["a"][0][0, :2] = 1 / 6
    maps["b"][0][1, 1:4] = 1 / 6
    pair = sums_of(maps, pairs=[("a", "b")], dtype=dtype).pair("a", "b")
    np.testing.assert_array_equal(pair.correlated, [[4, 2], [6, 3]])


# Sampled queries


def test_a_sample_has_one_query_of_each_stretch():
    queries = sample_queries(23, 5, [0, 3])
    assert len(queries) == 5
    assert (queries == np.sort(queries)).all()
    for stretch, query in enumerate(queries):
        assert np.floor(stretch * 23 / 5) <= query < (stretch + 1) * 23 / 5
    assert (queries != sample_queries(23, 5, [0, 4])).any()


@pytest.mark.parametrize("count", [23, 40])
def test_all_queries_are_taken_where_the_sample_would_be_no_smaller(count):
    assert sample_queries(23, count, [0]) is None


@pytest.mark.parametrize(
    ("pieces", "rows"), [(1, 64), (130, 64), (256, 64), (512, 32), (1300, 16), (100_000, 16)]
)
def test_many_pieces_need_fewer_rows_of_each(pieces, rows):
    assert count_rows(None, pieces) == rows
    assert [count_rows(given, pieces) for given in (0, 2, 500)] == [0, 2, 500]


def test_every_query_is_drawn_equally_often():
    draws = 4000
    counts = sum(
        np.bincount(sample_queries(7, 3, [seed]), minlength=7).astype(int) for seed in range(draws)
    )
    # A count is a sum of at most two draws of probability 3/7 in all: its variance is below 3/7.
    deviation = np.sqrt(draws * 3 / 7)
    np.testing.assert_allclose(counts, draws * 3 / 7, atol=5 * deviation)


def test_divergences_are_those_of_the_sampled_queries():
    maps = make_maps(HEADS, (30,), sharpness=3)
    queries = np.array([2, 3, 11, 17, 17, 28])
    sums = HeadSums(HEADS, PAIRS)
    sums.update(stacked(maps, 0), queries=queries)
    exact = oracles.attn_js(*([one[0][:, queries]] for one in maps.values()))
    pair = sums.pair("a", "b")
    np.testing.assert_allclose(1 - pair.divergence / 30, exact, rtol=0, atol=1e-12)
    halves = [
        oracles.attn_js(*([one[0][:, queries[half::2]]] for one in maps.values()))
        for half in range(2)
    ]
    variance = ((halves[0] - halves[1]) / 2) ** 2
    np.testing.assert_allclose(pair.divergence_variance / 30**2, variance, rtol=0, atol=1e-12)


def test_sampling_changes_no_other_table():
    maps = make_maps(HEADS, (30,))
    sums, sampled = HeadSums(HEADS, PAIRS), HeadSums(HEADS, PAIRS)
    sums.update(stacked(maps, 0))
    sampled.update(stacked(maps, 0), queries=np.arange(0, 30, 5))
    assert not sums.tables["divergence_variance"].any()
    for table in set(TABLES) - {"divergence", "divergence_variance"}:
        assert torch.equal(sums.tables[table], sampled.tables[table]), table


def test_the_variance_of_sampling_is_as_large_as_what_samples_differ_by():
    maps = stacked(make_maps({"a": 2, "b": 2}, (60,), sharpness=3), 0)
    heads, pairs = {"a": 2, "b": 2}, [("a", "b")]
    exact = HeadSums(heads, pairs, ["head divergences"])
    exact.update(maps)
    samples = 400
    found = []
    for seed in range(samples):
        sums = HeadSums(heads, pairs, ["head divergences"])
        sums.update(maps, queries=sample_queries(60, 20, [seed]))
        found.append(sums.pair("a", "b"))
    values = torch.stack([each.divergence for each in found])
    variance = torch.stack([each.divergence_variance for each in found]).mean(0)
    error = values - exact.pair("a", "b").divergence
    # The mean of all samples is the exact sum, within five of its own standard errors.
    assert (error.mean(0).abs() < 5 * (variance / samples).sqrt()).all()
    # The estimate comes from two halves, which may differ in their means: never too small. The
    # mean of 400 squares is within 5·√(2/400) = .35 of its expectation.
    assert (error.square().mean(0) < 1.35 * variance).all()
    assert (error.square().mean(0) > variance / 2).all()


# Broken maps


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_broken_map_is_counted_and_left_out_of_the_sums_of_its_head(bad, dtype):
    maps = make_maps(HEADS, LENGTHS)
    good = sums_of(maps, dtype=dtype)
    without = sums_of(maps, [0, 2, 3, 4], dtype=dtype)
    maps["b"][1][2, 0, 3] = bad
    found = sums_of(maps, dtype=dtype)
    head = 3 + 2
    assert found.broken.tolist() == [0] * head + [1] + [0, 0]
    others = [place for place in range(8) if place != head]
    for table in TABLES:
        np.testing.assert_allclose(found.tables[table][head], without.tables[table][head])
        np.testing.assert_array_equal(
            found.tables[table][others][:, others], good.tables[table][others][:, others]
        )


def test_an_update_returns_which_maps_are_valid():
    maps = [one.to(torch.float32) for one in stacked(make_maps(HEADS), 0, torch.float16)]
    maps[0][1, 2] = 0
    valid = HeadSums(HEADS, PAIRS).update(maps)
    assert valid.tolist() == [True, False] + [True] * 6
