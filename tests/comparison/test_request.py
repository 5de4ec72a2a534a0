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


def test_what_to_do_with_bad_speech_is_one_of_two_words():
    with pytest.raises(AssonanceError, match="on_error must be one of skip, stop; got 'ignore'"):
        Request(on_error="ignore")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((None, "speech", ["cka"]), "models must be names, paths or models to run; got NoneType"),
        ((["mel", None], "speech", ["cka"]), "models must be names, .*got NoneType"),
        ((["mel"], None, ["cka"]), "the corpus must be a name or path; got NoneType"),
        ((["mel"], ["a.wav"], ["cka"]), "the corpus must be a name or path; got list"),
        ((["mel"], "speech", "cka"), r"measures must be a list of names, such as \['cka'\]"),
        ((["mel"], "speech", [None]), "measures must be names, such as 'cka'; got None"),
    ],
)
def test_what_python_callers_mistake_is_answered_in_one_line(given, words):
    with pytest.raises(AssonanceError, match=words) as caught:
        compare(*given)
    assert "\n" not in str(caught.value)
