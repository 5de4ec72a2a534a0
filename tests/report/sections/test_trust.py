"""The section on trust states overfitting, dominance and intervals."""

import re
from dataclasses import replace

from comparisons import comparison
from pages import Page, small

from assonance.report.page import render
from assonance.report.sections.trust import trust_section


def test_the_caption_states_the_overfitting():
    text = Page(render(comparison(layers=(3, 2)), ())).text
    assert re.search(r"on average [\d.]+ of the in-sample mean of [\d.]+", text)


def test_the_section_states_where_intervals_come_from_and_where_they_fail():
    found = small()
    text = trust_section(found).text
    assert f"Intervals come from {found.method} and generalise to " in text
    assert "SVCCA and PWCCA have none" in text


def test_the_root_in_linreg_is_a_caveat_only_where_regressions_were_fitted_again():
    found = small()
    assert "LinReg's r" in trust_section(found).text
    held = found.replicates.copy(deep=True)
    for name in held.data_vars:
        held[name].attrs["coefficients_held"] = 1
    text = trust_section(replace(found, replicates=held)).text
    assert "LinReg's r" not in text
    assert "with the coefficients of regressions held fixed" in text


def test_without_intervals_the_section_says_so_and_nothing_more_of_them():
    found = small(measures=("linreg", "linreg_heldout_r"), uncertainty=False)
    text = trust_section(found).text
    assert text.endswith("No intervals were computed.")
    assert "SVCCA" not in text


def test_the_null_is_tabled_by_measure():
    (chance, *_) = trust_section(small()).panels[0].pictures
    assert [each.text for each in chance.grid.head[0]][:3] == [
        "measure",
        "between models",
        "null: circular shifts",
    ]
    assert [labels for labels, _ in chance.grid.body] == [("CKA",)]
