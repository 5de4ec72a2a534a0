"""The roles of models decide which pairs of layers get scores, intervals and nulls."""

import pytest

from assonance.comparison.layer_pairs import LayerPairs
from assonance.models.roster import RosterEntry

ROSTER = {
    "a": RosterEntry(None),
    "b": RosterEntry(None),
    "c": RosterEntry(None),
    "twin of a": RosterEntry(None, twin_of=("a",)),
    "twin of b and c": RosterEntry(None, twin_of=("b", "c")),
    "log-mel": RosterEntry(None, baseline=True),
}
MODELS = {f"{model} {layer}": model for model in ROSTER for layer in (0, 1)}
PAIRS = LayerPairs(ROSTER, MODELS)


@pytest.mark.parametrize(
    ("a", "b", "scored"),
    [
        ("a 0", "a 1", True),
        ("a 0", "twin of a 0", True),
        ("log-mel 0", "b 1", True),
        ("twin of a 0", "twin of a 1", False),
        ("twin of a 0", "twin of b and c 0", False),
        ("twin of a 0", "log-mel 0", False),
    ],
)
def test_two_controls_are_never_compared(a, b, scored):
    assert PAIRS.is_scored(a, b) is PAIRS.is_scored(b, a) is scored


@pytest.mark.parametrize(
    ("a", "b", "interval"),
    [
        ("a 0", "b 0", True),
        ("a 0", "a 1", True),
        ("a 0", "twin of a 1", False),
        ("b 0", "twin of a 1", True),
        ("b 0", "twin of b and c 1", True),
        ("a 0", "log-mel 0", True),
    ],
)
def test_a_model_has_no_interval_against_a_random_twin_of_it_alone(a, b, interval):
    assert PAIRS.gets_interval(a, b) is PAIRS.gets_interval(b, a) is interval


@pytest.mark.parametrize(
    ("a", "b", "null"),
    [
        ("a 0", "b 1", True),
        ("a 0", "a 1", False),
        ("a 0", "twin of b and c 0", False),
        ("a 0", "log-mel 0", False),
    ],
)
def test_two_different_trained_models_have_a_null(a, b, null):
    assert PAIRS.gets_null(a, b) is PAIRS.gets_null(b, a) is null


@pytest.mark.parametrize(
    ("row", "col", "other"),
    [
        ("a 0", "b 1", True),
        ("a 0", "a 1", False),
        ("a 0", "twin of b and c 0", False),
        ("a 0", "log-mel 0", False),
        ("twin of a 0", "a 0", False),
        ("twin of b and c 0", "b 0", False),
        ("twin of b and c 0", "c 0", True),
        ("log-mel 0", "a 0", True),
    ],
)
def test_consensus_counts_trained_models_other_than_the_one_a_twin_stands_for(row, col, other):
    assert PAIRS.is_other(row, col) is other


def test_twins_are_compared_at_their_first_middle_and_last_layer():
    models = {f"{model} {layer}": model for model in ROSTER for layer in range(13)}
    few = LayerPairs(ROSTER, models, 3)
    met = [layer for layer in range(13) if few.is_scored("b 5", f"twin of a {layer}")]
    assert met == [0, 6, 12]
    assert all(few.is_scored("a 5", f"b {layer}") for layer in range(13))
    assert not few.is_scored("twin of a 1", "a 0")


def test_twins_of_few_layers_are_compared_at_all():
    few = LayerPairs(ROSTER, MODELS, 3)
    assert few.is_scored("a 0", "twin of a 0")
    assert few.is_scored("a 0", "twin of a 1")


def test_nulls_are_computed_at_three_depths_of_each_model():
    models = {f"{model} {layer}": model for model in ROSTER for layer in range(13)}
    few = LayerPairs(ROSTER, models, 3)
    shifted = [
        (row, col)
        for row in range(13)
        for col in range(13)
        if few.gets_null(f"a {row}", f"b {col}")
    ]
    assert shifted == [(row, col) for row in (0, 6, 12) for col in (0, 6, 12)]
    every = LayerPairs(ROSTER, models, 3, every_null=True)
    assert all(every.gets_null("a 5", f"b {col}") for col in range(13))
