"""Models before and after fine-tuning are found among those compared."""

from comparisons import comparison, tuned

from assonance.comparison.relations import FineTuning
from assonance.tables.changes import pairs


def test_a_fine_tuned_model_belongs_to_the_one_whose_first_layer_it_shares():
    scores = {
        ("linreg_heldout", "before", "after"): [0.99] * 5,
        ("linreg_heldout", "again", "after"): [0.5] * 5,
    }
    assert pairs(tuned(scores)) == (FineTuning("before", "after", "again"),)
    scores["linreg_heldout", "again", "after"] = [1.0] * 5
    assert pairs(tuned(scores)) == (FineTuning("again", "after", "before"),)
    assert pairs(comparison()) == ()
