"""Datasets of a pass, and how they are merged under public names."""

import xarray as xr

from assonance.scoring.pass_result import PassResult, named_beside


def dataset(**values):
    return xr.Dataset({name: ("layer_row", [value]) for name, value in values.items()})


def test_variables_of_one_measure_follow_each_other_by_their_endings():
    merged = named_beside({"": dataset(cka=1, linreg=2), "_match": dataset(linreg=3, cka=4)})
    assert list(merged) == ["cka", "cka_match", "linreg", "linreg_match"]
    assert [array.item() for array in merged.values()] == [1, 4, 2, 3]


def test_coordinates_and_attributes_are_kept():
    scores = dataset(cka=1).assign_coords(layer_row=["a"], offset=[1, 2])
    scores["cka"].attrs["long_name"] = "CKA"
    merged = named_beside({"_own": scores})
    assert merged["cka_own"].attrs == {"long_name": "CKA"}
    assert merged["offset"].values.tolist() == [1, 2]


def test_a_result_is_empty_unless_filled():
    result = PassResult(scores=dataset(cka=1))
    assert not result.singles
    assert not result.nulls
    assert not result.caveats
