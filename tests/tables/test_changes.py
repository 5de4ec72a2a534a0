"""What fine-tuning changed is read off the right cells, and summarised in sentences."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from comparisons import comparison, tuned

from assonance.comparison.relations import FineTuning
from assonance.errors import AssonanceError
from assonance.inference.intervals import intervals
from assonance.plots import changes as change_plots
from assonance.tables import changes as change_tables
from assonance.tables.changes import ANTICIPATED, RETAINED

PAIR = FineTuning("before", "after", "again")


def test_each_row_is_the_cell_of_its_layer_both_ways():
    found = tuned()
    table = change_tables.layers(found, PAIR)
    for layer in found.layers("before"):
        for way, row, col in ((RETAINED, "before", "after"), (ANTICIPATED, "after", "before")):
            line = table.loc[("linreg_heldout", way, layer)]
            assert line["value"] == found.matrix("linreg_heldout", row, col).loc[layer, layer]
            twin = found.twin(col)
            assert line["floor"] == found.matrix("linreg_heldout", row, twin).loc[layer, layer]
        ceiling = table.at[("linreg_heldout", RETAINED, layer), "ceiling"]
        assert ceiling == found.matrix("linreg_heldout", "before", "again").loc[layer, layer]
    ways = table.index.get_level_values("way")
    assert set(ways[table.index.get_level_values("measure") == "cka"]) == {RETAINED}


def test_without_a_second_seed_nothing_is_said_to_be_beyond():
    table = change_tables.layers(tuned(), FineTuning("before", "after"))
    assert table["ceiling"].isna().all()
    assert table["beyond"].isna().all()


def test_change_begins_where_all_that_follows_lies_below_the_ceiling():
    scores = {
        ("cka", "before", "after"): [0.4, 0.9, 0.8, 0.4, 0.3],
        ("cka", "before", "again"): [0.5] * 5,
    }
    part = change_tables.curve(change_tables.layers(tuned(scores), PAIR), "cka")
    assert change_tables.onset(part) == "encoder.3"
    scores["cka", "before", "again"] = [0.1] * 5
    part = change_tables.curve(change_tables.layers(tuned(scores), PAIR), "cka")
    assert change_tables.onset(part) is None


def test_without_a_ceiling_change_begins_below_the_middle_of_the_curve():
    scores = {("cka", "before", "after"): [1.0, 0.9, 0.7, 0.4, 0.2]}
    part = change_tables.curve(
        change_tables.layers(tuned(scores), FineTuning("before", "after")), "cka"
    )
    assert change_tables.onset(part) == "encoder.3"


def test_a_difference_whose_interval_reaches_0_is_not_beyond_the_ceiling():
    scores = {
        ("cka", "before", "after"): [0.9, 0.9, 0.9, 0.4, 0.4],
        ("cka", "before", "again"): [0.5] * 5,
    }
    found = tuned(scores)
    # Groups differ by the same amount in both models, and the fine-tuned one also by itself: by
    # much in layer 3, by little in layer 4.
    shared = np.array([-0.2, 0.0, 0.2])
    replicates = found.scores["cka"].expand_dims(group=3, axis=-1) + shared
    own = np.array([-0.1, 0.0, 0.1])
    for layer, share in (("encoder.3", 1), ("encoder.4", 0.1)):
        cell = {"model_row": "before", "layer_row": layer, "model_col": "after", "layer_col": layer}
        replicates.loc[cell] += share * own
    replicates = xr.Dataset({"cka": replicates})
    sure = replace(
        found, replicates=replicates, intervals=intervals(found.scores[["cka"]], replicates)
    )
    part = change_tables.curve(change_tables.layers(sure, PAIR), "cka")
    assert part["beyond"].tolist() == [False, False, False, False, True]
    assert change_tables.onset(part) == "encoder.4"
    ends = sure.intervals["cka"].sel(model_row="before", model_col="after")
    ends = ends.sel(layer_row="encoder.3", layer_col="encoder.3")
    assert part.loc["encoder.3", ["low", "high"]].tolist() == ends[1:].values.tolist()
    axes = change_plots.layers(sure, [PAIR], "cka").axes[0]
    assert len(axes.collections) == 1  # the band


def test_neurons_that_are_their_own_best_match_are_counted():
    found = tuned()
    match = found.neurons["maxcorr_match"]
    at = {"model_row": "before", "model_col": "after"}
    cell = at | {"layer_row": "encoder.2", "layer_col": "encoder.2"}
    own = np.arange(match.sizes["neuron"])
    match.loc[cell] = np.where(own < 6, own, (own + 1) % len(own))
    part = change_tables.curve(change_tables.layers(found, PAIR), "maxcorr_own")
    assert part.at["encoder.2", "value"] == 6 / len(own)


def test_heads_are_compared_with_themselves_and_with_their_best_match():
    found = tuned()
    table = change_tables.heads(found, PAIR, "attn_js")
    scores = (
        found.heads["attn_js"]
        .sel(model_row="before", model_col="after", layer_row="encoder.3", layer_col="encoder.3")
        .to_numpy()
    )
    assert table.loc["encoder.3", "value"].tolist() == np.diagonal(scores).tolist()
    assert table.loc["encoder.3", "best"].tolist() == scores.max(1).tolist()
    assert "encoder.0" not in table.index
    own = change_tables.curve(change_tables.layers(found, PAIR), "attn_js_own")
    assert own.at["encoder.3", "value"] == pytest.approx(np.diagonal(scores).mean())


def test_models_of_other_architectures_are_told():
    other = comparison(("before", "after"), (5, 4))
    with pytest.raises(AssonanceError, match="after is of another architecture than before"):
        change_tables.layers(other, FineTuning("before", "after"))
    with pytest.raises(AssonanceError, match="nobody: no such model"):
        change_tables.layers(other, FineTuning("before", "nobody"))


def test_pairs_are_the_fine_tunings_that_have_scores():
    found = tuned(measures=("cka", "mincorr"))
    assert change_tables.pairs(found) == ()  # two models may be the base
    models = [
        replace(each, tuned_from="before" if each.name == "after" else None)
        for each in found.provenance.models
    ]
    stated = replace(found, provenance=replace(found.provenance, models=tuple(models)))
    assert change_tables.pairs(stated) == (FineTuning("before", "after"),)
    assert change_tables.pairs(replace(stated, scores=stated.scores[["mincorr"]])) == ()
    unscored = stated.scores[["cka"]] * np.nan
    assert change_tables.pairs(replace(stated, scores=unscored)) == ()


def test_an_unknown_measure_lists_those_that_are_there():
    found = tuned(measures=("cka",))
    with pytest.raises(AssonanceError, match="you can use: cka"):
        change_tables.curve(change_tables.layers(found, PAIR), "svcca")
    with pytest.raises(AssonanceError, match="you can use: nothing"):
        change_tables.heads(found, PAIR, "attn_js")
