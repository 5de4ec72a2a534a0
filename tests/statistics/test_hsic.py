"""Unbiased HSIC: counts of tuples, estimates against all quadruples, and alignment."""

import itertools

import numpy as np
import oracles
import pytest
from material import make_layers

from assonance.statistics import BlockPair, Hsic
from assonance.statistics.hsic import HsicSums, Powers


def powers_of(lengths):
    return Powers(*(sum(length**power for length in lengths) for power in range(1, 5)))


def sums_of(x, y, groups):
    """Sums as they are defined, block by block."""
    blocks = [(x[groups == group], y[groups == group]) for group in np.unique(groups)]
    s, t = (np.array([block[side].sum(0) for block in blocks]) for side in (0, 1))
    c = np.array([rows.T @ columns for rows, columns in blocks])
    return HsicSums(
        total=(c.sum(0) ** 2).sum(),
        within=(c**2).sum(),
        ends=s.sum(0) @ c.sum(0) @ t.sum(0),
        x_end=sum(s.sum(0) @ c_u @ t_u for c_u, t_u in zip(c, t, strict=True)),
        y_end=sum(s_u @ c_u @ t.sum(0) for s_u, c_u in zip(s, c, strict=True)),
        chain=sum(s_u @ c_u @ t_u for s_u, c_u, t_u in zip(s, c, t, strict=True)),
        mixed=(c.sum(0) * (s.T @ t)).sum(),
        between=((s.T @ t) ** 2).sum(),
        x_total=s.sum(0) @ s.sum(0),
        y_total=t.sum(0) @ t.sum(0),
        x_squares=(s**2).sum(),
        y_squares=(t**2).sum(),
        joint=s.sum(0) @ s.T @ t @ t.sum(0),
        x_weighted=(s @ s.sum(0)) @ (t**2).sum(1),
        y_weighted=(s**2).sum(1) @ (t @ t.sum(0)),
        squares=(s**2).sum(1) @ (t**2).sum(1),
    )


@pytest.mark.parametrize("lengths", [[1, 1, 1, 1], [2, 1, 3], [4, 1, 2, 3, 1], [5]])
def test_tuples_are_counted_over_frames_of_distinct_blocks(lengths):
    blocks = np.repeat(np.arange(len(lengths)), lengths)
    counts = tuple(
        sum(len(set(chosen)) == size for chosen in itertools.product(blocks, repeat=size))
        for size in (2, 3, 4)
    )
    assert powers_of(lengths).tuples() == counts


def test_power_sums_merge_and_scale_as_lengths_do():
    assert powers_of([2, 3]).merge(powers_of([1])) == powers_of([2, 3, 1])
    assert powers_of([2, 3]).repeated(4) == powers_of([8, 12])


@pytest.mark.parametrize("lengths", [[1] * 7, [2, 1, 3, 1, 2]])
def test_an_estimate_is_the_mean_over_all_quadruples(lengths):
    groups = np.repeat(np.arange(len(lengths)), lengths)
    layers = make_layers({"a": 3, "b": 4}, frames=len(groups), mean=1)
    found = sums_of(layers["a"], layers["b"], groups).hsic(powers_of(lengths).counts)
    k, el = (x @ x.T for x in layers.values())
    assert found == pytest.approx(oracles.hsic_of_all_quadruples(k, el, groups), rel=1e-9)


def test_three_blocks_estimate_nothing():
    x = make_layers({"a": 3}, frames=6)["a"]
    sums = sums_of(x, x, np.array([0, 0, 1, 1, 2, 2]))
    assert np.isnan(sums.hsic(powers_of([2, 2, 2]).counts))


def test_the_alignment_is_a_ratio_to_the_geometric_mean():
    assert Hsic(3.0, 4.0, 9.0).alignment == 0.5
    assert Hsic(3.0, 4.0, 9.0).swapped() == Hsic(3.0, 9.0, 4.0)


@pytest.mark.parametrize(("xx", "yy"), [(0.0, 1.0), (1.0, -1e-9), (float("nan"), 1.0)])
def test_the_alignment_is_undefined_unless_the_hsic_of_each_layer_with_itself_is_positive(xx, yy):
    assert np.isnan(Hsic(0.5, xx, yy).alignment)
    assert np.isnan(Hsic(0.5, xx, yy).swapped().alignment)


def test_negative_alignments_are_not_clipped():
    assert Hsic(-0.5, 4.0, 0.25).alignment == -0.5


def test_swapping_a_pair_swaps_both_estimates():
    pair = BlockPair(Hsic(1.0, 2.0, 3.0), Hsic(4.0, 5.0, 6.0))
    assert pair.swapped() == BlockPair(Hsic(1.0, 3.0, 2.0), Hsic(4.0, 6.0, 5.0))
    assert BlockPair(Hsic(1.0, 2.0, 3.0)).swapped().utterances is None
