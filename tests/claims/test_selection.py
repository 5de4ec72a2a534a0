"""Conditions select the cells that they name, and pairs of models are weighted equally."""

from dataclasses import replace

import numpy as np
import pytest
from comparisons import record

from assonance.claims.claim import DEFAULT
from assonance.claims.selection import (
    CONDITIONS,
    CellGrid,
    NotAskable,
    Term,
    contrast_weights,
    equal_weights,
    selected,
)


def model(name, count=4, objective="predictive", size="base", **about):
    return replace(record(name, count), objective=objective, size=size, **about)


MODELS = (
    model("hb"),
    model("hl", 7, size="large"),
    model("wb", objective="contrastive", family="wav2vec2"),
    model("hl ft", 7, size="large", fine_tuned=True),
    model("hb 2", seed_of="hb"),
    model("hb random", objective="none", twin_of=("hb", "hb 2")),
    model("wb random", objective="none", family="wav2vec2", twin_of=("wb",)),
    model("mel", objective="none", family="mel", size="mel", layers={"mel": "bands"}),
)
LABELS = [*(f"encoder.{k}" for k in range(7)), "mel"]


def grid(models=MODELS, labels=LABELS):
    return CellGrid(models, labels)


def cells(*where, at=None, **conditions):
    at = at or grid()
    shape = (len(at.models), len(at.labels)) * 2
    term = Term("cka", where, **{key: (value,) for key, value in conditions.items()})
    mask = selected(term, at, np.ones(shape, dtype=bool))
    names = list(at.models)
    return {(names[i], at.labels[k], names[j], at.labels[m]) for i, k, j, m in np.argwhere(mask)}


def pairs(*where, **conditions):
    return {(row, col) for row, _, col, _ in cells(*where, **conditions)}


def both_ways(*names):
    return {*names, *(name[::-1] for name in names)}


def test_across_selects_models_trained_independently():
    wb = both_ways(*((name, "wb") for name in ("hb", "hl", "hl ft", "hb 2")))
    sizes = both_ways(*((a, b) for a in ("hb", "hb 2") for b in ("hl", "hl ft")))
    assert pairs("across") == wb | sizes


def test_within_is_one_model_and_never_a_layer_with_itself():
    found = cells("within")
    assert {(row, col) for row, _, col, _ in found} == {
        (name, name) for name in ("hb", "hl", "wb", "hl ft", "hb 2")
    }
    assert all(a != b for _, a, _, b in found)
    assert sum(row == "hb" for row, *_ in found) == 4 * 3


def test_random_weights_take_the_column_models_place():
    known = pairs("random weights")
    twins = {"hb": "hb random", "hb 2": "hb random", "wb": "wb random"}
    assert known == {(row, twins[col]) for row, col in pairs("across") if col in twins}


def test_a_fine_tuned_model_is_paired_with_its_only_possible_base():
    assert pairs("fine-tuned") == {("hl", "hl ft")}
    two = [*MODELS, model("hl too", 7, size="large")]
    with pytest.raises(NotAskable, match="fine-tuned"):
        cells("fine-tuned", at=grid(two))


def test_another_seed_selects_both_directions():
    assert pairs("other seed") == both_ways(("hb", "hb 2"))


def test_seeds_of_one_model_are_seeds_of_each_other():
    three = [model("a"), model("b", seed_of="a"), model("c", seed_of="a")]
    found = {(row, col) for row, _, col, _ in cells("other seed", at=grid(three))}
    assert found == both_ways(("a", "b"), ("a", "c"), ("b", "c"))


@pytest.mark.parametrize("word", ["objective", "size"])
def test_every_pair_is_of_the_same_or_of_another(word):
    at = {each.name: getattr(each, word) for each in MODELS}
    same, other = pairs("across", f"same {word}"), pairs("across", f"other {word}")
    assert same | other == pairs("across")
    assert all(at[row] == at[col] for row, col in same)
    assert all(at[row] != at[col] for row, col in other)


def test_an_unknown_objective_is_neither_the_same_nor_another():
    at = grid((model("a", objective="unknown"), model("b", objective="unknown"), model("c")))
    for word in ("same objective", "other objective"):
        with pytest.raises(NotAskable, match="objective"):
            cells("across", word, at=at)


def test_controls_are_not_selected_unless_named():
    at = grid((model("a"), model("rotated", source="rotated:somewhere/a@0"), *MODELS[-1:]))
    with pytest.raises(NotAskable, match="trained independently"):
        cells("across", at=at)
    assert cells(at=at, model_row="a", model_col="rotated")


def test_a_random_twin_has_the_size_of_its_model():
    assert pairs("random weights", "same size") == {
        *((name, "wb random") for name in ("hb", "hb 2")),
        ("wb", "hb random"),
    }


def test_an_objective_is_that_of_both_models():
    at, all_cells = grid(), np.ones((8, 8, 8, 8), dtype=bool)
    mask = selected(Term("cka", ("across",), objective="predictive"), at, all_cells)
    found = {MODELS[i].name for i in np.argwhere(mask)[:, 0]}
    assert found == {"hb", "hl", "hl ft", "hb 2"}


def test_pretrained_excludes_fine_tuned_models():
    assert pairs("across", "pretrained") == {
        pair for pair in pairs("across") if "hl ft" not in pair
    }


def test_the_nearest_layer_in_relative_depth_is_at_the_same_depth():
    at = grid()
    near = {
        (a, b) for row, a, col, b in cells("across", "same depth") if (row, col) == ("hl", "wb")
    }
    # Seven layers against four: sixths against thirds; a layer between two belongs to both.
    expected = {0: (0,), 1: (0, 1), 2: (1,), 3: (1, 2), 4: (2,), 5: (2, 3), 6: (3,)}
    assert near == {(f"encoder.{a}", f"encoder.{b}") for a in expected for b in expected[a]}
    back = {
        (a, b) for row, a, col, b in cells("across", "same depth") if (row, col) == ("wb", "hl")
    }
    assert back == {(f"encoder.{k}", f"encoder.{2 * k}") for k in range(4)}
    same, other = cells("across", "same depth", at=at), cells("across", "other depth", at=at)
    assert same | other == cells("across", at=at)
    assert not same & other


def test_the_first_and_last_thirds_include_their_bounds():
    for word, there in (("early", {0, 1, 2}), ("late", {4, 5, 6})):
        found = cells("fine-tuned", "same layer", word)
        assert found == {("hl", f"encoder.{k}", "hl ft", f"encoder.{k}") for k in there}


def test_layers_other_than_those_of_blocks_must_be_named():
    layers = {"heads.1": "", "encoder.0": "", "encoder.1": "", "heads.2": "", "encoder.2": ""}
    both = [model("a", layers=layers), model("b", layers=layers)]
    at = grid(both, list(layers))
    assert all("encoder" in a and "encoder" in b for _, a, _, b in cells("across", at=at))
    named = cells("across", "same depth", at=at, layer_row="heads.*", layer_col="heads.*")
    assert {(a, b) for _, a, _, b in named} == {("heads.1", "heads.1"), ("heads.2", "heads.2")}


def test_a_model_without_blocks_has_all_its_layers():
    assert cells(model_row="hb", model_col="mel") == {
        ("hb", f"encoder.{k}", "mel", "mel") for k in range(4)
    }


def test_patterns_match_names():
    assert pairs("across", model_row="h*", model_col="wb") == {
        (name, "wb") for name in ("hb", "hl", "hl ft", "hb 2")
    }


@pytest.mark.parametrize(
    ("where", "conditions", "lacking"),
    [
        (("across", "same objective"), {"model_row": "wb"}, "no model_row matches wb"),
        (("fine-tuned", "other size"), {}, "all models have the same size"),
        (("across",), {"layer_row": "encoder.99"}, "no layer_row matches encoder.99"),
    ],
)
def test_the_first_condition_that_leaves_no_cell_is_named(where, conditions, lacking):
    with pytest.raises(NotAskable, match=f"^{lacking}"):
        cells(*where, **conditions)


def test_cells_without_scores_are_not_selected():
    at = grid()
    with pytest.raises(NotAskable, match="no scores"):
        selected(Term("cka", ("across",)), at, np.zeros((8, 8, 8, 8), dtype=bool))


def test_pairs_of_models_are_weighted_equally_whatever_their_layers():
    mask = np.zeros((2, 3, 2, 3), dtype=bool)
    mask[0, :, 1, :2] = True
    mask[1, 0, 0, 0] = True
    found = equal_weights(mask)
    assert found.sum() == pytest.approx(1)
    assert found[1, 0, 0, 0] == pytest.approx(0.5)
    assert found[0, 1, 1, 1] == pytest.approx(0.5 / 6)
    assert not found[~mask].any()


def weighed(plus, minus, match, at):
    shape = (len(at.models), len(at.labels)) * 2
    terms = [[Term("cka", where)] for where in (plus, minus)]
    return contrast_weights(*terms, match, at, np.ones(shape, dtype=bool))


def test_matched_sides_are_compared_where_both_have_models():
    at = grid((MODELS[0], MODELS[1], MODELS[2]), LABELS[:7])
    plus, minus = weighed(("across", "same objective"), ("across", "other objective"), "size", at)
    # The only models of one objective differ in size: so do those that they are compared with.
    assert set(np.argwhere(plus.sum((1, 3)) > 0).ravel()) == {0, 1}
    assert set(np.argwhere(minus.sum((1, 3)) > 0).ravel()) == {1, 2}


def test_strata_are_weighted_equally():
    at = grid((*MODELS[:3], model("wl", 7, "contrastive", "large", family="wav2vec2")))
    _, minus = weighed(("across",), ("across", "other objective"), "size", at)
    pairs = minus.sum((1, 3))
    assert pairs[0, 2] == pytest.approx(0.5 / 4)  # hb, wb: of one size, as hl, wl, either way
    assert pairs[0, 3] == pytest.approx(0.5 / 4)
    assert pairs.sum() == pytest.approx(1)


def test_sides_without_a_common_stratum_cannot_be_matched():
    at = grid((model("a"), model("b"), model("c", objective="contrastive", size="large")))
    with pytest.raises(NotAskable, match="match in size"):
        weighed(("across", "same objective"), ("across", "other objective"), "size", at)


def test_the_bundled_file_explains_every_condition():
    explained = DEFAULT.read_text("utf-8").split("claims:\n")[0]
    assert [word for word in CONDITIONS if word not in explained] == []
