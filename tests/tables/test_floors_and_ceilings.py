"""Floors and ceilings are what they say; p values are counted and corrected."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from comparisons import comparison

from assonance.inference.intervals import STATISTICS
from assonance.plots import trust as trust_plots
from assonance.tables import cells, floors_and_ceilings
from assonance.tables import matches as match_tables
from assonance.tables import trust as trust_tables

NAMES = ("hubert-a", "hubert-b", "wav2vec2-c")


@pytest.fixture(scope="module")
def found():
    made = comparison(NAMES, (4, 4, 3))
    models = [
        replace(each, seed_of="hubert-a") if each.name == "hubert-b" else each
        for each in made.provenance.models
    ]
    return replace(made, provenance=replace(made.provenance, models=tuple(models)))


def test_estimates_are_scores_where_there_is_no_interval(found):
    assert cells.estimates(found, "svcca").equals(found.scores["svcca"])
    cka = found.intervals["cka"].sel(statistic="estimate")
    np.testing.assert_array_equal(cells.estimates(found, "cka"), cka)
    assert list(cka["statistic"].values.ravel()) == [STATISTICS[0]]


def test_a_ceiling_is_another_seed_a_neighbour_or_half_a_layer(found):
    table = match_tables.best_layers(found, "cka")
    scores = cells.estimates(found, "cka")
    for (row, col, layer), each in table.iterrows():
        here = scores.sel(model_row=row, layer_row=layer)
        layers = found.layers(row)
        place = layers.index(layer)
        beside = [layers[k] for k in (place - 1, place + 1) if 0 <= k < len(layers)]
        assert each["neighbour"] == here.sel(model_col=row, layer_col=beside).max()
        assert each["halves"] == found.halves["cka"].sel(model_row=row, layer_row=layer)
        seed = here.sel(model_col="hubert-b").max() if row == "hubert-a" else np.nan
        assert each["seed"] == pytest.approx(float(seed), nan_ok=True)
        assert col != row


def test_a_share_is_the_way_from_floor_to_ceiling():
    value, floor, ceiling = (
        pd.Series(each) for each in ([0.5, 0.1, 0.5], [0.2] * 3, [0.8, 1, 0.2])
    )
    share = floors_and_ceilings.share(value, floor, ceiling)
    np.testing.assert_allclose(share, [0.5, -0.125, np.nan])


def test_the_acoustics_are_what_log_mel_frames_reach_of_each_layer():
    made = comparison(NAMES, (4, 4, 3), baseline=True)
    assert made.models == NAMES
    table = match_tables.best_layers(made, "linreg_heldout")
    known = made.intervals["linreg_heldout"].sel(model_col="mel", layer_col="encoder.0")
    for (row, _, layer), each in table.iterrows():
        here = known.sel(model_row=row, layer_row=layer)
        for name, end in (("", "estimate"), ("_low", "low"), ("_high", "high")):
            assert each[f"acoustics{name}"] == here.sel(statistic=end)
        expected = max(each["acoustics"], 0) / each["estimate"] if each["estimate"] > 0 else np.nan
        assert each["of_acoustics"] == pytest.approx(expected, nan_ok=True)
    assert "of_acoustics" not in match_tables.best_layers(made, "cka")
    mean = float(made.scores["cka"].sel(model_row=list(NAMES), model_col="mel").mean())
    assert trust_tables.chance_by_measure(made).loc["cka", "acoustics"] == pytest.approx(mean)


def test_without_log_mel_frames_nothing_is_said_of_the_acoustics(found):
    assert not match_tables.best_layers(found, "cka").columns.str.contains("acoustics").any()
    assert trust_tables.chance_by_measure(found)["acoustics"].isna().all()


def test_chance_is_counted_for_layers_of_different_models(found):
    table = trust_tables.chance(found, "cka")
    assert len(table) == 2 * (4 * 4 + 4 * 3 + 4 * 3)
    for cell, each in table.iterrows():
        at = dict(zip(table.index.names, cell, strict=True))
        nulls = found.nulls["cka"].sel(at).values
        reached = (nulls >= each["value"]).sum()
        assert each["p"] == (1 + reached) / (1 + len(nulls))
        assert each["shifted"] == pytest.approx(nulls.mean())
    # Benjamini and Hochberg's step-up rule, written out.
    p = np.sort(table["p"].to_numpy())
    for level in (0.1, 0.2, 0.3):
        passing = np.flatnonzero(p <= level * np.arange(1, len(p) + 1) / len(p))
        most = p[passing[-1]] if passing.size else -1
        assert ((table["q"] <= level + 1e-12) == (table["p"] <= most)).all()


def test_measures_stand_beside_shifted_speech_and_random_weights(found):
    table = trust_tables.chance_by_measure(found)
    assert "cka" in table.index
    assert "attn_js" not in table.index
    assert table.loc["cka", "least p"] == 1 / 5
    assert table.loc["cka", "value"] == pytest.approx(
        trust_tables.chance(found, "cka")["value"].mean()
    )
    assert trust_plots.chance(found).axes[0].get_yticklabels()


def test_without_twins_or_shifts_there_is_less_to_say():
    plain = comparison(("a", "b"), (3, 3), twins=False)
    assert trust_tables.chance_by_measure(plain)["random weights"].isna().all()
    nothing = comparison(("a", "b"), (3, 3), uncertainty=False)
    assert trust_tables.chance(nothing, "cka").empty
    assert trust_tables.chance_by_measure(nothing).empty
