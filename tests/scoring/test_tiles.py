"""Tiles cover the wanted pairs of layers, each once, and stay within their memory."""

from dataclasses import replace
from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assonance.scoring.kept_sums import KeptSums
from assonance.scoring.tiles import Tile, new_layers, plan, size, stacks

FLOAT64 = 8
names = st.lists(st.text(max_size=6), min_size=1, max_size=12, unique=True)
memories = st.floats(min_value=0, max_value=3e8)


def everything(a: str, b: str) -> bool:
    return True


def pairs_of(names):
    return list(combinations_with_replacement(names, 2))


def products(tile: Tile, width: int, folds: int) -> int:
    """Bytes of a tile's sums of products alone, which it cannot do without."""
    return FLOAT64 * width**2 * folds * len(set(tile.pairs) | {(a, a) for a in tile.layers})


@given(names, st.integers(1, 64), st.integers(1, 5), memories, st.data())
def test_every_wanted_pair_is_in_exactly_one_tile_and_no_other(names, width, folds, memory, data):
    wanted = {pair for pair in pairs_of(names) if data.draw(st.booleans(), label=f"wanted {pair}")}
    tiles = plan(
        dict.fromkeys(names, width),
        lambda a, b: (a, b) in wanted,
        memory,
        KeptSums(folds, folds),
    )
    found = [pair for tile in tiles for pair in tile.pairs]
    assert len(found) == len(set(found))
    assert set(found) == wanted


@given(names, memories)
def test_only_pairs_in_the_order_of_the_layers_are_asked_about(names, memory):
    asked = []

    def wanted(a, b):
        asked.append((a, b))
        return True

    plan(dict.fromkeys(names, 8), wanted, memory, KeptSums(1, 1))
    assert sorted(asked) == sorted(pairs_of(names))


@given(names, memories, st.data())
def test_a_tile_names_the_layers_of_its_pairs_in_order_and_no_others(names, memory, data):
    left_out = set(data.draw(st.lists(st.sampled_from(names))))
    tiles = plan(
        dict.fromkeys(names, 8),
        lambda a, b: not {a, b} & left_out,
        memory,
        KeptSums(2, 2),
    )
    for tile in tiles:
        assert tile.pairs
        in_pairs = {name for pair in tile.pairs for name in pair}
        assert list(tile.layers) == [name for name in names if name in in_pairs]


@given(st.integers(1, 40), st.integers(1, 200), st.integers(1, 5), memories)
def test_a_tile_of_more_than_two_layers_fits_into_the_memory(count, width, folds, memory):
    widths = {f"layer {number}": width for number in range(count)}
    for tile in plan(widths, everything, memory, KeptSums(folds, folds)):
        assert len(tile.layers) <= 2 or products(tile, width, folds) <= memory


@pytest.mark.parametrize("folds", [1, 5])
def test_wider_layers_make_more_tiles_and_narrow_ones_share_theirs(folds):
    narrow = {f"layer {number}": 64 for number in range(12)}
    sums = KeptSums(folds, folds)
    (whole,) = plan(narrow, everything, 1e12, sums)
    memory = size(whole, narrow, sums)
    assert len(plan(narrow, everything, memory, sums)) == 1
    assert len(plan(narrow, everything, memory - 1, sums)) > 1
    wide = narrow | {"layer 11": 800}
    tiles = plan(wide, everything, memory, sums)
    for tile in tiles:
        assert len(tile.layers) <= 2 or size(tile, wide, sums) <= memory
    assert len(tiles) > 1


def test_the_layers_of_the_study_fit_into_four_gigabytes_a_tile():
    """Two models of 13 layers × 768 and two of 24 × 1024."""
    widths = {
        f"{style} {number}": width
        for style, count, width in (("base", 26, 768), ("large", 48, 1024))
        for number in range(count)
    }
    sums = KeptSums(5, 5)
    tiles = plan(widths, everything, 4e9, sums)
    assert sum(len(tile.pairs) for tile in tiles) == 74 * 75 / 2
    for tile in tiles:
        assert size(tile, widths, sums) <= 4e9
    assert max(len(tile.layers) for tile in tiles) >= 10


@given(st.integers(2, 12), st.integers(1, 400), st.floats(min_value=0, max_value=3e7))
def test_kernels_of_sampled_frames_count_too(count, sampled, memory):
    layers = [f"layer {number}" for number in range(count)]
    widths, sums = dict.fromkeys(layers, 8), KeptSums(1, 1, sampled=sampled, kernels=1)
    for tile in plan(widths, everything, memory, sums):
        kept = FLOAT64 * sampled**2 * len(tile.layers)
        assert size(tile, widths, sums) >= size(tile, widths, KeptSums(1, 1)) + kept
        assert len(tile.layers) <= 2 or kept <= memory


@given(st.integers(2, 14), st.integers(1, 60), st.floats(min_value=1e4, max_value=1e6))
def test_layers_that_a_later_tile_needs_stay_in_memory_where_there_is_room(count, width, memory):
    widths = {f"layer {number}": width for number in range(count)}
    sums = KeptSums(4, 2)
    tiles = plan(widths, everything, memory, sums)
    own = sums.layer(width)
    there = set()
    for number, tile in enumerate(tiles):
        later = {name for each in tiles[number + 1 :] for name in each.layers}
        waiting = (there - {*tile.layers}) & later
        room = memory - size(replace(tile, kept=()), widths, sums)
        assert set(tile.kept) <= waiting
        assert len(tile.kept) == min(len(waiting), max(int(room / own), 0))
        there = {*tile.layers, *tile.kept}
    computed = [name for new in new_layers(tiles) for name in new]
    assert set(computed) == set(widths)


def test_layers_are_computed_once_if_all_stay():
    widths = {f"layer {number}": 64 for number in range(12)}
    sums = KeptSums(20, 5)
    memory = 12 * sums.layer(64) + 30e6
    tiles = plan(widths, everything, memory, sums)
    assert len(tiles) > 1
    assert sum(map(len, new_layers(tiles))) == len(widths)


def test_a_strip_of_rows_meets_all_columns_before_the_next():
    widths = {f"layer {number}": 64 for number in range(26)}
    sums = KeptSums(5, 5)
    memory = size(plan(widths, everything, 1e12, sums)[0], widths, sums)
    tiles = plan(widths, everything, memory / 8, sums)
    known, computed = set(), 0
    for tile in tiles:
        computed += len(set(tile.layers) - known)
        known = set(tile.layers)
    assert computed < sum(len(tile.layers) for tile in tiles) / 2


def test_without_memory_a_tile_has_one_pair_and_its_new_layers_with_themselves():
    tiles = plan(dict.fromkeys("abc", 4), everything, 0, KeptSums(1, 1))
    assert tiles == [
        Tile(("a",), (("a", "a"),)),
        Tile(("a", "b"), (("b", "b"), ("a", "b"))),
        Tile(("a", "c"), (("c", "c"), ("a", "c"))),
        Tile(("b", "c"), (("b", "c"),)),
    ]


@given(names, memories, st.data())
def test_a_layer_meets_itself_in_its_first_tile(names, memory, data):
    wanted = {pair for pair in pairs_of(names) if data.draw(st.booleans(), label=f"wanted {pair}")}
    widths = dict.fromkeys(names, 300)
    tiles = plan(widths, lambda a, b: (a, b) in wanted, memory, KeptSums(4, 2, lean=True))
    for name in names:
        if (name, name) in wanted:
            first = next(tile for tile in tiles if name in tile.layers)
            assert (name, name) in first.pairs


def test_with_memory_to_spare_one_tile_holds_all():
    tiles = plan(dict.fromkeys("abc", 4), everything, 1e9, KeptSums(5, 5))
    (tile,) = tiles
    assert tile.layers == ("a", "b", "c")
    assert sorted(tile.pairs) == pairs_of("abc")


def test_more_memory_never_makes_more_tiles():
    widths = {f"layer {number}": 64 for number in range(26)}
    counts = [len(plan(widths, everything, 10.0**e, KeptSums(5, 5))) for e in range(4, 11)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == 26 * 25 / 2 + 1
    assert counts[-1] == 1


def test_what_nobody_wants_makes_no_tile():
    assert plan({"a": 4, "b": 4}, lambda a, b: False, 1e9, KeptSums(1, 1)) == []


@given(st.lists(st.integers(1, 1500), min_size=1, max_size=7))
def test_stacks_hold_every_pair_both_ways_once_and_few_neurons(sizes):
    widths = {f"layer {number}": size for number, size in enumerate(sizes)}
    pairs = list(combinations_with_replacement(widths, 2))
    found = [(row, column) for rows, column in stacks(pairs, widths) for row in rows]
    assert sorted(found) == sorted({*pairs, *((b, a) for a, b in pairs)})
    for rows, _ in stacks(pairs, widths):
        assert len(rows) == 1 or sum(widths[row] for row in rows) <= 2048
