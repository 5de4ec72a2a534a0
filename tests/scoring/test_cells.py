"""Results of a tile go to their places, and nowhere else."""

import numpy as np

from assonance.scoring.cells import Cells

HERE = {"c": 0, "a": 1}
THERE = {"a": 0, "b": 1, "c": 2}
CELLS = Cells([("a", "c"), ("c", "c")], ["c"], HERE, THERE)


def test_both_directions_of_each_pair_are_copied():
    here = np.array([[[1, 1], [2, 2]], [[3, 3], [4, 4]]])
    there = np.zeros((3, 3, 2), dtype=int)
    CELLS.copy(here, there)
    expected = np.zeros((3, 3), dtype=int)
    expected[2, 2], expected[2, 0], expected[0, 2] = 1, 2, 3
    np.testing.assert_array_equal(there, expected[..., None].repeat(2, -1))


def test_layers_are_described_once():
    there = np.zeros(3)
    CELLS.copy_first(np.array([5.0, 6.0]), there)
    assert there.tolist() == [0, 0, 5]
    Cells([("a", "c")], [], HERE, THERE).copy_first(np.array([7.0, 8.0]), there)
    assert there.tolist() == [0, 0, 5]


def test_the_lower_value_stays():
    there = np.array([[1.0], [0.0], [np.inf]])
    CELLS.lower(np.array([[2.0], [np.nan]]), there)
    assert there.tolist() == [[1.0], [0.0], [2.0]]
