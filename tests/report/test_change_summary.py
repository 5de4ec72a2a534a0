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
    assert lines[0] == (
        "Subspaces (LinReg, held-out R²): fine-tuning changed late layers most. 99 % of the "
        "variance of encoder.0 can still be predicted, 30 % of that of encoder.4; from encoder.3 "
        "on, layers changed by more than another seed changes them (50 % at encoder.4)."
    )
    assert "A neuron's best match after fine-tuning correlates at" in lines[1]
    assert "still their own best match" in lines[1]


def test_a_last_layer_above_the_ceiling_is_stated():
    scores = {
        ("cka", "before", "after"): [0.9, 0.8, 0.4, 0.7, 0.8],
        ("cka", "before", "again"): [0.5] * 5,
    }
    (line,) = sentences(tuned(scores, measures=("cka",)), PAIR)
    assert "fine-tuning changed middle layers most" in line
    assert "0.90 at encoder.0, 0.80 at encoder.4, and least, 0.40, at encoder.2" in line
    assert line.endswith("; encoder.4 changed by no more than another seed changes it (0.50).")


def test_without_a_second_seed_half_of_the_loss_is_the_mark():
    scores = {("cka", "before", "after"): [0.9, 0.9, 0.8, 0.5, 0.4]}
    (line,) = sentences(tuned(scores, measures=("cka",)), FineTuning("before", "after"))
    assert line.endswith("; half of the loss is reached by encoder.3.")


def test_intervals_are_in_brackets_and_their_method_is_named_last():
    made = comparison(("before", "after"), (5, 5), ["cka"])
    line, method = sentences(made, FineTuning("before", "after"))
    assert method == f"Brackets: 95 % intervals from {made.method}."
    assert "[" in line
