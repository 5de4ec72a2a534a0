"""The section on layers shows a matrix for each measure."""

import numpy as np
from pages import Page, small

from assonance.report.page import render
from assonance.report.sections.layers import layers_section
from assonance.tables import layers as layer_tables


def test_scores_of_a_matrix_stand_with_their_intervals():
    found = small()
    low, high = (layer_tables.matrix(found, "cka", statistic=end) for end in ("low", "high"))
    text = Page(render(found, ())).text
    for at in np.ndindex(*low.shape):
        value = layer_tables.matrix(found, "cka").iloc[at]
        assert f"{value:.3f} [{low.iloc[at]:.3f}, {high.iloc[at]:.3f}]" in text


def test_each_measure_has_a_panel_the_leading_ones_first():
    section = layers_section(small(measures=("svcca", "cka", "linreg_heldout")))
    assert [each.label for each in section.panels] == ["LinReg, held-out R²", "CKA", "SVCCA"]


def test_the_alternative_text_names_the_highest_score_between_models():
    found = small()
    (picture,) = layers_section(found).panels[0].pictures
    between = found.matrix("cka", *found.models)
    highest = max(float(between.max()), float(found.matrix("cka", *found.models[::-1]).max()))
    assert f"highest between two models: {highest:.2f}, " in picture.alternative


def test_the_caption_speaks_of_intervals_only_if_there_are_any():
    for uncertainty in (True, False):
        (picture,) = layers_section(small(uncertainty=uncertainty)).panels[0].pictures
        assert ("95 % intervals" in picture.caption) == uncertainty
