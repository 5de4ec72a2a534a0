"""The section on fine-tuning lays curves of the same layers over each other."""

from comparisons import comparison

from assonance.comparison.relations import FineTuning
from assonance.report.sections import changes as change_section
from assonance.tables import changes as change_tables


def pictures(made, pairs):
    tables = {pair: change_tables.layers(made, pair) for pair in pairs}
    return list(change_section.change_curves(made, tables, "cka", "cka"))


def test_one_pair_has_a_picture_of_its_own():
    made = comparison(("before", "after"), (4, 4))
    (picture,) = pictures(made, [FineTuning("before", "after")])
    assert "each layer of before with the same layer of after." in picture.caption
    assert len(picture.grid.body) == 4
    assert all(len(heads) == 1 for heads, _ in picture.grid.body)


def test_steps_of_one_fine_tuning_are_followed_in_one_picture():
    made = comparison(("before", "early", "late"), (4, 4, 4))
    pairs = [FineTuning("before", "early"), FineTuning("before", "late")]
    (picture,) = pictures(made, pairs)
    assert "before with the same layer of early and before with" in picture.caption
    assert len(picture.grid.body) == 8
    for pair in pairs:
        layer = change_tables.onset(change_tables.curve(change_tables.layers(made, pair), "cka"))
        if layer:
            assert f"from {layer} on in {pair.fine_tuned}" in picture.caption


def test_models_of_other_layers_have_another_picture():
    made = comparison(("a", "a tuned", "b", "b tuned"), (4, 4, 6, 6))
    pairs = [FineTuning("a", "a tuned"), FineTuning("b", "b tuned")]
    first, second = pictures(made, pairs)
    assert first.id != second.id
    assert (len(first.grid.body), len(second.grid.body)) == (4, 6)


def test_what_was_not_measured_has_no_picture():
    made = comparison(("before", "after"), (4, 4), measures=["maxcorr"])
    assert pictures(made, [FineTuning("before", "after")]) == []
