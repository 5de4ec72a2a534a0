"""Which scores the localisation index is made of, and what is said of it."""

import pytest

from assonance.inference.localisation import (
    is_localised,
    localisation_attributes,
    localisation_terms,
)

SCORES = {"linreg": 0.9, "maxcorr_rotated": 0.2, "cka": 0.4, "maxcorr": 0.6}


@pytest.mark.parametrize("lacking", ["maxcorr", "maxcorr_rotated", "linreg"])
def test_the_index_needs_all_that_it_lies_between(lacking):
    assert is_localised(SCORES)
    assert not is_localised(SCORES.keys() - {lacking})


def test_the_whole_is_the_held_out_one_where_there_is_one():
    assert localisation_terms(SCORES) == (0.6, 0.2, 0.9)
    assert localisation_terms(SCORES | {"linreg_heldout_r": 0.8}) == (0.6, 0.2, 0.8)


@pytest.mark.parametrize("whole", ["linreg", "linreg_heldout_r"])
def test_its_source_names_the_whole(whole):
    source = localisation_attributes(["maxcorr", "maxcorr_rotated", whole])["source"]
    assert source.endswith(f"Σ(maxcorr − maxcorr_rotated)/Σ({whole} − maxcorr_rotated)")
