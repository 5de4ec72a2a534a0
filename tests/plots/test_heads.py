"""Figures of heads draw what their tables hold."""

import numpy as np
import pytest
from comparisons import comparison
from matplotlib.collections import LineCollection

from assonance.errors import AssonanceError
from assonance.plots import heads as head_plots
from assonance.plots import scales
from assonance.tables import heads as head_tables


@pytest.fixture(scope="module")
def found():
    return comparison(measures=("attn_js", "attn_frobenius", "cka"))


@pytest.mark.parametrize("measure", ["attn_js", "attn_frobenius"])
def test_matches_show_their_table(found, measure):
    table, low = head_tables.head_matches(found, measure), scales.scale(found, measure).low
    figure = head_plots.head_matches(found, measure)
    for axes, row in zip(figure.axes, found.models, strict=True):
        (col,) = set(found.models) - {row}
        (line,) = [each for each in axes.lines if each.get_label() == col]
        part = table.loc[row, col]
        if measure == "attn_js":
            layers = found.layers(row)
            depth = [layers.index(each) for each in part.index.get_level_values("layer_row")]
            np.testing.assert_array_equal(line.get_xdata(), depth)
            assert "positions" not in axes.get_xlabel()
        else:
            np.testing.assert_array_equal(line.get_xdata(), part["position"].clip(lower=low))
        np.testing.assert_array_equal(line.get_ydata(), part["value"].clip(lower=low))


def test_kinds_show_every_heads_profile_in_the_colour_and_letter_of_its_kind(found):
    table, figure = head_tables.heads(found), head_plots.head_kinds(found)
    for axes, model in zip(figure.axes, found.models, strict=True):
        drawn = {each.get_label(): each for each in axes.findobj(LineCollection)}
        assert len(drawn) == len(table.loc[model])
        letters = {text.get_text() for text in axes.texts}
        for (layer, head), row in table.loc[model].iterrows():
            (points,) = drawn[f"{layer} {head}"].get_segments()
            profile = found.heads["profile"].sel(
                model_row=model, layer_row=layer, offset=slice(-25, 25)
            )[head]
            heights = points[:, 1] - np.floor(points[:, 1].min() + 1e-9)
            np.testing.assert_allclose(heights, 0.72 * profile / profile.max(), atol=1e-9)
            assert f"{head_plots.LOOKS[row['kind']][0]}{head}" in letters


def test_heads_of_a_layer_are_sorted_by_kind(found):
    figure, order = (
        head_plots.head_kinds(found),
        [letter for letter, _ in head_plots.LOOKS.values()],
    )
    for axes in figure.axes:
        for column in range(4):
            inside = [text for text in axes.texts if int(text.get_position()[0]) == column]
            ranks = [
                order.index(text.get_text()[0])
                for text in sorted(inside, key=lambda text: text.get_position()[1])
            ]
            assert ranks == sorted(ranks)


def test_what_was_not_measured_of_heads_is_refused(found):
    with pytest.raises(AssonanceError, match="you can use: attn_js, attn_frobenius"):
        head_plots.head_matches(found, "attn_cka")
    with pytest.raises(AssonanceError, match="no attention was compared"):
        head_plots.head_kinds(comparison(measures=("cka",)))
