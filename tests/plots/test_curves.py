"""Curves have one style per model, few ticks, and a legend entry for each reference."""

import pytest
from comparisons import comparison
from matplotlib.figure import Figure

from assonance.plots import curves
from assonance.plots.scales import Scale
from assonance.tables import floors_and_ceilings
from assonance.tables import matches as match_tables


def test_no_two_models_look_the_same():
    found = comparison([f"m{k}" for k in range(9)], [2] * 9, ("cka",), twins=False)
    looks = {tuple(curves.style(found, name).items()) for name in found.models}
    assert len(looks) == 9


def test_long_names_are_shortened_in_the_middle_and_carry_no_mathematics():
    assert curves.short("model") == "model"
    assert curves.short("a" * 20 + "b" * 20, 10) == "aaaaa…bbbb"
    assert curves.short("$x$") == r"\$x\$"


@pytest.mark.parametrize("count", [1, 2, 13, 14, 25, 49])
def test_layers_have_at_most_thirteen_ticks_at_their_relative_depth(count):
    layers = [f"encoder.{k}" for k in range(count)]
    places, labels = curves.depth_ticks(layers)
    assert len(places) == len(labels) <= 13
    assert places[0] == 0
    for place, label in zip(places, labels, strict=True):
        assert place == layers.index(label) / max(count - 1, 1)


def test_the_value_axis_marks_ends_where_values_beyond_are_drawn():
    axes = Figure().add_subplot()
    curves.value_axis(axes, Scale(0.0, 1.0, clipped=True, capped=True))
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["≤ 0", "0.2", "0.4", "0.6", "0.8", "≥ 1"]


def test_each_reference_that_is_drawn_has_a_legend_entry_in_its_style(found):
    table = match_tables.best_layers(found, "cka")
    references = floors_and_ceilings.drawn(table, "cka")
    handles = curves.reference_handles(references)
    assert [each.get_label() for each in handles] == [each.label for each in references]
    assert [each.get_linestyle() for each in handles] == [each.line.style for each in references]


def test_there_is_one_panel_per_model():
    made = comparison(("a", "b", "c"), (3, 4, 2), ("cka",))
    figure, panels = curves.panels(made)
    assert list(panels) == list(made.models)
    assert len(figure.axes) == 3
