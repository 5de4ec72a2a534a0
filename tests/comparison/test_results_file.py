"""The file of a comparison: whole, or refused in one line; nothing outside it is read."""

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from comparisons import comparison

from assonance import AssonanceError, Comparison
from assonance.comparison.results_file import _SEAL, _SEAL_LENGTH, NO_CHECKSUM

OLD = Path(__file__).parents[1] / "data" / "results_0.1.0.nc"
CASES = 400
PARTS = ("scores", "neurons", "heads", "replicates", "intervals", "nulls", "halves")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A file with something in every part."""
    path = tmp_path_factory.mktemp("saved") / "results.nc"
    comparison(("a", "b"), (3, 2), ["cka", "maxcorr", "attn_js"]).save(path)
    return path


@pytest.fixture
def copy(saved, tmp_path):
    return Path(shutil.copy(saved, tmp_path))


def seal(path):
    """Give a file the checksum of its contents, as one who changes it on purpose would."""
    content = path.read_bytes()
    if content.endswith(b"\n") and b"SHA-256" in content[-_SEAL_LENGTH:]:
        content = content[:-_SEAL_LENGTH]
    path.write_bytes(content + _SEAL.format(hashlib.sha256(content).hexdigest()).encode())


def refusal(path):
    """Load a file that is refused; return the line."""
    with pytest.raises(AssonanceError) as caught:
        Comparison.load(path)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_any_damaged_byte_is_noticed(copy):
    content = copy.read_bytes()
    rng = np.random.default_rng(0)
    ends = [0, 1, len(content) - 2, *range(len(content) - _SEAL_LENGTH - 1, len(content), 7)]
    for place in [*ends, *rng.choice(len(content), CASES, replace=False)]:
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        copy.write_bytes(flipped)
        assert "is damaged" in refusal(copy) or place >= len(content) - _SEAL_LENGTH


@pytest.mark.parametrize("length", [0, 1, 100, -1, -_SEAL_LENGTH, -_SEAL_LENGTH - 1])
def test_a_cut_file_is_refused(copy, length):
    copy.write_bytes(copy.read_bytes()[:length])
    refusal(copy)


def test_damage_to_a_file_without_a_checksum_gives_no_traceback(tmp_path):
    path, content = tmp_path / "results.nc", OLD.read_bytes()
    rng = np.random.default_rng(1)
    for place in rng.choice(len(content), 40, replace=False):
        flipped = bytearray(content)
        flipped[place] ^= 0xFF
        path.write_bytes(flipped)
        with contextlib.suppress(AssonanceError):
            assert NO_CHECKSUM in Comparison.load(path).provenance.notes


def test_a_file_of_0_1_0_loads_with_a_note_and_gets_a_checksum_when_saved(tmp_path):
    old = Comparison.load(OLD)
    assert old.provenance.notes[-1] == NO_CHECKSUM
    old.save(tmp_path / "results.nc")
    again = Comparison.load(tmp_path / "results.nc")
    assert again.provenance.notes.count(NO_CHECKSUM) == 1
    (tmp_path / "results.nc").write_bytes((tmp_path / "results.nc").read_bytes()[:-_SEAL_LENGTH])
    assert "is damaged" in refusal(tmp_path / "results.nc")


def test_a_file_without_maps_of_heads_is_read(copy):
    edited(copy, lambda file: file.__delitem__("maps"))
    found = Comparison.load(copy)
    assert not found.maps.data_vars
    found.save(copy)
    assert Comparison.load(copy).maps.identical(found.maps)


def test_a_file_with_a_checksum_is_netcdf_for_others(saved):
    with xr.open_dataset(saved, engine="h5netcdf") as scores:
        xr.testing.assert_identical(scores["cka"].load(), Comparison.load(saved).scores["cka"])


def edited(path, change):
    """Edit the file's contents, and its checksum to suit."""
    with h5py.File(path, "r+") as file:
        change(file)
    seal(path)


def test_an_edited_file_without_a_new_checksum_is_damaged(copy):
    with h5py.File(copy, "r+") as file:
        file["cka"][0, 0, 0, 0] = 0.123
    assert "is damaged" in refusal(copy)


def test_an_edit_that_changes_nothing_else_is_read(copy):
    edited(copy, lambda file: file["cka"].__setitem__((0, 0, 0, 0), 0.123))
    assert Comparison.load(copy).scores["cka"][0, 0, 0, 0] == 0.123


def provenance(change):
    """Return an edit of the record."""

    def edit(file):
        record = json.loads(file["provenance/json"][()])
        change(record)
        text = json.dumps(record)
        del file["provenance/json"]
        file["provenance"].create_dataset("json", data=text, dtype=h5py.string_dtype())

    return edit


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.clear(),
        lambda record: record.update(models=5),
        lambda record: record["models"].pop(),
        lambda record: record["models"].reverse(),
        lambda record: record["models"][0].update(name="other"),
        lambda record: record["models"][0].update(name=5),
        lambda record: record["models"][0]["layers"].update({"encoder.99": "one more"}),
        lambda record: record["models"][0].update(layers=["encoder.0"]),
        lambda record: record["models"][1].update(name=record["models"][0]["name"]),
        lambda record: record["corpus"].update(seconds="many"),
        lambda record: record.update(notes="one"),
        lambda record: record.update(left_out=[["a", "b", "c"]]),
    ],
)
def test_an_edited_record_that_does_not_fit_is_refused(copy, change):
    edited(copy, provenance(change))
    assert "is not a comparison" in refusal(copy)


def rename_labels(file):
    file["layer_row"][0] = "encoder.7"


def other_dimensions(file):
    values = file["cka"][..., 0]
    del file["cka"]
    file["cka"] = values


def texts_for_scores(file):
    shape = file["cka"].shape
    del file["cka"]
    file.create_dataset("cka", data=np.full(shape, "x", dtype=object), dtype=h5py.string_dtype())


def texts_for_seconds(file):
    count = len(file["maps/query_time"])
    del file["maps/query_time"]
    texts = file["maps"].create_dataset("query_time", data=["x"] * count, dtype=h5py.string_dtype())
    texts.make_scale("query_time")
    file["maps/utterance_map"].dims[3].attach_scale(texts)


@pytest.mark.parametrize(
    "change", [rename_labels, other_dimensions, texts_for_scores, texts_for_seconds]
)
def test_scores_that_do_not_fit_are_refused(copy, change):
    edited(copy, change)
    assert "is not a comparison" in refusal(copy)


SECRET = b"\x00\x00\x00\x00\x00\x00\xf0\x3f" * 4096  # read as float64, ones


def external(file, place):
    shape = file["cka"].shape
    del file["cka"]
    file.create_dataset("cka", shape, "f8", external=[(str(place), 0, h5py.h5f.UNLIMITED)])


def virtual(file, place):
    with h5py.File(place.with_suffix(".h5"), "w") as other:
        other["x"] = np.ones(file["cka"].shape)
    layout = h5py.VirtualLayout(file["cka"].shape, "f8")
    layout[:] = h5py.VirtualSource(place.with_suffix(".h5"), "x", file["cka"].shape)
    del file["cka"]
    file.create_virtual_dataset("cka", layout)


def external_link(file, place):
    with h5py.File(place.with_suffix(".h5"), "w") as other:
        other["x"] = np.ones(file["cka"].shape)
    del file["cka"]
    file["cka"] = h5py.ExternalLink(str(place.with_suffix(".h5")), "x")


def soft_link(file, place):
    file["again"] = h5py.SoftLink("/cka")


def broken_link(file, place):
    file["again"] = h5py.SoftLink("/nowhere")


def cycle(file, place):
    file["neurons/again"] = file["/"]


def twice(file, place):
    file["again"] = file["cka"]


def deep(file, place):
    group = file
    for _ in range(40):
        group = group.create_group("g")


def many(file, place):
    for number in range(10_001):
        file.create_group(f"g{number}")


def fifo(file, place):
    os.mkfifo(place.with_suffix(".fifo"))
    shape = file["cka"].shape
    del file["cka"]
    pipe = str(place.with_suffix(".fifo"))
    file.create_dataset("cka", shape, "f8", external=[(pipe, 0, h5py.h5f.UNLIMITED)])


def bomb(file, place):
    file["halves"].create_dataset("big", (10**6, 10**6), "f8", chunks=(1000, 1000), compression=1)


def bomb_of_texts(file, place):
    names = np.full((101, 101), "x", dtype=object)
    file["halves"].create_dataset("big", data=names, dtype=h5py.string_dtype())


@pytest.mark.parametrize(
    "change",
    [
        *(external, virtual, external_link, soft_link, broken_link, cycle, twice, deep, many),
        *(fifo, bomb, bomb_of_texts),
    ],
)
def test_nothing_outside_a_file_or_beyond_its_size_is_read(copy, tmp_path, change):
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    edited(copy, lambda file: change(file, secret))
    assert "is not a comparison" in refusal(copy)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.nc")
    for path in (tmp_path / "pipe.nc", tmp_path, Path("/dev/zero"), tmp_path / ("x" * 5000)):
        assert "no such file" in refusal(path)


def name_in_colour(file):
    file["model_row"][0] = file["model_col"][0] = "\x9b31m"
    file["cka"].attrs["long_name"] = "two\nlines"
    provenance(lambda record: record["models"][0].update(name="\x9b31m"))(file)


@pytest.mark.parametrize("format", [3, 4])
def test_names_that_would_reach_a_terminal_raw_are_escaped(copy, format):
    edited(copy, name_in_colour)
    edited(copy, lambda file: file.attrs.__setitem__("assonance_format", format))
    found = Comparison.load(copy)
    assert found.models[0] == r"\x9b31m"
    assert found.scores["model_row"].values[0] == r"\x9b31m"
    assert found.scores["cka"].attrs["long_name"] == r"two\nlines"
    assert (NO_CHECKSUM in found.provenance.notes) == (format == 3)


def test_what_is_written_can_be_read(tmp_path):
    made = comparison(("a", "b"), (3, 2), ["cka", "maxcorr", "attn_js"])
    several = replace(made.provenance.corpus, speakers=("größe", "音声"))
    made = replace(made, provenance=replace(made.provenance, corpus=several))
    made.save(tmp_path / "results.nc")
    found = Comparison.load(tmp_path / "results.nc")
    assert found.provenance == made.provenance
    for part in PARTS:
        xr.testing.assert_identical(getattr(found, part), getattr(made, part))
