"""The question of our own is about the right pairs of layers, and its tests have the right sign."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from comparisons import comparison

from assonance.report.study import beyond


def compared():
    """Two objectives and a second seed, with a fine-tuned model that is left out."""
    names = ("hubert-a", "wav2vec2-b", "hubert-c", "hubert-tuned")
    made = comparison(names, (4, 4, 4, 4), ["linreg_heldout"])
    objectives = {"hubert": "predictive", "wav2vec2": "contrastive"}
    models = tuple(
        replace(
            each,
            objective="none" if each.twin_of else objectives[each.name.partition("-")[0]],
            seed_of="hubert-a" if each.name == "hubert-c" else None,
            fine_tuned=each.name == "hubert-tuned",
        )
        for each in made.provenance.models
    )
    return replace(made, provenance=replace(made.provenance, models=models))


def made(which, whole, beyond_by_kind):
    rng = np.random.default_rng(0)
    truth = {"whole": np.full(len(which), whole), "beyond": which["kind"].map(beyond_by_kind)}
    table = {}
    for name, values in truth.items():
        table[name] = "pair", np.asarray(values, dtype=float)
        noise = rng.normal(scale=1e-3, size=(len(which), 10))
        table[f"{name}_replicates"] = ("pair", "group"), table[name][1][:, None] + noise
    return xr.Dataset(table)


def test_pairs_are_of_other_objectives_with_floor_and_ceiling():
    which = beyond.pairs(compared().provenance.models)
    models = {
        kind: set(zip(part["row_model"], part["col_model"], strict=True))
        for kind, part in which.groupby("kind")
    }
    assert models == {
        "other objective": {("hubert-a", "wav2vec2-b"), ("wav2vec2-b", "hubert-a")},
        "other seed": {("hubert-a", "hubert-c"), ("hubert-c", "hubert-a")},
        "random weights": {
            ("hubert-a", "wav2vec2-b (random)"),
            ("wav2vec2-b", "hubert-a (random)"),
        },
    }
    assert (which["row_layer"] == which["col_layer"]).all()
    assert sorted(which["depth"].unique()) == pytest.approx([0, 1 / 3, 2 / 3, 1])


@pytest.mark.parametrize(
    ("shared", "random", "verdict"),
    [
        (0.4, 0.1, "supported"),
        (0.2, 0.3, "not supported"),
    ],
)
def test_verdicts_follow_the_scores(shared, random, verdict):
    which = beyond.pairs(compared().provenance.models)
    scores = made(
        which, 0.6, {"other objective": shared, "random weights": random, "other seed": 1}
    )
    found = beyond.test(scores, which)
    assert [found[0].verdict, found[2].verdict] == [verdict, verdict]
    assert found[1].estimate == pytest.approx(0, abs=0.01)  # no depth differs
    assert found[0].estimate == pytest.approx(shared - 0.3, abs=0.01)
    assert found[2].estimate == pytest.approx(shared - random, abs=0.01)


def test_survival_by_depth_is_of_the_outer_thirds():
    which = beyond.pairs(compared().provenance.models)
    scores = made(which, 0.5, {"other objective": 0.0, "random weights": 0.0, "other seed": 0.0})
    deep = (which["depth"] >= 2 / 3).to_numpy()
    for name in ("beyond", "beyond_replicates"):
        scores[name] = scores[name] + xr.DataArray(0.3 * deep, dims="pair")
    found = beyond.test(scores, which)[1]
    assert found.verdict == "supported"
    assert found.estimate == pytest.approx(0.6, abs=0.02)


def test_means_by_depth_keep_kinds_and_sizes_apart():
    which = beyond.pairs(compared().provenance.models)
    scores = made(which, 0.5, {"other objective": 0.2, "random weights": 0.1, "other seed": 0.4})
    table = beyond.by_depth(scores, which)
    assert table.index.names == ["kind", "layers", "depth"]
    assert len(table) == 3 * 4
    seeds = table.loc["other seed"]
    np.testing.assert_allclose(seeds["beyond"], 0.4, atol=0.01)
    assert (seeds["beyond_low"] < seeds["beyond"]).all()
