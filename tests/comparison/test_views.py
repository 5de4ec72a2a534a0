"""A comparison shows itself: in one line, in a notebook, as tables, figures, texts and a page."""

import pytest
from comparisons import comparison

from assonance.tables.best_layers import behind_best


@pytest.fixture(scope="module")
def made():
    return comparison(measures=("cka", "maxcorr", "linreg_heldout_r", "linreg_heldout"))


def test_it_is_one_short_line(made):
    assert repr(made) == "<Comparison of hubert-a and wav2vec2-b by 4 measures>"


def test_in_a_notebook_names_are_escaped():
    html = comparison(("<b>", "x"), (2, 2), ("cka",))._repr_html_()
    assert "<b>hubert" not in html
    assert "&lt;b&gt;" in html
    assert html.count("<table>") == html.count("</table>") == 1


def test_the_best_layers_are_those_of_the_table(made):
    table = behind_best(made, "cka")
    found = made.best_layers("cka")
    assert set(found.index) <= set(table.index)
    assert (found["best"] | (found["p"] > 0.05)).all()
    assert found["best"].sum() == table["best"].sum()


def test_neurons_and_methods_are_those_of_the_tables(made):
    assert len(made.neurons_of("hubert-a", 3).top(2).index.unique("neuron")) == 2
    assert made.methods_text().startswith("We compared hubert-a")


def test_a_figure_is_drawn_by_its_name(made):
    assert made.plot.matrix("cka", width="column").get_figwidth() == 3.35


def test_the_report_is_written_into_a_folder_or_a_file(made, tmp_path):
    assert made.report(tmp_path) == tmp_path / "report.html"
    made.report(tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_bytes() == (tmp_path / "report.html").read_bytes()
