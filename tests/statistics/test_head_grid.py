"""Maps on a coarser grid: queries averaged, keys summed, rows still sum to one."""

import numpy as np
import pytest
import torch
from material import make_maps

from assonance.statistics import on_grid


@pytest.mark.parametrize(("length", "frames"), [(12, 6), (12, 5), (50, 41), (7, 1), (3, 3)])
def test_rows_still_sum_to_one(length, frames):
    maps = torch.from_numpy(make_maps({"a": 3}, (length,))["a"][0])
    found = on_grid(maps, frames)
    assert found.shape == (3, frames, frames)
    np.testing.assert_allclose(found.sum(2), 1, rtol=1e-12)
    assert (found >= 0).all()


def test_queries_are_averaged_and_keys_summed():
    maps = make_maps({"a": 2}, (12,))["a"][0]
    expected = maps.reshape(2, 4, 3, 4, 3).sum(4).mean(2)
    np.testing.assert_allclose(on_grid(torch.from_numpy(maps), 4), expected, rtol=1e-12)


def test_a_frame_that_overlaps_two_cells_is_split_between_them():
    diagonal = torch.eye(3, dtype=torch.float64)[None]
    # Two cells of one and a half frames each: half of the middle frame is in either.
    expected = torch.tensor([[[1.25, 0.25], [0.25, 1.25]]], dtype=torch.float64) / 1.5
    torch.testing.assert_close(on_grid(diagonal, 2), expected)


def test_maps_with_as_many_frames_as_the_grid_are_returned_as_they_are():
    maps = torch.from_numpy(make_maps({"a": 2}, (9,))["a"][0])
    assert on_grid(maps, 9) is maps


def test_even_attention_stays_even():
    found = on_grid(torch.full((1, 11, 11), 1 / 11, dtype=torch.float64), 4)
    np.testing.assert_allclose(found, 1 / 4, rtol=1e-12)
