"""Figures fit a paper's column and page, with text that can be read and fonts that are embedded."""

import re
from dataclasses import replace

import pytest
from comparisons import comparison, tuned
from drawn import faults
from matplotlib.figure import Figure
from matplotlib.text import Text

from assonance.errors import AssonanceError
from assonance.plots import paper
from assonance.plots.gallery import Gallery

LONG = ("hubert-mini-of-another-seed", "wav2vec2-mini", "a-model-with-a-very-long-name")
FIGURES = [
    *(("matrix", "cka"), ("matrix", "linreg_heldout"), ("depth", "cka"), ("matches", "cka")),
    *(("localisation", None), ("neurons", None), ("heads", None), ("heads", "attn_js")),
    ("trust", None),
]
every_width = pytest.mark.parametrize("width", ["column", "page"])


@pytest.fixture(scope="module")
def large():
    """Three models of 13, 25 and 5 layers, with long names."""
    measures = ("cka", "linreg_heldout", "linreg_heldout_r", "maxcorr", "attn_js", "localisation")
    return comparison(LONG, (13, 25, 5), measures, baseline=True)


def drawn(text: Text) -> bool:
    return text.get_visible() and bool(text.get_text())


@every_width
@pytest.mark.parametrize(("kind", "measure"), FIGURES)
def test_no_text_is_cut_small_or_on_another(found, kind, measure, width):
    check(Gallery(found).draw(kind, measure, width=width), width)


@pytest.mark.parametrize(
    ("kind", "measure"), [("matrix", "cka"), ("depth", "cka"), ("heads", None)]
)
def test_no_text_is_cut_or_on_another_where_there_is_much_of_it(large, kind, measure):
    check(Gallery(large).draw(kind, measure, width="column"), "column")


def check(figure, width):
    assert figure.get_figwidth() == pytest.approx(paper.SIZES[width].inches)
    assert faults(figure) == []
    assert min(text.get_fontsize() for text in figure.findobj(Text) if drawn(text)) >= 7


@every_width
def test_what_fine_tuning_changed_fits_too(width):
    made = tuned()
    models = [
        replace(each, seed_of="before") if each.name == "again" else each
        for each in made.provenance.models
    ]
    made = replace(made, provenance=replace(made.provenance, models=tuple(models)))
    figure = Gallery(made).draw("change", "cka", width=width)
    assert faults(figure) == []


def test_faults_are_found_where_there_are_some():
    figure = Figure((1, 1))
    figure.text(0.5, 0.5, "one")
    figure.text(0.5, 0.5, "two")
    figure.text(0.9, 0.1, "a long text")
    assert [each.partition(":")[0] for each in faults(figure)] == [
        "cut at a side",
        "on one another",
    ]


@pytest.mark.parametrize(("kind", "measure"), [("matrix", "cka"), ("depth", "cka")])
def test_a_pdf_embeds_truetype_and_holds_no_image(found, kind, measure):
    content = paper.content(Gallery(found).draw(kind, measure, width="column"), "pdf")
    fonts = re.findall(rb"/Subtype /(Type\w+|CIDFontType\w+|TrueType)", content)
    assert b"CIDFontType2" in fonts
    assert b"/FontFile2" in content
    assert b"Type3" not in fonts
    assert b"/Subtype /Image" not in content


def test_text_of_an_svg_is_text(found):
    content = paper.content(Gallery(found).matrix("cka", width="page"), "svg")
    assert b"<text" in content
    assert b"<image" not in content


@pytest.mark.parametrize("kind", paper.FORMATS)
def test_the_same_figure_gives_the_same_bytes(found, kind):
    one, other = (
        paper.content(Gallery(found).matrix("cka", width="column"), kind) for _ in range(2)
    )
    assert one == other


def test_cells_of_a_matrix_are_its_table(found):
    from assonance.tables.layers import matrix

    axes = Gallery(found).matrix("cka", width="column").axes[0]
    (mesh,) = axes.collections
    assert axes.images == [] or len(axes.images) == 0
    assert mesh.get_array().reshape(9, 9).tolist() == matrix(found, "cka").to_numpy().tolist()
    assert mesh.get_cmap().name == "cividis"


def test_a_title_of_one_s_own_replaces_the_figure_s(found):
    figure = Gallery(found).matrix("cka", width="column", title="Mine: $5")
    assert figure.get_suptitle() == r"Mine: \$5"
    assert Gallery(found).matrix("cka", width="column", title="").get_suptitle() == ""


def test_models_and_layers_can_be_chosen(found):
    first, second = found.models
    figure = Gallery(found).matrix("cka", models=[second], layers=[0, 2], width="column")
    (mesh,) = figure.axes[0].collections
    tile = found.matrix("cka", second, second).sel(
        layer_row=["encoder.0", "encoder.2"], layer_col=["encoder.0", "encoder.2"]
    )
    assert mesh.get_array().reshape(2, 2).tolist() == tile.to_numpy().tolist()
    assert first not in [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        ({"kind": "matrx"}, "did you mean matrix"),
        ({"kind": "matrix", "measure": "ckaa"}, "did you mean cka"),
        ({"kind": "matrix", "width": "colum"}, "choose from column, page, screen"),
        ({"kind": "trust", "measure": "cka"}, "is of no single measure"),
        ({"kind": "neurons", "row": "hubert-a:3"}, "give both layers"),
        ({"kind": "change"}, "--tuned-from"),
    ],
    ids=lambda each: " ".join(each.values()) if isinstance(each, dict) else "",
)
def test_what_cannot_be_drawn_is_one_line(found, ask, words):
    with pytest.raises(AssonanceError, match=words) as caught:
        Gallery(found).draw(**ask)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_kind_is_refused(found, tmp_path):
    with pytest.raises(AssonanceError, match=r"ends in one of \.pdf, \.svg, \.png"):
        paper.save(Gallery(found).matrix("cka"), tmp_path / "figure.jpg")
    assert list(tmp_path.iterdir()) == []
