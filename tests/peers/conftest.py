"""Layers and maps that assonance and its peers score alike."""

import numpy as np
import pytest
from material import make_groups, make_layers, make_maps

FRAMES = 120


@pytest.fixture(scope="module", params=[0.0, 50.0], ids=["plain", "large means"])
def layers(request):
    return make_layers({"x": 9, "y": 7, "z": 12}, frames=FRAMES, mean=request.param)


@pytest.fixture(scope="module")
def groups():
    return np.asarray(make_groups(FRAMES))


@pytest.fixture(scope="module")
def maps():
    return make_maps({"a": 2, "b": 3})
