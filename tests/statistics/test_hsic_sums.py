"""Sums over utterances: against estimates index by index, and invariances."""

import itertools

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from material import make_groups, make_layers

from assonance.statistics import BlockPair, Hsic, HsicBlockSums, weighted_blocks

WIDTHS = {"a": 5, "b": 8, "c": 3}
PAIRS = list(itertools.combinations_with_replacement(WIDTHS, 2))


def scatter(x, y):
    x, y = (np.asarray(each, dtype=np.float64) for each in (x, y))
    return torch.from_numpy((x - x.mean(0)).T @ (y - y.mean(0)))


def means(layers):
    return {
        name: torch.from_numpy(values).to(torch.float64).mean(0) for name, values in layers.items()
    }


def sums_of(layers, groups, *, shift=None, order=None, pairs=PAIRS, **options):
    sums = HsicBlockSums(shift or means(layers), pairs, **options)
    for group in np.unique(groups) if order is None else order:
        sums.update(
            {name: torch.from_numpy(values[groups == group]) for name, values in layers.items()}
        )
    return sums


def pair_of(sums, layers, a="a", b="b"):
    x, y = layers[a], layers[b]
    return sums.pair(a, b, scatter(x, y), scatter(x, x), scatter(y, y))


def pairs_of(sums, layers):
    return {(a, b): pair_of(sums, layers, a, b) for a in layers for b in layers}


def kernels(layers, *names):
    return [oracles.centred(layers[name]) @ oracles.centred(layers[name]).T for name in names]


def assert_close(found, expected, tolerance=1e-9):
    """Compare HSIC, relative to that of each layer with itself."""
    scale = np.sqrt(abs(expected.xx * expected.yy))
    assert found.xy == pytest.approx(expected.xy, rel=0, abs=tolerance * scale)
    assert found.xx == pytest.approx(expected.xx, rel=tolerance)
    assert found.yy == pytest.approx(expected.yy, rel=tolerance)


def assert_equal_to_rounding(found, expected, layers):
    assert found.n == expected.n
    found, expected = pairs_of(found, layers), pairs_of(expected, layers)
    for pair, of_pair in expected.items():
        assert_close(found[pair].frames, of_pair.frames, 1e-10)
        assert_close(found[pair].utterances, of_pair.utterances, 1e-10)


def expected_hsic(estimate, layers, a, b, groups=None):
    k, el = kernels(layers, a, b)
    return Hsic(estimate(k, el, groups), estimate(k, k, groups), estimate(el, el, groups))


# Definitions

LENGTHS = {
    "equal": [3, 3, 3, 3],
    "unequal": [1, 4, 2, 1, 5],
    "single frames": [1] * 9,
    "one long": [1, 1, 8, 1],
    "not in turn": None,
}


def groups_of(lengths):
    if lengths is None:
        return np.array([0, 1, 2, 0, 3, 1, 0, 2, 4, 0, 0])
    return np.repeat(np.arange(len(lengths)), lengths)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_estimates_are_the_means_over_all_quadruples(lengths):
    groups = groups_of(lengths)
    layers = make_layers(WIDTHS, frames=len(groups), mean=2)
    sums = sums_of(layers, groups)
    for a, b in itertools.product(WIDTHS, repeat=2):
        found = pair_of(sums, layers, a, b)
        estimate = oracles.hsic_of_all_quadruples
        assert_close(found.utterances, expected_hsic(estimate, layers, a, b, groups))
        frames = np.arange(len(groups))
        assert_close(found.frames, expected_hsic(estimate, layers, a, b, frames))


@pytest.mark.parametrize("offset", [0.0, 1e3])
@pytest.mark.parametrize("groups", [make_groups(230, 12), np.arange(230) % 7])
def test_estimates_agree_with_gram_matrices_of_all_frames(groups, offset):
    layers = make_layers(WIDTHS, frames=len(groups), seed=1, mean=offset)
    sums = sums_of(layers, groups)
    for a, b in itertools.product(WIDTHS, repeat=2):
        found = pair_of(sums, layers, a, b)
        distinct = expected_hsic(oracles.hsic_distinct, layers, a, b, groups)
        assert_close(found.utterances, distinct)
        assert_close(found.frames, expected_hsic(oracles.hsic_song, layers, a, b))


def test_utterances_of_one_frame_give_the_estimator_of_song():
    layers = make_layers(WIDTHS, frames=60)
    found = pair_of(sums_of(layers, np.arange(60)), layers)
    assert_close(found.utterances, found.frames, 1e-12)
    assert_close(found.utterances, expected_hsic(oracles.hsic_song, layers, "a", "b"))


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_the_number_of_rows_computed_at_once_does_not_matter(monkeypatch, rows):
    layers, groups = make_layers(WIDTHS, frames=200), make_groups(200, 6)
    expected = sums_of(layers, groups)
    monkeypatch.setattr("assonance.statistics.hsic_sums.ROWS_AT_ONCE", rows)
    assert_equal_to_rounding(sums_of(layers, groups), expected, layers)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_bit_of_a_pair_depends_on_other_layers(dtype):
    widths = {name: 40 + number for number, name in enumerate("abcdefghi")}
    layers = make_layers(widths, frames=700, mean=3)
    layers = {name: values.astype(dtype) for name, values in layers.items()}
    groups = make_groups(700, 5)
    every = itertools.combinations(widths, 2)
    among = pair_of(sums_of(layers, groups, pairs=every), layers, "c", "h")
    alone = {name: layers[name] for name in "ch"}
    assert among == pair_of(sums_of(alone, groups, pairs=[("c", "h")]), alone, "c", "h")


def test_a_pair_not_given_at_construction_is_an_error():
    layers = make_layers(WIDTHS, frames=20)
    sums = sums_of(layers, np.arange(20), pairs=[("c", "a")])
    assert np.isfinite(pair_of(sums, layers, "a", "c").utterances.xy)
    with pytest.raises(KeyError):
        pair_of(sums, layers, "a", "b")


# Invariances


@given(st.integers(0, 5), st.randoms(use_true_random=False))
def test_any_split_and_any_order_of_utterances_agree(seed, random):
    layers, groups = make_layers(WIDTHS, frames=60, seed=seed), make_groups(60, 9, seed)
    order = list(range(9))
    random.shuffle(order)
    cuts = sorted(random.choices(range(10), k=2))
    parts = [
        sums_of(layers, groups, shift=means(layers), order=order[start:stop])
        for start, stop in itertools.pairwise([0, *cuts, 9])
    ]
    while len(parts) > 1:
        random.shuffle(parts)
        parts.append(weighted_blocks([parts.pop(), parts.pop()], [1, 1]))
    assert_equal_to_rounding(parts[0], sums_of(layers, groups), layers)


def test_merging_changes_neither_operand():
    layers, groups = make_layers(WIDTHS, frames=60), make_groups(60, 9)
    one, two = (sums_of(layers, groups, order=order) for order in (range(4), range(4, 9)))
    before = [pairs_of(each, layers) for each in (one, two)]
    both = weighted_blocks([one, two], [1, 1])
    both.update({name: torch.from_numpy(values) for name, values in layers.items()})
    for each, known in zip((one, two), before, strict=True):
        each._own.clear()
        assert repr(pairs_of(each, layers)) == repr(known)


@pytest.mark.parametrize("lengths", [[3, 3, 3, 3, 3, 3], [1, 4, 2, 1, 5, 3]])
def test_an_utterance_of_weight_two_is_one_utterance_with_each_frame_twice(lengths):
    weights = [2, 0, 1, 1, 3, 1]
    groups = groups_of(lengths)
    layers = make_layers(WIDTHS, frames=len(groups), mean=2)
    parts = [sums_of(layers, groups, shift=means(layers), order=[group]) for group in range(6)]
    sums = weighted_blocks(parts, weights)
    rows = np.repeat(np.arange(len(groups)), np.array(weights)[groups])
    repeated = {name: values[rows] for name, values in layers.items()}
    for a, b in itertools.product(WIDTHS, repeat=2):
        # About the mean of all frames, not of the drawn frames.
        x, y = (repeated[name] - layers[name].mean(0) for name in (a, b))
        k, el = x @ x.T, y @ y.T
        estimate = oracles.hsic_of_all_quadruples
        expected = Hsic(*(estimate(*both, groups[rows]) for both in ((k, el), (k, k), (el, el))))
        found = pair_of(sums, repeated, a, b)
        assert_close(found.utterances, expected)
        assert np.isnan([found.frames.xy, found.frames.xx, found.frames.yy]).all()


def test_groups_of_weight_one_give_the_sums_of_all_utterances():
    layers, groups = make_layers(WIDTHS, frames=60), make_groups(60, 9)
    order = [range(3), range(3, 9)]
    parts = [sums_of(layers, groups, shift=means(layers), order=each) for each in order]
    assert_equal_to_rounding(weighted_blocks(parts, [1, 1]), sums_of(layers, groups), layers)


def test_an_update_after_reading_a_pair_counts():
    layers, groups = make_layers(WIDTHS, frames=60), make_groups(60, 9)
    sums = sums_of(layers, groups, order=range(8))
    pairs_of(sums, layers)
    last = {name: torch.from_numpy(values[groups == 8]) for name, values in layers.items()}
    sums.update(last)
    assert_equal_to_rounding(sums, sums_of(layers, groups), layers)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_update_never_changes_its_input(dtype):
    layers = make_layers(WIDTHS, frames=20)
    frames = {name: torch.from_numpy(values).to(dtype) for name, values in layers.items()}
    copies = {name: values.clone() for name, values in frames.items()}
    HsicBlockSums(means(layers), PAIRS).update(frames)
    for name, values in frames.items():
        assert torch.equal(values, copies[name])


@pytest.mark.parametrize("offset", [0.0, 1e3, 2.0**20])
def test_the_mean_of_the_frames_does_not_matter(offset):
    """Frames are rounded so that adding the offset, a power of two, loses no digit."""
    layers, groups = make_layers(WIDTHS, frames=200), make_groups(200, 9)
    layers = {name: np.round(values * 2**20) / 2**20 for name, values in layers.items()}
    far = {name: values + offset for name, values in layers.items()}
    found, expected = (pair_of(sums_of(each, groups), each) for each in (far, layers))
    assert_close(found.utterances, expected.utterances)
    assert_close(found.frames, expected.frames)


@pytest.mark.parametrize("shift", [0.3, -2.0])
def test_the_shift_does_not_matter_for_distinct_frames_or_for_equally_long_utterances(shift):
    layers = make_layers(WIDTHS, frames=120)
    equal, unequal = np.arange(120) // 10, make_groups(120, 12)
    pilot = {name: mean + shift for name, mean in means(layers).items()}
    for groups in (equal, unequal):
        found = pair_of(sums_of(layers, groups, shift=pilot), layers)
        expected = pair_of(sums_of(layers, groups), layers)
        assert_close(found.frames, expected.frames)
        if groups is equal:
            assert_close(found.utterances, expected.utterances)
        else:
            assert abs(found.utterances.xy / expected.utterances.xy - 1) > 1e-6


def test_swapping_exchanges_rows_and_columns():
    layers, groups = make_layers(WIDTHS, frames=60), make_groups(60, 9)
    sums = sums_of(layers, groups)
    there, back = pair_of(sums, layers, "a", "b"), pair_of(sums, layers, "b", "a")
    assert_close(there.swapped().utterances, back.utterances, 1e-13)
    assert_close(there.swapped().frames, back.frames, 1e-13)
    only = BlockPair(there.frames).swapped()
    assert only.utterances is None


# Precision


@pytest.mark.parametrize("mean", [0.0, 1e3])
def test_float32_frames_cost_less_than_a_millionth(mean):
    rng = np.random.default_rng(0)
    groups = make_groups(1500, 10)
    shared = rng.standard_normal((1500, 20))
    layers = {
        name: (shared @ rng.standard_normal((20, 64)) + 3 * rng.standard_normal((1500, 64)) + mean)
        for name in "abc"
    }
    layers = {name: values.astype(np.float32) for name, values in layers.items()}
    exact = {name: values.astype(np.float64) for name, values in layers.items()}
    found, expected = sums_of(layers, groups), sums_of(exact, groups)
    for a, b in PAIRS:
        one, other = pair_of(found, layers, a, b), pair_of(expected, exact, a, b)
        for level in ("frames", "utterances"):
            here, there = getattr(one, level).alignment, getattr(other, level).alignment
            assert here == pytest.approx(there, abs=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.int16])
def test_other_dtypes_are_converted_to_float32(dtype):
    layers, groups = make_layers(WIDTHS, frames=60, mean=3), make_groups(60, 9)
    layers = {
        name: np.clip(20 * values, -3e4, 3e4).astype(dtype) for name, values in layers.items()
    }
    plain = {name: values.astype(np.float32) for name, values in layers.items()}
    assert_equal_to_rounding(sums_of(layers, groups), sums_of(plain, groups), plain)


def test_one_layer_in_float64_is_not_rounded_for_another_in_float32():
    layers, groups = make_layers(WIDTHS, frames=60), make_groups(60, 9)
    layers["b"] = layers["b"].astype(np.float32)
    exact = {name: values.astype(np.float64) for name, values in layers.items()}
    assert_equal_to_rounding(sums_of(layers, groups), sums_of(exact, groups), exact)


# Too few frames, and errors


@pytest.mark.parametrize("count", [1, 2, 3])
def test_fewer_than_four_utterances_estimate_nothing(count):
    layers = make_layers(WIDTHS, frames=30)
    found = pair_of(sums_of(layers, np.arange(30) % count), layers)
    assert np.isnan([found.utterances.xy, found.utterances.xx, found.utterances.alignment]).all()
    assert np.isfinite(found.frames.alignment)


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_fewer_than_four_frames_estimate_nothing(frames):
    layers = make_layers(WIDTHS, frames=4)
    sums = sums_of(layers, np.arange(4), order=range(frames))
    assert sums.n == frames
    found = pair_of(sums, layers)
    assert np.isnan([found.frames.alignment, found.utterances.alignment]).all()


def test_an_utterance_without_frames_changes_nothing():
    layers, groups = make_layers(WIDTHS, frames=60), make_groups(60, 9)
    sums = sums_of(layers, groups)
    sums.update({name: torch.zeros(0, width) for name, width in WIDTHS.items()})
    assert_equal_to_rounding(sums, sums_of(layers, groups), layers)


def test_sums_not_kept_by_utterance_accept_any_chunk():
    layers = make_layers(WIDTHS, frames=60)
    found = pair_of(sums_of(layers, np.arange(60) // 25, utterances=False), layers)
    assert found.utterances is None
    assert_close(found.frames, expected_hsic(oracles.hsic_song, layers, "a", "b"))


@pytest.mark.parametrize(
    "other",
    [
        HsicBlockSums({"a": torch.ones(3)}, []),
        HsicBlockSums({"a": torch.zeros(3), "b": torch.zeros(2)}, []),
        HsicBlockSums({"a": torch.zeros(3)}, [], utterances=False),
    ],
    ids=["shift", "layers", "utterances"],
)
def test_sums_of_different_layers_pairs_or_shifts_cannot_be_merged(other):
    one = HsicBlockSums({"a": torch.zeros(3)}, [])
    for this, that in [(one, other), (other, one)]:
        with pytest.raises(ValueError, match="different layers, pairs or shifts"):
            weighted_blocks([this, that], [1, 1])


def test_layers_of_one_utterance_have_the_same_frames():
    sums = HsicBlockSums({name: torch.zeros(width) for name, width in WIDTHS.items()}, PAIRS)
    frames = {name: torch.zeros(6, width) for name, width in WIDTHS.items()}
    frames["b"] = frames["b"][1:]
    with pytest.raises(ValueError, match=r"\[5, 6\]"):
        sums.update(frames)
    assert sums.n == 0
