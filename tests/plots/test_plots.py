"""Figures draw what their tables hold, on scales that they state."""

import numpy as np
import pytest
from comparisons import LAYER_MEASURES, comparison
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from assonance.errors import AssonanceError
from assonance.plots import curves, scales
from assonance.plots import layers as layer_plots
from assonance.plots import matches as match_plots
from assonance.plots import neurons as neuron_plots
from assonance.plots import trust as trust_plots
from assonance.tables import cells, floors_and_ceilings
from assonance.tables import layers as layer_tables
from assonance.tables import matches as match_tables
from assonance.tables import neurons as neuron_tables


@pytest.fixture(scope="module")
def found():
    return comparison()


def texts(figure: Figure) -> str:
    """All that is written in a figure."""
    figure.draw_without_rendering()
    return "\n".join(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))


def lines(figure: Figure) -> dict[tuple[int, str], np.ndarray]:
    """What each labelled line of each panel shows."""
    return {
        (place, str(line.get_label())): np.asarray(line.get_ydata(), float)
        for place, axes in enumerate(figure.axes)
        for line in axes.lines
    }


@pytest.mark.parametrize("measure", LAYER_MEASURES)
def test_matrix_shows_its_table(found, measure):
    table = layer_tables.matrix(found, measure)
    (image,) = layer_plots.matrix(found, measure).axes[0].images
    np.testing.assert_array_equal(np.ma.filled(image.get_array(), np.nan), table.to_numpy())
    for row in found.models:
        for col in found.models:
            tile = found.matrix(measure, row, col).to_numpy()
            np.testing.assert_array_equal(table.loc[row, col].to_numpy(), tile)


def test_matrix_begins_at_the_bottom_left_and_names_models_and_layers(found):
    figure = layer_plots.matrix(found, "cka")
    axes = figure.axes[0]
    bottom, top = axes.get_ylim()
    assert bottom < top
    assert [label.get_text() for label in axes.get_xticklabels()][:6] == [
        *(f"encoder.{k}" for k in range(5)),
        "encoder.0",
    ]
    names = [each.get_text() for each in axes.texts if isinstance(each, Annotation)]
    assert (tuple(names[::2]), tuple(names[1::2])) == (found.models, found.models)


def test_matrix_names_many_models_in_full():
    names = tuple(f"model-number-{k}-of-many" for k in range(9))
    axes = layer_plots.matrix(comparison(names, (3,) * 9), "cka").axes[0]
    written = [each.get_text() for each in axes.texts if isinstance(each, Annotation)]
    assert set(written) == set(names)


def test_matrix_adds_twins_when_asked(found):
    assert len(layer_tables.matrix(found, "cka")) == 9
    table = layer_tables.matrix(found, "cka", twins=True)
    assert len(table) == 18
    twins = [found.twin(model) for model in found.models]
    assert table.loc[twins, twins].isna().all(axis=None)
    (image,) = layer_plots.matrix(found, "cka", twins=True).axes[0].images
    assert np.ma.getmaskarray(image.get_array()).sum() == table.isna().sum().sum()


@pytest.mark.parametrize("measure", [*LAYER_MEASURES, "attn_js", "attn_pearson"])
def test_colours_do_not_depend_on_the_values(measure):
    limits = set()
    for seed in (1, 2):
        (image,) = layer_plots.matrix(comparison(seed=seed), measure).axes[0].images
        assert type(image.norm) is Normalize
        limits.add((image.norm.vmin, image.norm.vmax))
    assert len(limits) == 1


@pytest.mark.parametrize("measure", ["linreg_heldout", "cka", "attn_js", "attn_frobenius"])
def test_the_scale_is_stated(found, measure):
    assert f"colours: {scales.scale(found, measure)}" in texts(layer_plots.matrix(found, measure))


def test_what_is_below_the_scale_is_said_to_be_drawn_at_its_foot(found):
    scale = scales.scale(found, "linreg_heldout")
    assert (scale.low, scale.high, scale.clipped) == (0, 1, True)
    assert "lower values drawn as 0" in str(scale)
    assert "≤ 0" in texts(match_plots.depth_curves(found, "linreg_heldout"))
    assert "≤ 0" not in texts(match_plots.depth_curves(found, "cka"))


def test_a_measure_that_is_negative_throughout_has_room(found):
    scale = scales.scale(found, "attn_frobenius")
    assert scale.low <= np.nanmin(layer_tables.matrix(found, "attn_frobenius")) < 0


def test_a_measure_without_upper_bound_has_room():
    found = comparison(measures=("cka",))
    found.scores["cka"].attrs["range"] = [0, np.inf]
    assert scales.scale(found, "cka").high == 1
    found.scores["cka"] = found.scores["cka"] * 10
    assert scales.scale(found, "cka").high >= layer_tables.matrix(found, "cka").max(axis=None)


def test_no_two_models_look_the_same():
    found = comparison([f"m{k}" for k in range(9)], [2] * 9, ("cka",), twins=False)
    looks = {tuple(curves.style(found, name).items()) for name in found.models}
    assert len(looks) == 9


def test_numbers_stand_in_cells_where_they_fit(found):
    large = comparison(("a", "b"), (13, 25))
    for made, count in ((found, 81), (large, 0)):
        written = layer_plots.matrix(made, "cka").axes[0].texts
        assert sum(not isinstance(each, Annotation) for each in written) == count


@pytest.mark.parametrize("measure", ["linreg_heldout", "maxcorr", "attn_js"])
def test_curves_show_their_table(found, measure):
    table, drawn = (
        match_tables.best_layers(found, measure),
        lines(match_plots.depth_curves(found, measure)),
    )
    low = scales.scale(found, measure).low
    for place, row in enumerate(found.models):
        for col in set(found.models) - {row}:
            part = table.loc[row, col]
            np.testing.assert_array_equal(drawn[place, col], part["estimate"].clip(lower=low))
            np.testing.assert_array_equal(
                drawn[place, f"ceiling {col}"], part["neighbour"].clip(lower=low)
            )
            np.testing.assert_array_equal(
                drawn[place, f"floor {col}"], part["floor"].clip(lower=low)
            )


@pytest.mark.parametrize("measure", ["linreg_heldout", "maxcorr", "attn_js"])
def test_shares_show_their_table_between_floor_and_ceiling(found, measure):
    table, figure = match_tables.best_layers(found, measure), match_plots.shares(found, measure)
    drawn = lines(figure)
    for place, row in enumerate(found.models):
        for col in set(found.models) - {row}:
            part = table.loc[row, col]
            room = part["neighbour"] - part["floor"]
            for end, read in (("share", "estimate"), ("share_low", "low"), ("share_high", "high")):
                way = ((part[read] - part["floor"]) / room).where(room > 0)
                np.testing.assert_allclose(part[end], way)
            np.testing.assert_array_equal(drawn[place, col], part["share"].clip(0, 1.25))
    assert "≤ 0" in texts(figure)
    assert "≥ 1.25" in texts(figure)


def test_without_a_floor_there_is_no_share():
    with pytest.raises(AssonanceError, match="cka: has no floor or no ceiling"):
        match_plots.shares(comparison(twins=False), "cka")


def test_log_mel_frames_have_a_line_of_their_own_and_no_tile():
    made = comparison(baseline=True)
    table, figure = match_tables.best_layers(made, "cka"), match_plots.depth_curves(made, "cka")
    drawn = [line for line in figure.axes[0].lines if line.get_linestyle() == "-."]
    first, second = made.models
    (line,) = drawn
    np.testing.assert_array_equal(line.get_ydata(), table.loc[first, second]["acoustics"])
    assert floors_and_ceilings.ACOUSTICS in texts(figure)
    assert floors_and_ceilings.ACOUSTICS not in texts(match_plots.depth_curves(comparison(), "cka"))
    assert "mel" not in layer_tables.matrix(made, "cka").index.get_level_values("model")
    assert "mel" in layer_tables.matrix(made, "cka", twins=True).index.get_level_values("model")
    assert "with log-mel frames" in texts(trust_plots.chance(made))


def test_without_twins_there_is_no_floor():
    found = comparison(twins=False)
    assert floors_and_ceilings.floor_name(found, "cka") is None
    assert "floor" not in match_tables.best_layers(found, "cka")
    assert "floor" not in texts(match_plots.depth_curves(found, "cka"))
    assert floors_and_ceilings.floor_name(found, "maxcorr") == "randomly rotated neurons"


def test_the_ridge_shows_its_table(found):
    table, drawn = (
        match_tables.best_layers(found, "cka"),
        lines(match_plots.best_layers(found, "cka")),
    )
    for place, row in enumerate(found.models):
        for col in set(found.models) - {row}:
            np.testing.assert_array_equal(drawn[place, col], table.loc[row, col]["depth_col"])


def test_localisation_is_read_where_the_held_out_score_is_highest(found):
    table = match_tables.localisation(found)
    drawn = lines(match_plots.localisation(found))
    best = match_tables.best_layers(found, "linreg_heldout")
    assert table["layer_col"].tolist() == best["layer_col"].tolist()
    for (row, col, layer), each in table.iterrows():
        values = found.matrix("localisation", row, col)
        assert each["value"] == values.sel(layer_row=layer, layer_col=each["layer_col"])
    for place, row in enumerate(found.models):
        for col in set(found.models) - {row}:
            np.testing.assert_array_equal(drawn[place, col], table.loc[row, col]["estimate"])


def test_consensus_shows_its_table(found):
    table, drawn = layer_tables.consensus(found), lines(layer_plots.consensus(found))
    scores, estimates = found.scores["mincorr"], cells.estimates(found, "mincorr")
    for model in found.models:
        part = table.loc[model]
        np.testing.assert_array_equal(drawn[0, model], part["estimate"])
        np.testing.assert_array_equal(drawn[0, f"floor {model}"], part["floor"])
        for name, column, source in (
            (model, "value", scores),
            (model, "estimate", estimates),
            (found.twin(model), "floor", estimates),
        ):
            expected = source.sel(model_row=name, layer_row=part.index.to_list())
            np.testing.assert_array_equal(part[column], expected)
        for end in ("low", "high"):
            bound = found.intervals["mincorr"].sel(model_row=model, statistic=end)
            np.testing.assert_array_equal(part[end], bound.sel(layer_row=part.index.to_list()))
    assert "floor" not in layer_tables.consensus(comparison(twins=False))


def test_models_keep_the_order_in_which_they_were_given():
    found = comparison(("z", "a", "m"), (3, 4, 2))
    for measure in ("cka", "maxcorr"):
        assert match_plots.depth_curves(found, measure).axes[0].get_title() == "each layer of z"
        assert match_plots.best_layers(found, measure)
    assert match_plots.localisation(found)
    assert layer_plots.consensus(found)
    assert layer_tables.matrix(found, "cka").index.unique("model").tolist() == ["z", "a", "m"]


def test_neurons_show_their_table(found):
    pair = match_tables.best_pair(found)
    table, drawn = neuron_tables.neurons(found, *pair), lines(neuron_plots.neurons(found, *pair))
    np.testing.assert_array_equal(drawn[0, "a neuron and its best match"], table["maxcorr"])
    np.testing.assert_array_equal(
        drawn[0, "floor: best of randomly rotated neurons"], table["maxcorr_rotated"]
    )


def test_what_was_not_measured_is_refused_with_what_was():
    found = comparison(measures=("cka",))
    with pytest.raises(AssonanceError, match="you can use: cka"):
        layer_plots.matrix(found, "svcca")
    with pytest.raises(AssonanceError, match="compare with"):
        match_plots.localisation(found)
    with pytest.raises(AssonanceError, match="maxcorr"):
        neuron_plots.neurons(found, "hubert-a", "encoder.0", "wav2vec2-b", "encoder.0")
    alone = comparison(("a",), (3,))
    with pytest.raises(AssonanceError, match="one model alone"):
        match_plots.depth_curves(alone, "cka")
    assert layer_plots.matrix(alone, "cka")


def test_a_score_by_layer_alone_is_no_matrix(found):
    with pytest.raises(AssonanceError, match="mincorr"):
        layer_plots.matrix(found, "mincorr")


def test_names_are_drawn_as_they_are(tmp_path):
    name = r"a $\frac$ <b> & ünï" + "x" * 60
    figure = layer_plots.matrix(comparison((name, "b\nc"), (3, 3)), "cka")
    figure.savefig(tmp_path / "figure.svg")
    assert "'b\\nc'" in texts(figure)


def test_no_state_of_pyplot_is_touched():
    import matplotlib.pyplot as plt

    layer_plots.matrix(comparison(), "cka")
    assert plt.get_fignums() == []
