"""Sentences state what fine-tuning changed."""

from comparisons import comparison, tuned

from assonance.comparison.relations import FineTuning
from assonance.report.change_summary import sentences

PAIR = FineTuning("before", "after", "again")


def test_sentences_state_subspaces_neurons_and_heads():
    scores = {
        ("linreg_heldout", "before", "after"): [0.99, 0.9, 0.8, 0.4, 0.3],
        ("linreg_heldout", "before", "again"): [0.5] * 5,
    }
    lines = sentences(tuned(scores), PAIR)
    assert [line.split(" ")[0] for line in lines] == ["Subspaces", "Neurons", "Heads"]
    assert "0.99 at encoder.0, 0.30 at encoder.4." in lines[0]
    assert lines[0].endswith(
        "From encoder.3 on, all layers lie below the second-seed ceiling (0.50 at encoder.4)."
    )
    assert "still their own best match" in lines[1]


def test_a_last_layer_above_the_ceiling_is_stated():
    scores = {
        ("cka", "before", "after"): [0.9, 0.8, 0.4, 0.7, 0.8],
        ("cka", "before", "again"): [0.5] * 5,
    }
    (line,) = sentences(tuned(scores, measures=("cka",)), PAIR)
    assert "lowest at encoder.2 with 0.40" in line
    assert line.endswith(
        "The last layer does not lie below the second-seed ceiling (0.50 at encoder.4)."
    )


def test_without_a_second_seed_the_middle_of_the_range_is_the_mark():
    scores = {("cka", "before", "after"): [0.9, 0.9, 0.8, 0.5, 0.4]}
    (line,) = sentences(tuned(scores, measures=("cka",)), FineTuning("before", "after"))
    assert "From encoder.3 on, all layers lie below the middle between the most and the" in line


def test_intervals_are_in_brackets_and_their_method_is_named_last():
    made = comparison(("before", "after"), (5, 5), ["cka"])
    line, method = sentences(made, FineTuning("before", "after"))
    assert method == f"Brackets: 95 % intervals from {made.method}."
    assert "[" in line
