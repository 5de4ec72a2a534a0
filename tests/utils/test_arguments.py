"""What Python callers give is taken for what it means, or refused in one line."""

import numpy as np
import pandas
import pytest
import torch

from assonance.errors import AssonanceError
from assonance.utils.arguments import frames, group_numbers

IDS = np.array([7, 7, 2, 7, 5])
NUMBERS = [0, 0, 1, 0, 2]


@pytest.mark.parametrize(
    "groups",
    [
        IDS,
        pandas.Series(IDS, index=range(5, 10)),
        pandas.DataFrame({"id": IDS}),
        pandas.Categorical(IDS),
        pandas.array(IDS, dtype="Int64"),
        torch.from_numpy(IDS).to(torch.bfloat16),
        ["g", "g", b"b", "g", ("e", 5)],
        [7, 7.0, torch.tensor(2), np.array([7]), np.int8(5)],
    ],
    ids=lambda groups: type(groups).__name__,
)
def test_groups_are_numbered_in_the_order_of_their_first_frames(groups):
    numbers, names = group_numbers(groups, 5)
    assert numbers.tolist() == NUMBERS
    assert len(names) == max(NUMBERS) + 1


@pytest.mark.parametrize(
    "nothing",
    [None, float("nan"), np.nan, torch.tensor(torch.nan), pandas.NA, pandas.NaT, np.ma.masked],
    ids=repr,
)
def test_a_missing_name_is_no_name(nothing):
    with pytest.raises(AssonanceError, match="groups= has 2 entries that are missing"):
        group_numbers(["a", nothing, "b", nothing], 4)


def test_tensors_of_half_precision_hold_numbers():
    values = torch.tensor([[0.5, 1.0], [2.0, -3.0]], dtype=torch.bfloat16)
    assert torch.equal(frames("a", values), values.float())


@pytest.mark.skipif(
    np.finfo(np.longdouble).max <= np.finfo(np.float64).max, reason="long doubles are doubles"
)
def test_numbers_that_are_infinite_once_converted_are_refused():
    values = np.full((2, 3), np.finfo(np.longdouble).max)
    assert np.isfinite(values).all()
    with pytest.raises(AssonanceError, match=r"layer 'a' has .* values that are NaN or infinite"):
        frames("a", values)
