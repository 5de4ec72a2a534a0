"""The section on best matches draws scores with their references."""

from pages import Page, small

from assonance.report.page import render
from assonance.report.sections.matches import curves, matches_section
from assonance.tables import matches as match_tables


def test_the_acoustics_are_shown_as_a_floor_and_never_as_a_model():
    page = Page(render(small(measures=("cka", "linreg_heldout", "maxcorr"), baseline=True), ()))
    top = page.text[: page.text.index("How similar are the layers?")]
    assert "log-mel frames (mel), for what the acoustics alone explain" in top
    assert "Dash-dotted: log-mel baseline" in page.text
    assert "of the variance that the other model explains" in page.text
    assert "With only 80 bands to match" in page.text
    assert "at most 80 directions" in page.text
    assert "baseline for what the acoustics alone explain" in page.text


def test_a_caption_explains_every_line_that_is_drawn():
    found = small(baseline=True)
    raw, scaled = curves(found, "cka", "curves")
    for words in ("dashed: floor (random weights)", "dotted: ceiling (", "band: 95 % interval"):
        assert words in raw.caption
    assert "Dash-dotted: log-mel baseline, from " in raw.caption
    assert (raw.reading, scaled.reading) == ("raw", "share")
    (plain,) = curves(small(twins=False, uncertainty=False), "cka", "curves")
    assert "floor" not in plain.caption
    assert "interval" not in plain.caption


def test_the_table_below_the_curves_names_the_best_match_of_each_layer():
    found = small()
    raw, _ = curves(found, "cka", "curves")
    table = match_tables.best_layers(found, "cka")
    place = [each.text for each in raw.grid.head[0]].index("best-matching layer") - 3
    assert [cells[place] for _, cells in raw.grid.body] == list(table["layer_col"])


def test_one_model_alone_has_no_best_matches():
    assert matches_section(small(names=("a",), layers=(3,))) is None
