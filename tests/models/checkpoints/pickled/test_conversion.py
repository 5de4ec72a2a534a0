"""Converted weights are bit by bit those that torch reads, and settings are kept beside them."""

import argparse
import hashlib
import os
import zipfile
from collections import OrderedDict
from contextlib import contextmanager

import pytest
import torch
import transformers
from hostile_pickles import (
    GOOD,
    NONE,
    call,
    dict_of,
    list_of,
    old_text,
    sizes,
    storage,
    tensor,
    whole,
    write_legacy,
    write_zip,
)
from safetensors import safe_open
from safetensors.torch import load_file

from assonance import AssonanceError
from assonance.models.checkpoints.pickled import copying
from assonance.models.checkpoints.pickled.conversion import convert, stored_settings

FORMS = {"zip": True, "legacy": False}
DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8),
)


@pytest.fixture(params=FORMS)
def save(request, tmp_path):
    """Save by torch, in either form."""

    def to(content, name="pytorch_model.bin"):
        path = tmp_path / name
        torch.save(content, path, _use_new_zipfile_serialization=FORMS[request.param])
        return path

    return to


def bits(tensor):
    return tensor.detach().contiguous().flatten().view(torch.uint8)


def assert_same(path, expected):
    """Check converted weights against a mapping of tensors, by name, type, shape and bit."""
    found = load_file(path)
    assert found.keys() == expected.keys()
    for name, one in expected.items():
        assert found[name].dtype == one.dtype, name
        assert found[name].shape == one.shape, name
        assert torch.equal(bits(found[name]), bits(one)), name


def assert_as_torch_reads(path):
    """Check a conversion against torch's own strict reading of the same file."""
    assert_same(convert(path).path, torch.load(path, weights_only=True))


def numbers(*shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(*shape, generator=generator) * 8 - 4).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_numbers_of_every_type_stay_as_they_are(save, dtype):
    assert_as_torch_reads(save({"plain": numbers(3, 5, dtype=dtype), "one": numbers(1).to(dtype)}))


def test_types_of_all_widths_lie_in_one_file(save):
    content = {f"odd {each}": numbers(3, dtype=each) for each in DTYPES}
    assert_as_torch_reads(save(content))


def test_values_that_are_not_finite_and_negative_zero_stay(save):
    values = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-45])
    payload = torch.tensor([0x7FC12345, 0x7F800001], dtype=torch.int32).view(torch.float32)
    assert_as_torch_reads(save({"values": values, "payload": payload}))


def test_views_are_read_through_their_strides(save):
    whole = numbers(6, 8, 4)
    views = {
        "transposed": whole.transpose(0, 2),
        "sliced": whole[1:5],
        "stepped": whole[::2, 1::3],
        "column": whole[:, 3, 2],
        "channels last": numbers(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "half": numbers(4, 6, dtype=torch.float16).T,
        "bytes": numbers(4, 6, dtype=torch.bool).T,
        "of size one": whole[:1].transpose(0, 1),
        "expanded to itself": numbers(3, 1).expand(3, 1),
    }
    assert_as_torch_reads(save(views))


def test_scalars_and_empty_tensors_have_their_shapes(save):
    content = {
        "scalar": torch.tensor(2.5),
        "count": torch.tensor(7),
        "empty": torch.empty(0),
        "empty matrix": torch.empty(0, 3),
        "empty slice": numbers(4, 5)[:, 5:],
    }
    assert_as_torch_reads(save(content))
    assert_as_torch_reads(save({"nothing but empty": torch.empty(2, 0)}))


def test_tensors_that_share_a_storage_are_each_written(save):
    whole = numbers(10, 10)
    content = {"whole": whole, "tied": whole, "rows": whole[2:4], "other": numbers(3)}
    assert_as_torch_reads(save(content))


def test_parameters_and_the_metadata_of_a_module_are_no_obstacle(save):
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    assert hasattr(module.state_dict(), "_metadata")
    assert_as_torch_reads(save(module.state_dict()))
    assert_as_torch_reads(save(OrderedDict(module.named_parameters())))


def test_a_state_dict_of_transformers_is_read(save, checkpoint):
    model = transformers.AutoModel.from_pretrained(checkpoint("hubert", "large"))
    assert_as_torch_reads(save(model.state_dict()))


def test_tensors_across_the_borders_of_chunks_are_whole(save, monkeypatch):
    monkeypatch.setattr(copying, "_CHUNK", 1000)
    shared = numbers(2000)
    content = {f"size {size}": numbers(size, seed=size) for size in (1, 249, 250, 251, 999, 3000)}
    content |= {"shared": shared, "part": shared[100:1900], "turned": numbers(40, 50).T}
    assert_as_torch_reads(save(content))


@pytest.mark.parametrize(("write", "view"), [(write_zip, []), (write_legacy, [NONE])])
def test_files_of_older_torch_and_python_are_read(tmp_path, write, view):
    held = storage(old_text("0"), "torch.FloatStorage", 4, *view, word=old_text("storage"))
    parts = (held, whole(0), sizes((2, 2)), sizes((1, 2)))
    pair = list_of(old_text("weight"), call("torch._utils._rebuild_tensor", *parts))
    path = write(tmp_path / "old.bin", call("collections.OrderedDict", list_of(pair)))
    assert load_file(convert(path).path).keys() == {"weight"}
    assert_as_torch_reads(path)


@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_weights_saved_on_a_gpu_are_read(tmp_path, write):
    held = storage(kind="torch.cuda.FloatStorage")
    path = write(tmp_path / "gpu.bin", dict_of({"weight": tensor(held)}))
    expected = torch.frombuffer(bytearray(range(16)), dtype=torch.float32)
    assert_same(convert(path).path, {"weight": expected})


def test_a_zip_file_of_torch_before_byte_orders_is_read(tmp_path):
    path = write_zip(tmp_path / "old.bin", dict_of(GOOD), order=None)
    assert_as_torch_reads(path)


def test_a_zip_file_without_checksums_is_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"weight": numbers(3)}, tmp_path / "unchecked.bin")
    finally:
        torch.serialization.set_crc32_options(True)
    with zipfile.ZipFile(tmp_path / "unchecked.bin") as archive:
        assert archive.testzip() is not None
    assert_as_torch_reads(tmp_path / "unchecked.bin")


@pytest.mark.parametrize("under", ["model", "model_weight", "state_dict"])
def test_weights_are_found_where_toolkits_put_them(save, under):
    weights = {"encoder.weight": numbers(2, 3), "encoder.bias": numbers(2)}
    optimizer = {"state": {0: {"exp_avg": numbers(2, 3)}}, "param_groups": [{"lr": 0.1}]}
    path = save({under: weights, "last_optimizer_state": optimizer, "epoch": 3})
    assert_same(convert(path).path, weights)


def test_values_beside_the_weights_are_left_out(save):
    weights = {"weight": numbers(2, 3)}
    assert_same(convert(save(weights | {"step": 3, "names": ["a"], "ema": None})).path, weights)


def test_settings_are_kept_as_plain_data(save):
    settings = {
        "args": argparse.Namespace(layers=12, drop=0.5, w2v_args=argparse.Namespace(norm=True)),
        "cfg": {"model": {"sizes": [(512, 10, 5)], 3: None, "name": "wörd", "weight": numbers(2)}},
        "model_cfg": OrderedDict(width=8),
        "task_cfg": {},
        "other": {"not": "kept"},
    }
    found = stored_settings(convert(save({"model": {"weight": numbers(2)}, **settings})).path)
    assert found == {
        "args": {"layers": 12, "drop": 0.5, "w2v_args": {"norm": True}},
        "cfg": {"model": {"sizes": [[512, 10, 5]], "3": None, "name": "wörd", "weight": None}},
        "model_cfg": {"width": 8},
    }


def test_a_file_without_settings_has_none(save, checkpoint):
    assert stored_settings(convert(save({"weight": numbers(2)})).path) == {}
    assert stored_settings(checkpoint("wav2vec2") / "model.safetensors") == {}


def test_the_output_is_what_transformers_takes_for_weights(save):
    with safe_open(convert(save({"weight": numbers(2)})).path, "pt") as file:
        assert file.metadata()["format"] == "pt"


@pytest.mark.parametrize("name", ["wört.weight", 'a "quoted" name', "line\nbreak", "", "a/../b"])
def test_tensors_may_have_any_name_that_is_text(save, name):
    assert_as_torch_reads(save({name: numbers(2)}))


def test_progress_is_in_bytes_of_the_source(save):
    stages = []

    class Listener:
        @contextmanager
        def stage(self, name, total, *, unit=""):
            stages.append([name, total, 0])

            def advance(units):
                stages[-1][2] += units

            yield advance

    path = save({"weight": numbers(1000)})
    convert(path, progress=Listener())
    size = path.stat().st_size
    assert stages == [[f"{path}: converting", size, size]]
    convert(path, progress=Listener())
    assert len(stages) == 1


def test_the_source_is_named_by_its_hash(save):
    path = save({"weight": numbers(3)})
    found = convert(path)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.source, found.sha256, found.path.stem) == (path.name, expected, expected)
    assert convert(path, sha256=expected.upper()) == found


@pytest.mark.parametrize("known", [False, True], ids=["new", "converted before"])
def test_another_hash_than_the_hubs_is_refused_and_nothing_is_left(save, cache_folder, known):
    path = save({"weight": numbers(3)})
    if known:
        convert(path)
    before = sorted(cache_folder.rglob("*"))
    expected, found = "0123456789ab" + 52 * "f", hashlib.sha256(path.read_bytes()).hexdigest()
    said = rf"pytorch_model.bin: has sha256 {found[:12]}… and not 0123456789ab….*get it again$"
    with pytest.raises(AssonanceError, match=said):
        convert(path, sha256=expected)
    assert [each for each in sorted(cache_folder.rglob("*")) if each.is_file()] == [
        each for each in before if each.is_file()
    ]


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AssonanceError, match=r"absent: cannot be read: No such file.*; check"):
        convert(tmp_path / "absent")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(AssonanceError, match=r": is not a file; name the file of the weights"):
            convert(path)


def test_a_name_that_breaks_lines_is_escaped(tmp_path):
    path = tmp_path / "two\nlines.bin"
    path.write_bytes(b"")
    with pytest.raises(AssonanceError, match=r"^'.*two\\nlines.bin': is empty; .*$"):
        convert(path)
