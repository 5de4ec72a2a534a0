"""The section on attention heads shows matches and kinds."""

import numpy as np
from pages import small

from assonance.report.sections.heads import heads_section
from assonance.tables import heads as head_tables


def test_the_caption_counts_the_kinds_of_heads():
    found = small(measures=("attn_js",))
    kinds = heads_section(found).panels[-1]
    assert kinds.label == "Kinds of heads"
    for kind, count in head_tables.heads(found)["kind"].value_counts().items():
        assert f"{count} {kind}" in kinds.pictures[0].caption


def test_the_caption_states_the_mean_of_best_matches_both_ways():
    found = small(measures=("attn_js",))
    _, matches = heads_section(found).panels[0].pictures
    means = head_tables.head_models(found, "attn_js")
    for row, col in (found.models, found.models[::-1]):
        assert f"{means.at[row, col]:.2f} for {row} in {col}" in matches.caption


def test_average_attention_is_no_reference_if_it_is_the_same_for_all_heads():
    found = small(measures=("attn_js",))
    _, matches = heads_section(found).panels[0].pictures
    assert "no useful reference" not in matches.caption
    defined = np.isfinite(found.heads["attn_js_position"])
    found.heads["attn_js_position"] = found.heads["attn_js_position"].where(~defined, 0.99)
    _, matches = heads_section(found).panels[0].pictures
    assert "no useful reference" in matches.caption


def test_without_attention_there_is_no_section():
    assert heads_section(small()) is None
