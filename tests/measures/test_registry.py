"""A measure is registered with what it declares, and found by name and level."""

import pytest

from assonance.errors import AssonanceError
from assonance.measures import MEASURES, find
from assonance.measures.registry import measure
from assonance.settings import SETTINGS


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr("assonance.measures.registry.MEASURES", {})

    @measure(
        title="Made up",
        level="layer",
        needs="folds",
        symmetric=True,
        range=(-1.0, 1.0),
        source="nobody",
        invariances=["scale", "scale"],
        smooth=False,
    )
    def made_up(pair, settings):
        """Compute the made-up score.

        More.
        """
        return 0.5

    from assonance.measures import registry

    return registry.MEASURES["made_up"]


def test_a_measure_carries_its_declaration(registered):
    assert (registered.name, registered.title, registered.level) == ("made_up", "Made up", "layer")
    assert registered.invariances == {"scale"}
    assert registered.function(None, None) == 0.5
    assert (registered.across, registered.rowwise, registered.least_groups) == (None, False, 1)


def test_its_summary_is_the_first_sentence_as_a_noun_phrase(registered):
    assert registered.summary == "Made-up score"


def test_a_kink_leaves_no_interval_and_held_out_scores_keep_the_plain_scale(registered):
    assert not registered.interval
    assert not registered.replicated(SETTINGS["default"])
    assert registered.scale == "plain"
    assert MEASURES["linreg"].scale == "artanh"


def test_measures_are_found_in_the_order_of_their_names():
    assert [each.name for each in find(["cka", "linreg"], ("neuron", "layer"))] == ["cka", "linreg"]


@pytest.mark.parametrize(
    ("name", "message"), [("bogus", "is unknown"), ("attn_js", "cannot be used here")]
)
def test_other_names_are_refused_with_what_can_be_used(name, message):
    with pytest.raises(AssonanceError, match=f"'{name}' {message}; choose from: .*cka"):
        find([name], ("layer",))
