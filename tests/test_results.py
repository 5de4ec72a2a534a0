"""A comparison keeps its labels, its numbers and its record on disk."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from comparisons import comparison

from assonance import AssonanceError, Comparison
from assonance.corpus import LeftOut
from assonance.results import FORMAT


def test_what_is_loaded_is_what_was_saved(tmp_path):
    made = comparison(("hübert", "wav2vec2/ß"), notes=["beware"], left_out=[LeftOut("a", "b", "c")])
    made.save(tmp_path / "results.nc")
    found = Comparison.load(tmp_path / "results.nc")
    assert found.provenance == made.provenance
    for part in ("scores", "neurons", "heads"):
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
    assert list(table) == ["measure", "model_row", "layer_row", "model_col", "layer_col", "value"]
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
    monkeypatch.setattr("assonance.results.FORMAT", FORMAT + 1)
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
