"""Flat layers are split into models and layers, padded where a model lacks a layer."""

import numpy as np
import xarray as xr

from assonance.comparison.labelling import LayerLabels

LAYERS = {"m 0": ("m", "0"), "m 1": ("m", "1"), "n 1": ("n", "1")}
LABELS = LayerLabels(["m", "n", "without layers"], LAYERS)


def flat(values, *dims):
    return xr.Dataset({"cka": (dims, values, {"scale": "plain"})}, {"layer_row": list(LAYERS)})


def test_no_variables_but_all_coordinates_are_in_an_empty_dataset():
    assert not LABELS.empty
    assert LABELS.empty["model_row"].values.tolist() == ["m", "n", "without layers"]
    assert LABELS.empty["layer_col"].values.tolist() == ["0", "1"]
    assert LABELS.label(xr.Dataset()).identical(LABELS.empty)


def test_scores_of_two_layers_go_to_their_cells():
    values = np.arange(9.0).reshape(3, 3)
    found = LABELS.label(flat(values, "layer_row", "layer_col"))["cka"]
    assert found.dims == ("model_row", "layer_row", "model_col", "layer_col")
    assert found.attrs == {"scale": "plain"}
    for i, (row, at) in enumerate(LAYERS.values()):
        for j, (col, there) in enumerate(LAYERS.values()):
            cell = {"model_row": row, "layer_row": at, "model_col": col, "layer_col": there}
            assert found.sel(cell) == values[i, j]
    assert np.isnan(found).sum() == found.size - values.size


def test_inner_dimensions_follow_and_floats_become_the_type_asked_for():
    values = np.arange(6.0).reshape(3, 2)
    found = LABELS.label(flat(values, "layer_row", "neuron"), np.float32)["cka"]
    assert found.dims == ("model_row", "layer_row", "neuron")
    assert found.dtype == np.float32
    assert found.sel(model_row="n", layer_row="1").values.tolist() == [4, 5]


def test_integers_keep_their_type_and_are_padded_with_minus_one():
    values = np.arange(3, dtype=np.int32)
    found = LABELS.label(flat(values, "layer_row"), np.float32)["cka"]
    assert found.dtype == np.int32
    assert found.sel(model_row="n").values.tolist() == [-1, 2]
