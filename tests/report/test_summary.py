"""The first sentences state the numbers of the comparison."""

from dataclasses import replace
from functools import partial
from itertools import combinations, permutations

import comparisons
import numpy as np
import pytest

from assonance.inference.intervals import jackknife
from assonance.measures import MEASURES
from assonance.report.summary import sentences
from assonance.tables import matches as match_tables

# Scores as they are; intervals have a test of their own.
comparison = partial(comparisons.comparison, uncertainty=False)
NAMES = ("hubert-a", "wav2vec2-b")


def best(made, measure, row, col):
    return np.nanmax(made.matrix(measure, row, col).values, axis=1)


def test_sentences_say_layers_space_neurons_and_overfitting():
    layers, space, neurons, overfitting = sentences(comparison(NAMES))
    assert layers.startswith("Best-matching layers (LinReg, held-out R²)")
    assert space.startswith("Shared space")
    assert neurons.startswith("Shared neurons")
    assert "is overfitting (LinReg " in overfitting


@pytest.mark.parametrize("measure", ["linreg_heldout", "maxcorr", "localisation"])
def test_a_mean_over_layers_carries_its_interval(measure):
    made = comparisons.comparison(NAMES)
    leading = "maxcorr" if measure == "maxcorr" else "linreg_heldout"
    best_of = match_tables.best_layers(made, leading)
    ridge = best_of.xs(NAMES, level=("model_row", "model_col"), drop_level=False)
    estimate, low, high = match_tables.mean_over_layers(made, measure, ridge)
    at = [
        made.replicates[measure].sel(
            model_row=row, layer_row=layer, model_col=col, layer_col=each["layer_col"]
        )
        for (row, col, layer), each in ridge.iterrows()
    ]
    whole = np.mean(
        [
            made.scores[measure].sel(
                model_row=row, layer_row=layer, model_col=col, layer_col=each["layer_col"]
            )
            for (row, col, layer), each in ridge.iterrows()
        ]
    )
    expected = jackknife(whole, np.mean(at, axis=0))
    assert (estimate, low, high) == pytest.approx((expected.estimate, *expected.interval))
    *_, method = sentences(made)
    assert method == f"Brackets: 95 % intervals from {made.method}."
    said = " ".join(sentences(made))
    digits = 3 if high - low < 0.02 else 2
    if measure == "linreg_heldout":
        digits -= 2
        ends = f"[{100 * low:.{digits}f}, {100 * high:.{digits}f}]"
        expected = f"{100 * estimate:.{digits}f} % {ends}"
    else:
        expected = f"{estimate:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
    assert expected in said


def test_overfitting_is_what_held_out_speech_takes_away():
    made = comparison(NAMES)
    *_, said = sentences(made)
    lost = []
    for row, col in (NAMES, NAMES[::-1]):
        held_out = made.matrix("linreg_heldout_r", row, col).values
        at = np.arange(len(held_out)), held_out.argmax(1)
        lost += list(made.matrix("linreg", row, col).values[at] - held_out[at])
    assert said.startswith(f"{np.mean(lost):.2f} of the in-sample score is overfitting (")


def test_the_shared_space_stands_beside_random_weights():
    made = comparison(NAMES)
    a, b = NAMES
    _, space, *_ = sentences(made)
    for row, col in ((a, b), (b, a)):
        value = best(made, "linreg_heldout", row, col).mean()
        floor = best(made, "linreg_heldout", row, made.twin(col)).mean()
        said = f"A linear map from {col} predicts {100 * value:.0f} % of {row}'s variance."
        assert f"{said} An untrained copy predicts {100 * floor:.0f} %." in space


def test_the_shared_space_stands_beside_the_acoustics():
    made = comparison(NAMES, baseline=True)
    _, space, *_ = sentences(made)
    for row in NAMES:
        floor = best(made, "linreg_heldout", row, "mel").mean()
        assert f" %, log-mel {100 * floor:.0f} %." in space


def test_single_neurons_stand_beside_rotated_axes_and_the_index():
    made = comparison(NAMES)
    a, b = NAMES
    neurons = sentences(made)[2]
    indices = []
    for row, col in ((a, b), (b, a)):
        scores = made.matrix("maxcorr", row, col).values
        at = np.arange(len(scores)), np.nanargmax(scores, axis=1)
        floor = made.matrix("maxcorr_rotated", row, col).values[at].mean()
        said = f"of {row} correlates at {scores[at].mean():.2f} with its best single match in {col}"
        assert f"{said}. A random rotation of the neurons reaches {floor:.2f}." in neurons
        knowing = made.matrix("linreg_heldout", row, col).values
        where = np.arange(len(knowing)), np.nanargmax(knowing, axis=1)
        indices.append(np.nanmean(made.matrix("localisation", row, col).values[where]))
    assert "Localisation index {:.2f} and {:.2f}".format(*indices) in neurons


def test_every_layer_is_matched():
    made = comparison(NAMES, (3, 3))
    layers, *_ = sentences(made)
    scores = made.matrix("linreg_heldout", *NAMES)
    for label in made.layers(NAMES[1]):
        chosen = label in scores.layer_col.values[np.nanargmax(scores.values, axis=1)]
        assert (f"→ {label}" in layers.split(";")[0]) == chosen


def test_layers_as_good_as_the_best_are_named_with_it():
    """Scores of b's second and third layer that differ by less than their replicates vary."""
    made = comparison(NAMES, (2, 3), ["cka"], twins=False, uncertainty=True)
    at = {"model_row": NAMES[0], "model_col": NAMES[1]}
    made.scores["cka"].loc[at | {"layer_col": "encoder.2"}] = 0.8
    made.scores["cka"].loc[at | {"layer_col": "encoder.1"}] = 0.799
    spread = np.linspace(-0.01, 0.01, made.replicates.sizes["group"])
    for layer, sign in (("encoder.1", 1), ("encoder.2", -1)):
        made.replicates["cka"].loc[at | {"layer_col": layer}] = 0.8 + sign * spread
    there = sentences(made)[0].split(";")[0]
    assert there.endswith("encoder.0–1 → encoder.1 or encoder.2")


def test_without_twins_nothing_is_said_of_random_weights():
    assert "untrained" not in " ".join(sentences(comparison(NAMES, twins=False)))


def test_what_was_not_measured_is_not_said():
    assert [line.split(" (")[0] for line in sentences(comparison(NAMES, measures=["maxcorr"]))] == [
        "Shared neurons"
    ]
    lines = sentences(comparison(NAMES, measures=["cka"]))
    assert "CKA" in lines[0]
    assert len(lines) == 2
    (line,) = sentences(comparison(NAMES, measures=["attn_js"], uncertainty=False))
    assert line.startswith("Shared attention (Attention, Jensen–Shannon")


def test_one_model_alone_has_nothing_to_match():
    assert sentences(comparison(("a",), (4,))) == []


def test_layers_that_match_the_same_one_are_named_as_a_run():
    made = comparison(NAMES, (5, 4))
    scores = made.scores["linreg_heldout"]
    a, b = NAMES
    best = {"encoder.0": 0, "encoder.1": 2, "encoder.2": 2, "encoder.3": 2, "encoder.4": 1}
    for layer, k in best.items():
        at = {"model_row": a, "layer_row": layer, "model_col": b}
        scores.loc[at | {"layer_col": "encoder.0"}] = 0.1  # unless it is the best
        scores.loc[at | {"layer_col": f"encoder.{k}"}] = 0.9
    said = sentences(made)[0].split(": ", 1)[1].split(";")[0]
    assert said == "encoder.0 → encoder.0, encoder.1–3 → encoder.2, encoder.4 → encoder.1"


THREE = ("a", "b", "c")


def of_three(**about):
    made = comparison(THREE, (3, 4, 5))
    records = [
        replace(each, **about.get(each.name, {}), family=each.name)
        for each in made.provenance.models
    ]
    return replace(made, provenance=replace(made.provenance, models=tuple(records)))


def means(made, measure, pairs):
    return {pair: best(made, measure, *pair).mean() for pair in pairs}


def test_of_three_models_the_least_and_the_most_are_told():
    made = of_three()
    nearest, space, neurons, overfitting = sentences(made)
    pairs = list(permutations(THREE, 2))
    known = means(made, "linreg_heldout", pairs)
    for row in THREE:
        col = max((b for a, b in pairs if a == row), key=lambda name: known[row, name])
        assert f"{row} → {col}" in nearest
    assert space.startswith("Shared space, lowest and highest (")
    ends = [min(known, key=known.get), max(known, key=known.get)]
    _, *parts = space.split(" A linear map from ")
    for part, (row, col) in zip(parts, ends, strict=True):
        said = f"{col} predicts {100 * known[row, col]:.0f} % of {row}'s variance. An untrained"
        assert part.startswith(said)
    single = means(made, "maxcorr", pairs)
    ends = [min(single, key=single.get), max(single, key=single.get)]
    assert neurons.startswith("Shared neurons, lowest and highest (")
    stated, _ = neurons.split(" Localisation index ")
    _, *parts = stated.split(" A neuron of ")
    for part, (row, col) in zip(parts, ends, strict=True):
        said = f"{row} correlates at {single[row, col]:.2f} with its best single match in {col}."
        assert part.startswith(said)
    assert overfitting.startswith("At most ")


def test_overfitting_of_three_is_that_of_the_worst_pair():
    made = of_three()
    *_, said = sentences(made)
    lost = {}
    for a, b in combinations(THREE, 2):
        parts = []
        for row, col in ((a, b), (b, a)):
            held_out = made.matrix("linreg_heldout_r", row, col).values
            at = np.arange(len(held_out)), held_out.argmax(1)
            parts += list(made.matrix("linreg", row, col).values[at] - held_out[at])
        lost[a, b] = np.mean(parts)
    a, b = max(lost, key=lost.get)
    assert f"{lost[a, b]:.2f} of the in-sample score is overfitting" in said
    assert f"; {a} and {b}, mean over layers)" in said


def test_another_seed_is_told_apart_from_models_trained_apart():
    made = of_three(b={"seed_of": "a"})
    nearest, space, kindred, *_ = sentences(made)
    assert nearest.startswith("Most similar independently trained model (")
    assert {part for part in ("a → c", "b → c") if part in nearest} == {"a → c", "b → c"}
    assert kindred.startswith("Shared space with another seed or a fine-tuned model (")
    for row, col in (("a", "b"), ("b", "a")):
        known = best(made, "linreg_heldout", row, col).mean()
        said = f"{col} predicts {100 * known:.0f} % of {row}'s variance."
        assert said in kindred
        assert said not in space


def test_where_no_models_were_trained_apart_all_are_told():
    made = of_three(b={"seed_of": "a"}, c={"seed_of": "a"})
    nearest, space, *_ = sentences(made)
    assert nearest.startswith("Most similar model (")
    assert space.startswith("Shared space, lowest and highest (")


def test_of_models_without_a_score_none_is_nearest():
    made = of_three()
    for name in ("linreg_heldout", "maxcorr"):
        made.scores[name][:] = np.nan
    nearest, space, neurons, *_ = sentences(made)
    assert nearest.endswith(": none.")
    assert "no scores" in space
    assert "no scores" in neurons
    assert "nan" not in f"{space}{neurons}"


def test_many_models_take_no_more_sentences_than_a_few():
    names = tuple("abcdef")
    made = comparison(names, (3,) * 6)
    assert len(sentences(made)) <= 5


def test_the_most_trustworthy_measure_leads_and_says_what_it_is():
    order = ["linreg_heldout", "linreg", "cka", "pwcca", "svcca", "cka_rbf"]
    for number, name in enumerate(order):
        made = comparison(NAMES, measures=order[number:][::-1])
        matching, space = sentences(made)
        title = MEASURES[name].title
        assert matching.startswith(f"Best-matching layers ({title}) of ")
        assert space.startswith(f"Shared space ({title}, mean over best-matching layers): ")
        value = best(made, name, *NAMES).mean()
        if name == "linreg_heldout":
            assert f"{NAMES[1]} predicts {100 * value:.0f} %" in space
        else:
            assert f"Layers of {NAMES[0]} reach {value:.2f} in {NAMES[1]}" in space
        assert ("'s variance" in space) == (name == "linreg_heldout")


def test_a_layer_without_a_score_is_left_out_of_means_and_matches():
    made = comparison(NAMES, (3, 4), twins=False)
    gone = {"model_row": NAMES[0], "layer_row": "encoder.1", "model_col": NAMES[1]}
    made.scores["linreg_heldout"].loc[gone] = np.nan
    matching, space, *_ = sentences(made)
    there = matching.split("; ")[0]
    assert "encoder.0 → " in there
    assert "encoder.2 → " in there
    assert "encoder.1 → " not in there
    scores = made.matrix("linreg_heldout", *NAMES).values[[0, 2]]
    assert f"{NAMES[1]} predicts {100 * scores.max(1).mean():.0f} % of {NAMES[0]}'s" in space
