"""A selection holds the same scores of fewer models and layers."""

import numpy as np
import pytest
from comparisons import comparison

from assonance import Comparison
from assonance.errors import AssonanceError
from assonance.tables.matches import best_layers


@pytest.fixture(scope="module")
def made():
    measures = ("cka", "maxcorr", "linreg_heldout_r", "attn_js", "mincorr")
    return comparison(("a", "b", "c"), (3, 4, 2), measures, baseline=True)


def test_models_are_kept_in_the_order_wanted_with_their_controls(made):
    kept = made.select(models=["c", "a"])
    assert kept.models == ("c", "a")
    assert list(kept.twins.values()) == [("a",), ("c",)]
    assert kept.baseline == "mel"
    for row in ("c", "a"):
        for col in ("c", "a", kept.twin("a")):
            tile = made.matrix("cka", row, col).to_numpy()
            np.testing.assert_array_equal(kept.matrix("cka", row, col).to_numpy(), tile)


def test_layers_are_kept_by_number_label_or_model(made):
    assert made.select(layers=[0, "encoder.2"]).layers("a") == ("encoder.0", "encoder.2")
    kept = made.select(layers={"b": [3, 1]})
    assert (kept.layers("b"), kept.layers("a")) == (("encoder.1", "encoder.3"), made.layers("a"))
    assert kept.layers(kept.twin("b")) == ("encoder.1", "encoder.3")
    assert "encoder.0" not in set(kept.to_dataframe().query("model_row == 'b'")["layer_row"])
    assert set(best_layers(kept, "cka").loc["a", "b"]["layer_col"]) <= {"encoder.1", "encoder.3"}


def test_no_score_of_a_neuron_changes_its_kind(made):
    kept = made.select(models=["a", "b"], layers=[1])
    assert kept.neurons["maxcorr_match"].dtype == made.neurons["maxcorr_match"].dtype
    assert kept.neurons["maxcorr"].dims == made.neurons["maxcorr"].dims
    assert kept.scores["cka"].attrs == made.scores["cka"].attrs


def test_everything_selected_is_everything():
    made = comparison(("a", "b"), (3, 4), ("cka", "maxcorr", "attn_js"), baseline=True)
    scored = made.neurons["maxcorr"].notnull()
    made.neurons["maxcorr_match"] = made.neurons["maxcorr_match"].where(scored, -1)
    kept = made.select()
    parts = ("scores", "neurons", "heads", "maps", "replicates", "intervals", "nulls", "halves")
    for name in parts:
        assert getattr(kept, name).identical(getattr(made, name)), name


def test_a_selection_is_saved_and_read_as_any_comparison(made, tmp_path):
    kept = made.select(models=["a", "b"], layers=[0, 1])
    kept.save(tmp_path / "some.nc")
    assert Comparison.load(tmp_path / "some.nc").scores.identical(kept.scores)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        ({"models": ["d"]}, "model d: is not in this run"),
        ({"layers": ["encoder.9"]}, "encoder.9: does not exist"),
        ({"layers": {"c": [3]}}, "layer of c 3: does not exist"),
        ({"models": ["c"], "layers": [3]}, "c has none of them"),
    ],
    ids=str,
)
def test_what_does_not_exist_is_named(made, ask, words):
    with pytest.raises(AssonanceError, match=words):
        made.select(**ask)
