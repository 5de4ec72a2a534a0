"""Figures of a study draw what their tables hold, and are the same bytes each time."""

import io

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from drawn import faults, lines, texts
from matplotlib.figure import Figure

from assonance.report.study import pictures
from assonance.report.study.beyond import OBJECTIVES, RANDOM, SEEDS
from assonance.report.study.patterns import Cells

ROLES = ("hubert-base", "wav2vec2-large")


def cells():
    """Two models of three and two layers, one cell without a counterpart."""
    rng = np.random.default_rng(0)
    model = np.array([0, 0, 0, 1, 1])
    measured, published = rng.uniform(size=(2, 5, 5))
    for each in (measured, published):
        np.fill_diagonal(each, np.nan)
        each[0, 4] = np.nan
    layers = tuple((ROLES[number], f"encoder.{place}") for place, number in enumerate(model))
    return Cells(measured, published, model, np.array([0, 0.5, 1, 0, 1]), layers)


def retained():
    rows = [
        (measure, model, f"encoder.{k}", k / 2, 0.9 - k / 10, 0.8 - k / 5)
        for measure in ("linreg", "cka")
        for model in ROLES
        for k in range(3)
    ]
    columns = ["measure", "model", "layer", "depth", "measured", "published"]
    return pd.DataFrame(rows, columns=columns)


def by_depth(kinds=(OBJECTIVES, RANDOM, SEEDS), sizes=(3, 5)):
    """Kinds and sizes of models at three depths, each value its own."""
    keys = [(kind, size, depth) for kind in kinds for size in sizes for depth in (0, 0.5, 1)]
    whole = np.linspace(0.4, 0.9, len(keys))
    beyond = whole - 0.3
    table = {"whole": whole, "beyond": beyond}
    for name, values in (("whole", whole), ("beyond", beyond)):
        table |= {f"{name}_low": values - 0.02, f"{name}_high": values + 0.03}
    index = pd.MultiIndex.from_tuples(keys, names=("kind", "layers", "depth"))
    return pd.DataFrame(table, index=index)


def test_both_matrices_are_drawn_side_by_side_with_missing_cells_missing():
    each = cells()
    figure = pictures.pattern(each, "CKA")
    shown = figure.axes[:2]
    assert [axes.get_title() for axes in shown] == ["measured here", "published"]
    for axes, values in zip(shown, (each.measured, each.published), strict=True):
        drawn = np.ma.filled(axes.images[0].get_array(), np.nan)
        np.testing.assert_array_equal(drawn, values)
        assert axes.images[0].origin == "lower"
        assert [label.get_text() for label in axes.get_xticklabels()] == list(ROLES)
        np.testing.assert_array_equal(axes.get_xticks(), [1, 3.5])
        assert [line.get_xdata()[0] for line in axes.lines if line.get_xdata()[0] > 1] == [2.5]


def test_colours_run_over_the_own_range_of_each_matrix():
    each = cells()
    each.published[:] *= 10
    ranges = [axes.images[0].get_clim() for axes in pictures.pattern(each, "CKA").axes[:2]]
    for found, values in zip(ranges, (each.measured, each.published), strict=True):
        assert found == pytest.approx((np.nanmin(values), np.nanmax(values)))


def test_each_pair_of_layers_is_a_dot_within_or_across_models():
    each = cells()
    dots = pictures.pattern(each, "CKA").axes[2].lines
    within = each.model[:, None] == each.model[None, :]
    assert [line.get_label() for line in dots] == ["across models", "within a model"]
    for line, at in zip(dots, (~within, within), strict=True):
        kept = at & np.isfinite(each.measured)
        np.testing.assert_array_equal(line.get_xdata(), each.published[kept])
        np.testing.assert_array_equal(line.get_ydata(), each.measured[kept])


def test_what_fine_tuning_retains_is_drawn_here_and_as_published():
    table = retained()
    figure = pictures.retained(table, {"linreg": "LinReg"})
    assert [axes.get_title() for axes in figure.axes] == ["LinReg", "cka"]  # no title: the name
    drawn = lines(figure)
    for place, measure in enumerate(("linreg", "cka")):
        for model in ROLES:
            part = table[(table["measure"] == measure) & (table["model"] == model)]
            for column, words in (("measured", "here"), ("published", "published")):
                np.testing.assert_array_equal(drawn[place, f"{model}, {words}"], part[column])
    styles = {line.get_label(): line.get_linestyle() for line in figure.axes[0].lines}
    assert styles[f"{ROLES[0]}, here"] == "-"
    assert styles[f"{ROLES[0]}, published"] == ":"


def test_what_survives_the_spectrum_is_drawn_by_size_with_its_intervals():
    table = by_depth()
    figure = pictures.beyond(table)
    assert [axes.get_title() for axes in figure.axes] == [
        "models of 2 blocks",
        "models of 4 blocks",
    ]
    drawn = lines(figure)
    for place, size in enumerate((3, 5)):
        for kind, words in pictures._WORDS.items():
            part = table.xs((kind, size), level=("kind", "layers"))
            np.testing.assert_array_equal(drawn[place, f"{words}, R²"], part["whole"])
            np.testing.assert_array_equal(
                drawn[place, f"{words}, spectrum partialled out"], part["beyond"]
            )
        bands = [each.get_paths()[0].vertices[:, 1] for each in figure.axes[place].collections]
        part = table.xs((OBJECTIVES, size), level=("kind", "layers"))
        assert (bands[0].min(), bands[0].max()) == pytest.approx(
            (part["whole_low"].min(), part["whole_high"].max())
        )


def test_a_kind_without_pairs_is_left_out():
    shown = texts(pictures.beyond(by_depth(kinds=(OBJECTIVES,), sizes=(3,))))
    assert "other objective" in shown
    assert "floor" not in shown
    assert "ceiling" not in shown


def test_a_partial_score_below_zero_is_within_the_axes():
    table = by_depth()
    table["beyond_low"] -= 0.5
    assert pictures.beyond(table).axes[0].get_ylim()[0] <= table["beyond_low"].min()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: pictures.pattern(cells(), "CKA"),
        lambda: pictures.retained(retained(), {}),
        lambda: pictures.beyond(by_depth()),
    ],
    ids=["pattern", "retained", "beyond"],
)
def test_no_text_is_cut_or_lies_on_another(draw):
    assert faults(draw()) == []


def test_the_same_figure_gives_the_same_svg():
    first, second = (pictures.svg(pictures.pattern(cells(), "CKA")) for _ in range(2))
    assert first == second
    assert first.startswith("<?xml")
    assert "CKA</text>" in first  # text stays text
    assert not any(line.endswith(" ") for line in first.splitlines())


def test_a_svg_has_no_date():
    text = pictures.svg(Figure(figsize=(1, 1)))
    assert "<dc:date>" not in text


def test_a_pixel_of_a_matrix_has_its_colour():
    """Cells keep their places on the way to a file: the highest score is the brightest."""
    each = cells()
    figure = pictures.pattern(each, "CKA")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    file.seek(0)
    image = matplotlib.image.imread(file)
    best = np.unravel_index(np.nanargmax(each.measured), each.measured.shape)
    column, row = figure.axes[0].transData.transform((best[1] + 0.3, best[0] + 0.3))
    pixel = image[round(image.shape[0] - row), round(column), :3]
    np.testing.assert_allclose(pixel, figure.axes[0].images[0].get_cmap()(1.0)[:3], atol=0.02)
