"""Half precision: its names, and its rounding error."""

import numpy as np
import pytest
import torch

from assonance.errors import AssonanceError
from assonance.models.huggingface.precision import half_dtype, largest_rounding_error


def test_precisions_have_the_types_of_torch():
    assert half_dtype("float32") is None
    assert half_dtype("bfloat16") is torch.bfloat16
    assert half_dtype("float16") is torch.float16


def test_an_unknown_precision_is_refused_with_those_known():
    with pytest.raises(AssonanceError, match="'int8': choose from float32, bfloat16, float16"):
        half_dtype("int8")


def test_the_largest_error_is_relative_to_the_deviation_of_its_layer():
    full = {
        "a": np.array([[0, 0], [2, 2]], np.float32),
        "b": np.array([[0, 0], [200, 200]], np.float32),
    }
    half = {"a": full["a"] + np.float32(0.5), "b": full["b"] + np.float32(10)}
    layer, error = largest_rounding_error(half, full)
    assert layer == "a"
    assert error == pytest.approx(0.5)
