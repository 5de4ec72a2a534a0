"""The section on neurons shows whether single neurons match."""

from pages import small

from assonance.report.sections.neurons import neurons_section
from assonance.tables import matches as match_tables
from assonance.tables import neurons as neuron_tables

MEASURES = ("linreg_heldout", "linreg_heldout_r", "maxcorr", "maxcorr_rotated", "mincorr")


def pictures(**options):
    section = neurons_section(small(**({"measures": (*MEASURES, "localisation")} | options)))
    return {each.id: each for each in section.panels[0].pictures}


def test_neurons_localisation_curves_and_consensus_are_shown():
    assert list(pictures()) == ["signature", "localisation", "neurons-maxcorr", "consensus"]


def test_the_caption_names_the_two_layers():
    found = small(measures=MEASURES)
    row, layer_row, col, layer_col = match_tables.best_pair(found)
    signature = pictures(measures=MEASURES)["signature"]
    assert f"Each neuron of {row} {layer_row}: " in signature.caption
    assert f"from all of {col} {layer_col} (across)" in signature.caption
    table = neuron_tables.neurons(found, row, layer_row, col, layer_col)
    assert len(signature.grid.body) == len(table)


def test_every_column_of_the_neurons_has_a_heading_in_words():
    (head,) = pictures()["signature"].grid.head
    headings = [each.text for each in head]
    assert "best single match, 95 % low" in headings
    assert not any("_" in heading for heading in headings)


def test_one_model_alone_has_no_matching_neurons():
    assert neurons_section(small(names=("a",), layers=(3,), measures=MEASURES)) is None
