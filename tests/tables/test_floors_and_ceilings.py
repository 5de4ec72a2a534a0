"""Floors and ceilings are read off the right cells, and a new one is one entry."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from comparisons import comparison
from drawn import lines, texts

from assonance.plots import matches as match_plots
from assonance.plots import trust as trust_plots
from assonance.report import summary
from assonance.report.appendix import tables
from assonance.report.matches import Matches
from assonance.tables import cells, floors_and_ceilings
from assonance.tables import matches as match_tables
from assonance.tables import trust as trust_tables
from assonance.tables.floors_and_ceilings import REFERENCES, Line, Reference

NAMES = ("hubert-a", "hubert-b", "wav2vec2-c")


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
        other = {"hubert-a": "hubert-b", "hubert-b": "hubert-a"}.get(row)
        seed = here.sel(model_col=other).max() if other else np.nan
        assert each["seed"] == pytest.approx(float(seed), nan_ok=True)
        assert col != row


def test_a_share_is_the_way_from_floor_to_ceiling():
    value, floor, ceiling = (
        pd.Series(each) for each in ([0.5, 0.1, 0.5], [0.2] * 3, [0.8, 1, 0.2])
    )
    share = floors_and_ceilings.share(value, floor, ceiling)
    np.testing.assert_allclose(share, [0.5, -0.125, np.nan])


def test_the_baseline_is_what_log_mel_frames_reach_of_each_layer():
    made = comparison(NAMES, (4, 4, 3), baseline=True)
    assert made.models == NAMES
    table = match_tables.best_layers(made, "linreg_heldout")
    known = made.intervals["linreg_heldout"].sel(model_col="mel", layer_col="encoder.0")
    for (row, _, layer), each in table.iterrows():
        here = known.sel(model_row=row, layer_row=layer)
        for name, end in (("", "estimate"), ("_low", "low"), ("_high", "high")):
            assert each[f"baseline{name}"] == here.sel(statistic=end)
        expected = max(each["baseline"], 0) / each["estimate"] if each["estimate"] > 0 else np.nan
        assert each["baseline_fraction"] == pytest.approx(expected, nan_ok=True)
    assert "baseline_fraction" not in match_tables.best_layers(made, "cka")
    mean = float(made.scores["cka"].sel(model_row=list(NAMES), model_col="mel").mean())
    assert trust_tables.chance_by_measure(made).loc["cka", "baseline"] == pytest.approx(mean)


def test_where_layers_were_not_shifted_the_nearest_that_were_stand_for_them(found):
    first, last = found.layers(NAMES[2])[0], found.layers(NAMES[2])[-1]
    some = found.nulls.where(found.nulls["layer_col"].isin([first, last]))
    few = replace(found, nulls=some)
    where = pd.DataFrame(
        {"layer_col": [found.layers(NAMES[2])[1]]},
        index=pd.MultiIndex.from_tuples(
            [(NAMES[0], NAMES[2], "encoder.1")], names=["model_row", "model_col", "layer_row"]
        ),
    ).assign(estimate=0.5)
    read = floors_and_ceilings.columns(few, "cka", where)["shifted"].item()
    null = found.nulls["cka"].mean("shift")
    cell = {"model_row": NAMES[0], "model_col": NAMES[2], "layer_row": "encoder.1"}
    assert read == null.sel(cell, drop=True).sel(layer_col=first).item()


def test_without_log_mel_frames_there_is_no_baseline(found):
    assert not match_tables.best_layers(found, "cka").columns.str.contains("baseline").any()
    assert trust_tables.chance_by_measure(found)["baseline"].isna().all()


def test_each_reference_has_a_name_of_its_own():
    names = [each.name for each in REFERENCES]
    assert len(set(names)) == len(names)
    assert floors_and_ceilings.headings()["seed"] == "ceiling: second seed"


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        ("cka", "random weights"),
        ("maxcorr", "randomly rotated neurons"),
        ("maxcorr_rotated", None),
    ],
)
def test_the_floor_of_a_measure_follows_from_its_kind(found, measure, words):
    floor = floors_and_ceilings.floor(match_tables.best_layers(found, measure), measure)
    assert (floor and floor.words) == words


def test_figures_draw_the_second_seed_or_else_the_neighbouring_layer(found):
    table = match_tables.best_layers(found, "cka")
    assert floors_and_ceilings.ceiling(table, "cka").name == "second seed"
    drawn = floors_and_ceilings.drawn(table, "cka")
    assert [each.name for each in drawn] == ["random weights", "second seed"]
    drawn = floors_and_ceilings.drawn(table.drop(columns="seed"), "cka")
    assert [each.name for each in drawn] == ["random weights", "neighbour"]


SILENCE = Reference(
    name="silence",
    column="silence",
    kind="floor",
    words="frames of silence",
    of=lambda comparison, measure, best: pd.DataFrame({"silence": 0.125}, index=best.index),
    line=Line((0, (1, 5)), "sparsely dotted", "#123456"),
    mean=lambda comparison, measure: 0.125,
    phrase=lambda measure: "with silence",
)


def test_a_new_floor_is_one_entry(monkeypatch):
    monkeypatch.setattr(floors_and_ceilings, "REFERENCES", (*REFERENCES, SILENCE))
    found = comparison(measures=("cka",))
    table = match_tables.best_layers(found, "cka")
    assert (table["silence"] == 0.125).all()
    figure = match_plots.depth_curves(found, "cka")
    drawn = lines(figure)
    for place, row in enumerate(found.models):
        heights = [0.125] * len(found.layers(row))
        assert drawn[place, "floor: frames of silence"].tolist() == heights
    assert "floor: frames of silence" in texts(figure)
    assert (trust_tables.chance_by_measure(found)["silence"] == 0.125).all()
    assert "floor: frames of silence" in texts(trust_plots.chance(found))
    appendix = {each.id: each.grid for each in tables(Matches(found), ())}
    for name in ("table-depth-0", "table-chance"):
        headings = [each.text for each in appendix[name].head[-1]]
        assert "floor: frames of silence" in headings
    assert any("with silence 0.1" in sentence for sentence in summary.sentences(found))
