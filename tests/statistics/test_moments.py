"""Moments: sums that do not depend on how the frames are split."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from assonance.statistics import Moments
from assonance.utils.memory import Scratch

WIDTHS = {"a": 3, "b": 5}
PAIRS = [("b", "a")]
FRAMES = 60


def make_frames(frames=FRAMES, offset=3.0, dtype=torch.float64):
    draw = torch.Generator().manual_seed(0)
    return {
        name: (torch.randn(frames, width, generator=draw, dtype=torch.float64) + offset).to(dtype)
        for name, width in WIDTHS.items()
    }


def empty(shift=2.0, pairs=PAIRS):
    return Moments({name: torch.full((width,), shift) for name, width in WIDTHS.items()}, pairs)


def moments_of(frames, shift=2.0):
    moments = empty(shift)
    moments.update(frames)
    return moments


def rows(frames, start, stop):
    return {name: values[start:stop] for name, values in frames.items()}


def assert_equal_to_rounding(found, expected):
    assert found.n == expected.n
    for sums in ("sums", "_products"):
        assert getattr(found, sums).keys() == getattr(expected, sums).keys()
        for key, values in getattr(expected, sums).items():
            scale = values.abs().max()
            torch.testing.assert_close(
                getattr(found, sums)[key], values, rtol=0, atol=1e-10 * float(scale)
            )


def assert_identical(found, expected):
    assert found.n == expected.n
    for name, values in expected.sums.items():
        assert torch.equal(found.sums[name], values)
    for pair in expected.pairs:
        assert torch.equal(found.product(*pair), expected.product(*pair))


def test_moments_are_sums_about_the_shift():
    frames = make_frames()
    moments = moments_of(frames)
    a, b = (values.numpy() - 2 for values in frames.values())
    assert moments.n == FRAMES
    np.testing.assert_allclose(moments.sums["a"], a.sum(0), rtol=1e-12)
    np.testing.assert_allclose(moments.product("a", "b"), a.T @ b, rtol=1e-12)
    np.testing.assert_allclose(moments.product("b", "a"), b.T @ a, rtol=1e-12)
    np.testing.assert_allclose(moments.product("a", "a"), a.T @ a, rtol=1e-12)


def test_each_given_pair_is_kept_once_and_each_layer_with_itself():
    shift = {name: torch.zeros(2) for name in "xyz"}
    asked = Moments(shift, [("z", "x"), ("x", "z"), ("y", "y")])
    assert set(asked._products) == {("x", "x"), ("y", "y"), ("z", "z"), ("x", "z")}
    with pytest.raises(KeyError):
        asked.product("x", "y")


@given(st.lists(st.integers(0, FRAMES), max_size=6), st.randoms(use_true_random=False))
def test_any_split_and_any_order_of_merging_agree_with_one_shot(cuts, random):
    frames = make_frames()
    edges = [0, *sorted(cuts), FRAMES]
    parts = [moments_of(rows(frames, *pair)) for pair in itertools.pairwise(edges)]
    while len(parts) > 1:
        random.shuffle(parts)
        parts.append(parts.pop().merge(parts.pop()))
    assert_equal_to_rounding(parts[0], moments_of(frames))


@given(st.lists(st.integers(0, FRAMES), max_size=6))
def test_any_split_into_updates_agrees_with_one_shot(cuts):
    frames = make_frames()
    moments = empty()
    for start, stop in itertools.pairwise([0, *sorted(cuts), FRAMES]):
        moments.update(rows(frames, start, stop))
    assert_equal_to_rounding(moments, moments_of(frames))


def test_merging_is_commutative_and_associative():
    frames = make_frames()
    one, two, three = (moments_of(rows(frames, start, start + 20)) for start in (0, 20, 40))
    assert_identical(one.merge(two), two.merge(one))
    assert_equal_to_rounding(one.merge(two).merge(three), one.merge(two.merge(three)))


def test_merging_with_nothing_changes_nothing():
    moments = moments_of(make_frames())
    assert_identical(moments.merge(empty()), moments)
    assert_identical(empty().merge(moments), moments)


def test_merging_changes_neither_operand():
    frames = make_frames()
    one, two = moments_of(rows(frames, 0, 20)), moments_of(rows(frames, 20, 60))
    merged = one.merge(two)
    merged.update(frames)
    assert_identical(one, moments_of(rows(frames, 0, 20)))
    assert_identical(two, moments_of(rows(frames, 20, 60)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_update_never_changes_its_input(dtype):
    frames = make_frames(dtype=dtype)
    copies = {name: values.clone() for name, values in frames.items()}
    moments = moments_of(frames)
    moments.update(frames)
    for name, values in frames.items():
        assert torch.equal(values, copies[name])


def test_float32_frames_are_summed_in_float64_except_products_of_two_layers(monkeypatch):
    monkeypatch.setattr("assonance.statistics.moments.SMALL", 0)
    frames = make_frames(dtype=torch.float32)
    found = moments_of(frames)
    exact = moments_of({name: values.double() for name, values in frames.items()})
    assert (found.float64_products, exact.float64_products) == (set(), set(WIDTHS))
    for name in WIDTHS:
        assert torch.equal(found.sums[name], exact.sums[name])
        assert torch.equal(found.product(name, name), exact.product(name, name))
    scale = torch.outer(*(exact.product(name, name).diagonal().sqrt() for name in WIDTHS))
    error = (found.product("a", "b") - exact.product("a", "b")).abs() / scale
    assert 0 < error.max() < 2e-7


@pytest.mark.parametrize("options", [{}, {"float64_products": ["a"]}, {"float64_products": ["b"]}])
def test_small_and_named_layers_are_multiplied_in_float64(options, monkeypatch):
    if options:
        monkeypatch.setattr("assonance.statistics.moments.SMALL", 0)
    frames = make_frames(dtype=torch.float32)
    shift = {name: torch.full((width,), 2.0) for name, width in WIDTHS.items()}
    found = Moments(shift, PAIRS, **options)
    found.update(frames)
    exact = moments_of({name: values.double() for name, values in frames.items()})
    assert torch.equal(found.product("a", "b"), exact.product("a", "b"))
    assert found.epsilon == torch.finfo(torch.float32).eps


def test_a_small_layer_is_multiplied_with_a_wide_one_in_float64(monkeypatch):
    monkeypatch.setattr("assonance.statistics.moments.SMALL", min(WIDTHS.values()))
    frames = make_frames(dtype=torch.float32)
    found = moments_of(frames).product("a", "b")
    expected = moments_of({name: x.double() for name, x in frames.items()}).product("a", "b")
    assert torch.equal(found, expected)


def test_several_utterances_can_be_added_at_once_by_several_threads():
    frames = make_frames(dtype=torch.float32)
    expected = moments_of(frames)
    found, scratch = empty(), Scratch()
    with ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for first, last in ((0, 30), (30, FRAMES)):
            parts = [rows(frames, first, first + 7), rows(frames, first + 7, last)]
            found.update(*parts, pool_map=pool.map, scratch=scratch)
    assert found.n == FRAMES
    for pair in expected.pairs:
        product = found.product(*pair).to(torch.float64)
        torch.testing.assert_close(product, expected.product(*pair), rtol=1e-6, atol=1e-4)


def test_products_of_a_layer_with_itself_are_symmetric_and_can_be_updated_after_reading():
    wide = {"a": torch.randn(50, 450, dtype=torch.float64), "b": torch.randn(50, 5)}
    moments = Moments({name: torch.zeros(x.shape[1]) for name, x in wide.items()}, [])
    for _ in range(2):
        moments.update(wide)
        product = moments.product("a", "a")
        assert torch.equal(product, product.T)
    torch.testing.assert_close(product, 2 * wide["a"].T @ wide["a"])


def scatter(moments):
    mean = moments.sums["a"] / moments.n
    return (moments.product("a", "a") - moments.n * torch.outer(mean, mean)).numpy()


def test_the_shift_keeps_the_precision_that_a_large_mean_would_cost():
    """Frames are rounded so that adding the offset, a power of two, loses no digit."""
    frames = {name: torch.round(x * 2**20) / 2**20 for name, x in make_frames(offset=0).items()}
    far = {name: values + 2.0**24 for name, values in frames.items()}
    truth = np.cov(frames["a"].numpy(), rowvar=False) * (FRAMES - 1)
    near = scatter(moments_of(far, shift=2.0**24 + 0.5))
    np.testing.assert_allclose(near, truth, rtol=0, atol=1e-12 * truth.max())
    unshifted = scatter(moments_of(far, shift=0.0))
    assert np.abs(unshifted - truth).max() > 1e-4 * truth.max()


def test_covariances_do_not_depend_on_the_shift():
    frames = make_frames()
    np.testing.assert_allclose(
        scatter(moments_of(frames, 2.0)), scatter(moments_of(frames, -1.0)), rtol=0, atol=1e-11
    )


@pytest.mark.parametrize(
    "other",
    [
        empty(shift=2.5),
        empty(pairs=[]),
        Moments({"a": torch.full((3,), 2.0)}, []),
        Moments({"a": torch.full((3,), 2.0), "c": torch.full((5,), 2.0)}, [("a", "c")]),
    ],
    ids=["shift", "pairs", "fewer layers", "other layers"],
)
def test_moments_of_different_layers_pairs_or_shifts_cannot_be_merged(other):
    for one, two in [(empty(), other), (other, empty())]:
        with pytest.raises(ValueError, match="different layers, pairs or shifts"):
            one.merge(two)


def test_layers_of_one_chunk_have_the_same_frames():
    frames = make_frames()
    frames["b"] = frames["b"][:-1]
    moments = empty()
    with pytest.raises(ValueError, match=r"\[59, 60\]"):
        moments.update(frames)
    assert_identical(moments, empty())
