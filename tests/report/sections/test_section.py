"""A section is made of panels, one for each measure."""

import pandas as pd
from matplotlib.figure import Figure
from pages import small

from assonance.report.pictures import picture
from assonance.report.sections.section import Panel, Section, definition, names_of, slug_of


def test_measures_are_listed_by_level_the_leading_ones_first():
    found = small(measures=("svcca", "cka", "maxcorr", "linreg_heldout", "attn_js"))
    assert names_of(found, "neuron", "layer") == ["linreg_heldout", "cka", "maxcorr", "svcca"]
    assert names_of(found, "head") == ["attn_js"]


def test_a_definition_ends_with_scale_and_source():
    found = small()
    text = definition(found, "cka")
    description = found.scores["cka"].attrs["description"]
    assert text.startswith(f"{description}. Scale: 0 to 1. Source: Kornblith et al. 2019")


def test_a_measure_names_ids_by_its_own_name():
    assert slug_of(small(), "cka") == "cka"


def test_a_section_knows_whether_scores_can_be_scaled():
    def section(reading):
        made = picture("id", Figure, pd.DataFrame(), "", "", reading)
        return Section("id", "", "", "", (Panel("", "", (made,)),))

    assert section("raw").readings
    assert not section("").readings
