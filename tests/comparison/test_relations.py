"""Models are told apart by what they go back to."""

from dataclasses import replace
from itertools import product

import pytest
from comparisons import record

from assonance.comparison.relations import Relations, trained


def model(name, count=4, objective="predictive", size="base", **about):
    return replace(record(name, count), objective=objective, size=size, **about)


MODELS = (
    model("a"),
    model("a 2", seed_of="a"),
    model("a 3", seed_of="a"),
    model("b", 7, size="large"),
    model("b tuned", 7, size="large", fine_tuned=True),
    model("b tuned less", 7, size="large", fine_tuned=True),
    model("turned", source="rotated:somewhere/a@0"),
    model("a random", objective="none", twin_of=("a", "a 2", "a 3")),
    model("mel", objective="none", family="mel", size="mel", layers={"mel": "bands"}),
)
A, B = {"a", "a 2", "a 3"}, {"b", "b tuned", "b tuned less"}


def related(how, models=MODELS):
    relation = getattr(Relations(models), how)
    return {(row.name, col.name) for row, col in product(models, models) if relation(row, col)}


def both_ways(pairs):
    return {*pairs, *(pair[::-1] for pair in pairs)}


def test_models_trained_apart_go_back_to_no_common_one():
    assert related("apart") == both_ways(set(product(A, B)))


def test_seeds_and_fine_tuned_models_are_of_one_origin():
    expected = {(x, y) for kin in (A, B) for x, y in product(kin, kin) if x != y}
    assert related("of_one_origin") == expected


def test_every_two_trained_models_are_apart_or_of_one_origin():
    names = {each.name for each in MODELS if trained(each)}
    assert related("apart") | related("of_one_origin") == {
        (x, y) for x, y in product(names, names) if x != y
    }
    assert not related("apart") & related("of_one_origin")


def test_controls_are_not_trained():
    assert [each.name for each in MODELS if not trained(each)] == ["turned", "a random", "mel"]


def test_a_shared_twin_is_for_models_apart_from_one_of_its_own():
    assert related("against_random") == {(name, "a random") for name in B}


def test_fine_tuning_goes_one_way():
    assert related("tuned") == {("b", "b tuned"), ("b", "b tuned less")}


def test_of_two_that_a_fine_tuned_model_may_come_from_neither_is_known():
    two = (*MODELS, model("b too", 7, size="large"))
    assert related("tuned", two) == set()
    assert ("b", "b tuned") in related("apart", two)


def test_seeds_of_one_model_are_seeds_of_each_other():
    assert related("other_seed") == {(x, y) for x, y in product(A, A) if x != y}


@pytest.mark.parametrize("how", ["apart", "of_one_origin", "other_seed"])
def test_these_relations_go_both_ways(how):
    assert related(how) == both_ways(related(how))
