"""Matrices and the consensus draw what their tables hold, on scales that they state."""

import numpy as np
import pytest
from comparisons import LAYER_MEASURES, comparison
from drawn import lines, texts
from matplotlib.colors import Normalize
from matplotlib.text import Annotation

from assonance.errors import AssonanceError
from assonance.plots import layers as layer_plots
from assonance.plots import scales
from assonance.tables import cells
from assonance.tables import layers as layer_tables


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


def test_numbers_stand_in_cells_where_they_fit(found):
    large = comparison(("a", "b"), (13, 25))
    for made, count in ((found, 81), (large, 0)):
        written = layer_plots.matrix(made, "cka").axes[0].texts
        assert sum(not isinstance(each, Annotation) for each in written) == count


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
        assert not {"low", "high"} & set(part)  # no interval was found that holds
    assert "floor" not in layer_tables.consensus(comparison(twins=False))


def test_measures_that_were_not_computed_are_refused_with_those_that_were():
    found = comparison(measures=("cka",))
    with pytest.raises(AssonanceError, match="you can use: cka"):
        layer_plots.matrix(found, "svcca")
    assert layer_plots.matrix(comparison(("a",), (3,)), "cka")


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
