"""Models are related by fine-tuning and seeds as stated, or as far as one rule can tell."""

from dataclasses import replace
from itertools import product

import pytest
from comparisons import comparison, record, tuned

from assonance import Comparison
from assonance.claims.claim import Claim
from assonance.claims.selection import Term
from assonance.claims.verdict import evaluate_claims
from assonance.comparison.relations import (
    STATE_BASE,
    FineTuning,
    Relations,
    check,
    check_statements,
    fine_tuned,
    trained,
)
from assonance.errors import AssonanceError
from assonance.inference.intervals import intervals
from assonance.report.page import render
from assonance.tables import changes


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


def test_unrelated_models_have_no_common_origin():
    assert related("unrelated") == both_ways(set(product(A, B)))


def test_seeds_and_fine_tuned_models_have_one_origin():
    expected = {(x, y) for kin in (A, B) for x, y in product(kin, kin) if x != y}
    assert related("same_origin") == expected


def test_every_two_trained_models_are_unrelated_or_have_one_origin():
    names = {each.name for each in MODELS if trained(each)}
    assert related("unrelated") | related("same_origin") == {
        (x, y) for x, y in product(names, names) if x != y
    }
    assert not related("unrelated") & related("same_origin")


def test_controls_are_not_trained():
    assert [each.name for each in MODELS if not trained(each)] == ["turned", "a random", "mel"]


def test_a_shared_random_twin_is_compared_with_models_unrelated_to_one_of_its_own():
    assert related("against_random") == {(name, "a random") for name in B}


def test_fine_tuning_has_a_direction():
    assert related("is_base") == {("b", "b tuned"), ("b", "b tuned less")}


def test_seeds_of_one_model_are_seeds_of_each_other():
    assert related("other_seed") == {(x, y) for x, y in product(A, A) if x != y}


@pytest.mark.parametrize("how", ["unrelated", "same_origin", "other_seed"])
def test_these_relations_are_symmetric(how):
    assert related(how) == both_ways(related(how))


# The base of a fine-tuned model

TWO = (*MODELS, model("b too", 7, size="large"))


def stated(models, **bases):
    """The same models with stated bases."""
    return tuple(replace(each, tuned_from=bases.get(each.name)) for each in models)


def test_of_two_candidates_neither_is_the_base():
    relations = Relations(TWO)
    assert related("is_base", TWO) == set()
    assert relations.fine_tunings() == ()
    assert relations.base("b tuned") is None
    assert relations.possible_bases("b tuned") == ("b", "b too")
    assert relations.unknown_bases() == [
        "b tuned may have been fine-tuned from b or b too",
        "b tuned less may have been fine-tuned from b or b too",
    ]


def test_a_model_of_unknown_base_is_neither_unrelated_to_a_candidate_nor_of_its_origin():
    unsure = both_ways({*product(("b tuned", "b tuned less"), ("b", "b too"))})
    unsure |= both_ways({("b tuned", "b tuned less")})
    for how in ("unrelated", "same_origin"):
        assert not related(how, TWO) & unsure
    assert both_ways({("a", "b tuned"), ("b", "b too")}) <= related("unrelated", TWO)


def test_a_statement_decides_between_candidates():
    models = stated(TWO, **{"b tuned": "b too"})
    assert related("is_base", models) == {("b too", "b tuned")}
    assert ("b too", "b tuned") in related("same_origin", models)
    assert ("b", "b tuned") in related("unrelated", models)
    assert Relations(models).unknown_bases() == [
        "b tuned less may have been fine-tuned from b or b too"
    ]


def test_a_statement_is_believed_over_the_rule():
    models = stated(MODELS, **{"b tuned": "b tuned less"})
    assert related("is_base", models) == {("b tuned less", "b tuned"), ("b", "b tuned less")}
    assert ("b", "b tuned") in related("same_origin", models)


def test_a_model_without_a_head_is_fine_tuned_if_it_is_stated():
    models = stated((model("a"), model("b")), b="a")
    assert [fine_tuned(each) for each in models] == [False, True]
    assert Relations(models).fine_tunings() == (FineTuning("a", "b"),)


@pytest.mark.parametrize(
    "differing",
    [{"family": "wavlm"}, {"n_parameters": 7}, {"count": 5}, {"objective": "contrastive"}],
    ids=str,
)
def test_a_candidate_has_the_architecture_and_objective_of_the_fine_tuned_model(differing):
    models = (model("a"), model("b", **differing), model("tuned", fine_tuned=True))
    assert Relations(models).fine_tunings() == (FineTuning("a", "tuned"),)


def test_controls_and_fine_tuned_models_are_no_candidates():
    models = (
        model("a"),
        model("turned", source="rotated:somewhere/a@0"),
        model("a random", objective="none", twin_of=("a",)),
        model("tuned", fine_tuned=True),
        model("tuned too", fine_tuned=True),
        model("tuned turned", source="rotated:somewhere/tuned@0", fine_tuned=True),
    )
    assert Relations(models).fine_tunings() == (
        FineTuning("a", "tuned"),
        FineTuning("a", "tuned too"),
    )


def test_a_base_that_the_files_name_is_no_other_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    adapted = model("adapted", fine_tuned=True, base=str(tmp_path / "there"))
    models = (model("a", source="somewhere/a"), model("b", source="./there"), adapted)
    assert Relations(models).fine_tunings() == (FineTuning("b", "adapted"),)
    stated = (*models[:2], replace(adapted, tuned_from="a"))
    assert Relations(stated).fine_tunings() == (FineTuning("a", "adapted"),)
    others = (models[0], adapted, replace(adapted, name="adapted too"))
    assert Relations(others).fine_tunings() == ()
    assert related("same_origin", others) == both_ways({("adapted", "adapted too")})
    assert related("unrelated", others) == both_ways({("a", "adapted"), ("a", "adapted too")})


def test_a_fine_tuned_model_with_another_input_than_its_base_is_named():
    before = model("base", input="16000 Hz, not normalised")
    after = model("tuned", fine_tuned=True, input="16000 Hz, zero mean and unit variance")
    assert Relations([before, after]).unlike_inputs() == [
        "tuned takes another input (16000 Hz, zero mean and unit variance) than base, from which "
        "it was fine-tuned (16000 Hz, not normalised); this alone changes scores"
    ]
    for other in (before.input, ""):  # the same, and unknown as in older results
        assert not Relations([before, replace(after, input=other)]).unlike_inputs()


def test_a_second_seed_is_the_ceiling_and_no_candidate_beside_its_model():
    models = (model("a 2", seed_of="a"), model("a"), model("tuned", fine_tuned=True))
    assert Relations(models).fine_tunings() == (FineTuning("a", "tuned", "a 2"),)


def test_a_second_seed_can_be_stated_as_the_base():
    models = (model("a"), model("a 2", seed_of="a"), model("tuned", tuned_from="a 2"))
    assert Relations(models).fine_tunings() == (FineTuning("a 2", "tuned", "a"),)


def test_a_second_seed_of_another_architecture_is_no_ceiling():
    models = (model("a"), model("a 2", 5, seed_of="a"), model("tuned", fine_tuned=True))
    assert Relations(models).fine_tunings() == (FineTuning("a", "tuned"),)


def test_origins_follow_seeds_and_fine_tuning_to_their_end():
    models = (
        model("a"),
        model("a 2", seed_of="a"),
        model("tuned", tuned_from="a 2"),
        model("tuned twice", tuned_from="tuned"),
    )
    assert ("a", "tuned twice") in related("same_origin", models)
    assert related("unrelated", models) == set()


def test_a_circle_of_statements_in_a_file_does_no_harm():
    models = (model("a", tuned_from="b"), model("b", tuned_from="a"))
    assert related("same_origin", models) == set()


# Refusals


def test_a_pair_must_be_there_and_of_one_architecture():
    made = comparison(("a", "b"), (4, 5))
    with pytest.raises(AssonanceError, match=r"^nobody: no such model here$"):
        check(made, FineTuning("a", "nobody"))
    with pytest.raises(AssonanceError, match=r"^b is of another architecture than a: "):
        check(made, FineTuning("a", "b"))
    check(made, FineTuning("a", "a"))


def test_a_stated_base_must_be_trained_and_of_the_same_architecture():
    check_statements(stated(MODELS, **{"b tuned": "b"}))
    with pytest.raises(AssonanceError, match=r"^b tuned is of another architecture than a: "):
        check_statements(stated(MODELS, **{"b tuned": "a"}))
    for bases in ({"b tuned": "mel"}, {"mel": "b"}):
        with pytest.raises(AssonanceError, match=r"^tuned from: mel was not trained; "):
            check_statements(stated(MODELS, **bases))


# Claims, tables and report

CLAIM = Claim(
    "change",
    "This is more than that",
    (Term("cka", ("fine-tuned", "early")),),
    (Term("cka", ("fine-tuned", "late")),),
)
UNKNOWN = "after may have been fine-tuned from before or again"


def before_after_again(**about):
    """A comparison of a model before and after fine-tuning with another of its architecture."""
    made = tuned(measures=("cka",), twins=False)
    models = [replace(each, **about.get(each.name, {})) for each in made.provenance.models]
    replicates = made.scores[["cka"]].expand_dims(group=3, axis=-1)
    return replace(
        made,
        provenance=replace(made.provenance, models=tuple(models)),
        replicates=replicates,
        intervals=intervals(made.scores[["cka"]], replicates),
    )


def by_claims(made: Comparison):
    """The pairs of models that the condition of claims selects."""
    known = Relations(made.provenance.models)
    (result,) = evaluate_claims(made, [CLAIM])
    assert result.tested == bool(known.fine_tunings())
    if not result.tested:
        return result.reason
    (weights,) = {
        (row, col)
        for row, col in product(made.models, made.models)
        if known.is_base(known.models[row], known.models[col])
    }
    expected = made.matrix("cka", *weights)
    labels = [f"encoder.{k}" for k in range(5)]
    early, late = (expected.sel(layer_row=x, layer_col=x).mean() for x in (labels[:2], labels[3:]))
    assert result.parts == pytest.approx((float(early), float(late)))
    return weights


def by_tables(made: Comparison):
    pairs = [(pair.pretrained, pair.fine_tuned) for pair in changes.pairs(made)]
    return pairs[0] if pairs else None


def by_report(made: Comparison):
    page = render(made, [])
    found = [
        pair
        for pair in product(made.models, made.models)
        if "each layer of {} with the same layer of {}".format(*pair) in page
    ]
    assert ("What did fine-tuning change?" in page) == bool(found)
    return found[0] if found else None


@pytest.mark.parametrize("consumer", [by_claims, by_tables, by_report])
@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({}, None),
        ({"after": {"tuned_from": "before"}}, ("before", "after")),
        ({"after": {"tuned_from": "again"}}, ("again", "after")),
        ({"again": {"seed_of": "before"}}, ("before", "after")),
        ({"again": {"n_parameters": 7}}, ("before", "after")),
    ],
    ids=["two candidates", "stated", "stated otherwise", "second seed", "one candidate"],
)
def test_claims_tables_and_report_agree_on_the_pair(consumer, about, expected):
    found = consumer(before_after_again(**about))
    if expected is None and consumer is by_claims:
        assert found == f"{UNKNOWN} ({STATE_BASE})"
    else:
        assert found == expected
