"""A comparison keeps its labels, its numbers and its record on disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from comparisons import comparison

from assonance import AssonanceError, Comparison
from assonance.claims.verdict import evaluate_claims
from assonance.comparison.relations import FineTuning
from assonance.comparison.results_file import FORMAT
from assonance.corpus import LeftOut
from assonance.tables import changes as change_tables


def test_what_is_loaded_is_what_was_saved(tmp_path):
    made = comparison(("hübert", "wav2vec2/ß"), notes=["beware"], left_out=[LeftOut("a", "b", "c")])
    made.save(tmp_path / "results.nc")
    found = Comparison.load(tmp_path / "results.nc")
    assert found.provenance == made.provenance
    for part in (
        "scores",
        "neurons",
        "heads",
        "replicates",
        "intervals",
        "nulls",
        "halves",
        "neuron_intervals",
        "maps",
    ):
        xr.testing.assert_identical(getattr(found, part), getattr(made, part))


def test_the_same_comparison_makes_the_same_bytes(tmp_path):
    for name in ("one.nc", "two.nc"):
        comparison().save(tmp_path / name)
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "two.nc").read_bytes()


def test_a_night_of_bad_files_fits_into_the_record(tmp_path):
    lost = [LeftOut(f"{n}", f"/speech/{n}.wav", "is not audio " * 5) for n in range(5000)]
    comparison(left_out=lost).save(tmp_path / "results.nc")
    assert len(Comparison.load(tmp_path / "results.nc").provenance.left_out) == 5000


def test_xarray_finds_the_scores_at_the_root(tmp_path):
    made = comparison()
    made.save(tmp_path / "results.nc")
    with xr.open_dataset(tmp_path / "results.nc", engine="h5netcdf") as plain:
        np.testing.assert_array_equal(plain["cka"], made.scores["cka"])


def test_a_matrix_has_the_layers_of_its_models_alone():
    made = comparison(("deep", "shallow"), (5, 3))
    matrix = made.matrix("cka", "deep", "shallow")
    assert matrix.sizes == {"layer_row": 5, "layer_col": 3}
    assert list(matrix.layer_col.values) == list(made.layers("shallow"))


def test_the_table_has_one_defined_score_a_row():
    made = comparison()
    table = made.to_dataframe()
    cell = ["model_row", "layer_row", "model_col", "layer_col"]
    assert list(table) == ["measure", *cell, "value", "estimate", "low", "high", "shifted"]
    assert table["value"].notna().all()
    defined = sum(int(array.notnull().sum()) for array in made.scores.data_vars.values())
    assert len(table) == defined
    row = table[table.measure == "cka"].iloc[7]
    cell = {key: row[key] for key in ("model_row", "layer_row", "model_col", "layer_col")}
    assert float(made.scores["cka"].sel(cell)) == row["value"]
    assert table[table.measure == "mincorr"]["model_col"].isna().all()


def test_models_and_their_twins_are_told_apart():
    made = comparison(("a", "b"), (4, 4))
    assert made.models == ("a", "b")
    assert made.twin("a") in {each.name for each in made.provenance.models}
    assert comparison(twins=False).twin("hubert-a") is None
    with pytest.raises(KeyError):
        made.layers("c")


@pytest.mark.parametrize("content", [b"", b"junk", None])
def test_what_is_no_comparison_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "other.nc"
    if content is None:
        xr.Dataset({"cka": ("x", [1.0])}).to_netcdf(path, engine="h5netcdf")
    else:
        path.write_bytes(content)
    with pytest.raises(AssonanceError, match=r"other\.nc: (is not|was not)") as caught:
        Comparison.load(path)
    assert "\n" not in str(caught.value)


def test_another_version_s_comparison_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("assonance.comparison.results_file.FORMAT", FORMAT + 1)
    comparison().save(tmp_path / "results.nc")
    monkeypatch.undo()
    with pytest.raises(AssonanceError, match="not written by this version"):
        Comparison.load(tmp_path / "results.nc")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AssonanceError, match=r"nowhere\.nc: no such file"):
        Comparison.load(tmp_path / "nowhere.nc")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AssonanceError, match=r"results\.nc: cannot be written"):
        comparison().save(tmp_path / "file" / "results.nc")


def test_a_record_survives_without_anything_optional(tmp_path):
    made = comparison(twins=False)
    bare = replace(made, heads=made.heads.drop_vars(list(made.heads.data_vars)))
    bare.save(tmp_path / "results.nc")
    assert not Comparison.load(tmp_path / "results.nc").heads.data_vars


def test_a_night_of_bad_files_is_read_back_as_it_was(tmp_path):
    lost = tuple(LeftOut(f"ид{n}", f"/речь/{n}.wav", "holds no audio") for n in range(5000))
    comparison(left_out=lost).save(tmp_path / "results.nc")
    assert Comparison.load(tmp_path / "results.nc").provenance.left_out == lost


def test_a_comparison_loaded_and_saved_again_is_the_same_file(tmp_path):
    comparison().save(tmp_path / "one.nc")
    Comparison.load(tmp_path / "one.nc").save(tmp_path / "two.nc")
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "two.nc").read_bytes()


def test_a_save_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    comparison().save(tmp_path / "results.nc")
    before = (tmp_path / "results.nc").read_bytes()

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(AssonanceError, match=r"results\.nc: cannot be written: No space left"):
        comparison(seed=1).save(tmp_path / "results.nc")
    assert [path.name for path in tmp_path.iterdir()] == ["results.nc"]
    assert (tmp_path / "results.nc").read_bytes() == before


def test_a_table_cell_by_cell_is_the_scores():
    made = comparison()
    table = made.to_dataframe()
    for name, array in made.scores.data_vars.items():
        rows = table[table.measure == name].set_index(list(array.dims))["value"]
        expected = array.to_series().dropna()
        assert rows.index.is_unique
        assert rows.sort_index().to_dict() == expected.sort_index().to_dict()


def test_a_comparison_of_nothing_is_an_empty_table():
    table = comparison(measures=[]).to_dataframe()
    assert len(table) == 0
    cell = ["model_row", "layer_row", "model_col", "layer_col"]
    assert list(table) == ["measure", *cell, "value", "estimate", "low", "high", "shifted"]


def test_a_matrix_holds_rows_by_columns():
    made = comparison(("deep", "shallow"), (5, 3))
    there, back = (
        made.matrix("linreg", *ways) for ways in (("deep", "shallow"), ("shallow", "deep"))
    )
    assert there.dims == back.dims == ("layer_row", "layer_col")
    assert back.sizes == {"layer_row": 3, "layer_col": 5}
    cell = made.scores["linreg"].sel(
        model_row="deep", layer_row="encoder.4", model_col="shallow", layer_col="encoder.1"
    )
    assert float(there.sel(layer_row="encoder.4", layer_col="encoder.1")) == float(cell)


@pytest.mark.parametrize("names", [("deep", "nobody"), ("nobody", "deep")], ids=["column", "row"])
def test_a_matrix_of_a_model_that_is_not_there_is_refused(names):
    with pytest.raises(KeyError, match="nobody"):
        comparison(("deep", "shallow"), (5, 3)).matrix("cka", *names)


@pytest.mark.parametrize("spoil", ["cut", "record"])
def test_a_spoiled_comparison_is_refused_in_one_line(tmp_path, spoil):
    path = tmp_path / "results.nc"
    made = comparison()
    if spoil == "record":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "assonance.comparison.records.Provenance.to_json", lambda self: '{"corpus": 1}'
            )
            made.save(path)
    else:
        made.save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AssonanceError, match=r"results\.nc: is not a comparison") as caught:
        Comparison.load(path)
    assert "\n" not in str(caught.value)


OLD = Path(__file__).parents[1] / "data" / "results_0.1.0.nc"


def test_a_run_of_0_1_0_loads_and_keeps_its_numbers_when_saved_again(tmp_path):
    old = Comparison.load(OLD)
    assert old.provenance.versions["assonance"] == "0.1.0"
    assert [each.tuned_from for each in old.provenance.models] == [None] * 4
    old.save(tmp_path / "results.nc")
    again = Comparison.load(tmp_path / "results.nc")
    assert again.provenance == old.provenance
    for part in ("scores", "replicates", "intervals", "nulls", "halves"):
        xr.testing.assert_identical(getattr(again, part), getattr(old, part))
    last = {"layer_row": "encoder.8", "layer_col": "encoder.8"}
    models = {"model_row": "wav2vec2-mini-large", "model_col": "wav2vec2-mini-large-ctc"}
    value = float(old.scores["cka"].sel(**last, **models))
    table = old.to_dataframe().set_index(["measure", "model_row", "layer_row", "model_col"])
    assert value in set(table["value"])
    assert change_tables.pairs(old) == (FineTuning(models["model_row"], models["model_col"]),)
    assert {each.verdict for each in evaluate_claims(old)} >= {"supported"}
