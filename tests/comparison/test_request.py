"""A request holds the options of a comparison, with the defaults of `compare`."""

from inspect import signature

import pytest

from assonance import AssonanceError, compare
from assonance.activations.shared_rows import Pooling
from assonance.comparison.request import Request
from assonance.models.loading import Loading, as_kinds
from assonance.settings import find_settings


def test_defaults_are_those_of_compare():
    default = {name: each.default for name, each in signature(compare).parameters.items()}
    request = Request()
    assert request.settings == find_settings(default["settings"])
    assert request.pooling == Pooling(default["pool"], default["pool_by"])
    assert request.loading == Loading(
        as_kinds(default["record"]), default["precision"], default["device"], default["offline"]
    )
    for name in ("twins", "memory", "on_error", "uncertainty"):
        assert getattr(request, name) == default[name]


def test_a_measure_asked_for_twice_is_found_once():
    found = Request(measures=("cka", "maxcorr", "cka")).find_measures()
    assert [each.name for each in found] == ["cka", "maxcorr"]


def test_an_unknown_measure_is_refused():
    with pytest.raises(AssonanceError, match="'nothing' is unknown"):
        Request(measures=("nothing",)).find_measures()
