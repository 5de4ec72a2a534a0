"""Maps of heads are read as they were kept, and missed where they were not."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from comparisons import comparison

from assonance.errors import AssonanceError
from assonance.tables import head_maps


@pytest.fixture(scope="module")
def found():
    return comparison(("a", "b"), (3, 2), measures=("attn_js",))


def test_rows_of_mean_maps_sum_to_one_where_there_are_heads(found):
    there = found.heads["entropy"].notnull()
    rows = head_maps.mean_maps(found).sum("key_part", skipna=False)
    np.testing.assert_allclose(rows.to_numpy()[there.to_numpy()], 1)
    assert (rows.notnull().all("query_part") == there).all()


def test_maps_of_one_utterance_are_weights_again_and_name_it(found):
    weights = head_maps.utterance_maps(found)
    there = found.heads["entropy"].notnull()
    assert weights.attrs["utterance"] == "prompt 7"
    assert (weights.notnull().all(("query_time", "key_time")) == there).all()
    levels = found.maps["utterance_map"].sel(model_row="a", layer_row="encoder.1")[0]
    here = weights.sel(model_row="a", layer_row="encoder.1")[0]
    np.testing.assert_allclose(255 * np.sqrt(here), levels)
    np.testing.assert_allclose(here.sum("key_time"), 1, atol=0.02)


def test_a_run_without_maps_says_so(found):
    bare = replace(found, maps=xr.Dataset())
    assert not head_maps.has_maps(bare)
    assert head_maps.utterance_maps(bare) is None
    with pytest.raises(AssonanceError, match="no maps of heads were kept"):
        head_maps.mean_maps(bare)
