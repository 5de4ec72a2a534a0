"""The paragraph on methods names everything that a reader must know, and nothing else."""

from dataclasses import replace

from comparisons import comparison

from assonance.tables.methods import methods_text


def test_it_names_models_speech_measures_sources_references_and_versions():
    made = comparison(measures=("cka", "linreg_heldout"), baseline=True)
    text = methods_text(made)
    for words in (
        "hubert-a (hubert, masked prediction objective, 1.4 M parameters, 5 layers)",
        "120 utterances of 2 speakers from prompts (13.4 minutes, 40000 frames)",
        "CKA (Kornblith et al. 2019, equation 7, El Kheir et al. 2024)",
        "random weights and log-mel frames",
        "5 folds",
        "4 circular shifts",
        "jackknife over 10 groups",
        "assonance 0.1.0 and torch 2.13.0",
    ):
        assert words in text
    assert "\n" not in text


def test_without_a_population_no_sentence_is_left_open():
    made = comparison(measures=("cka",))
    assert not made.provenance.population
    assert "generalise" not in methods_text(made)
    known = replace(made.provenance, population="other recordings")
    text = methods_text(replace(made, provenance=known))
    assert "jackknife over 10 groups of utterances, and generalise to other recordings." in text


def test_what_was_not_computed_is_not_mentioned():
    text = methods_text(comparison(measures=("cka",), twins=False, uncertainty=False))
    for word in ("random weights", "folds", "shifts", "Intervals", "log-mel"):
        assert word not in text
