"""No file runs, imports or opens anything, and none raises anything but a refusal."""

import json
import os
import subprocess
import sys

import audited
import pytest
from hostile_pickles import GOOD, dict_of, write_hostile, write_zip


def converted_apart(way, folder, scratch):
    """Convert the files of a folder in a process with an audit hook."""
    write_zip(folder / "000", dict_of(GOOD))
    found = scratch / f"{way}.json"
    cache = scratch / "cache"
    process = subprocess.run(
        [sys.executable, audited.__file__, way, folder],
        env={**os.environ, "ASSONANCE_CACHE": str(cache), "FOUND": str(found)},
        capture_output=True,
        text=True,
        cwd=scratch,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(found.read_text()), process.stdout + process.stderr


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    return folder, write_hostile(folder)


@pytest.fixture(scope="module")
def result(hostile, tmp_path_factory):
    folder, files = hostile
    scratch = tmp_path_factory.mktemp("scratch")
    found, output = converted_apart("ours", folder, scratch)
    return {what: found[path.name] for what, path in files.items()}, output, scratch


def test_every_hostile_file_is_refused_in_one_line_that_names_it(hostile, result):
    _, files = hostile
    found, _, _ = result
    for what, path in files.items():
        raised = found[what]["raised"]
        assert raised.startswith(f"{path}: "), what
        assert raised.isprintable(), what
        assert "; " in raised, what  # the remedy


def test_nothing_is_imported_called_or_run_while_hostile_files_are_read(result):
    found, _, _ = result
    assert {what: each["heard"] for what, each in found.items() if each["heard"]} == {}


def test_hostile_files_leave_no_output_and_nothing_in_the_cache(result):
    _, output, scratch = result
    assert output == ""
    assert len(list((scratch / "cache/weights").iterdir())) == 1  # of the good file


def test_plain_unpickling_of_the_same_files_sets_the_hook_off(tmp_path, hostile):
    _, files = hostile
    folder = tmp_path / "files"
    folder.mkdir()
    names = ("os.system", "eval", "getattr", "INST", "OBJ", "STACK_GLOBAL", "a codec")
    chosen = {f"{name}{form}": name for name in names for form in ("", ", older form")}
    for what in [*chosen, "code as the magic number"]:
        (folder / files[what].name).write_bytes(files[what].read_bytes())
    found, _ = converted_apart("control", folder, tmp_path)
    heard = {what: set(found[files[what].name]["heard"]) for what in chosen}
    assert all("pickle.find_class" in events for events in heard.values())
    assert "os.system" in heard["os.system"]
    assert "os.system" in found[files["code as the magic number"].name]["heard"]
    assert "exec" in heard["eval"]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("os.system", "posix.system"),
        ("os.system, older form", "posix.system"),
        ("code as the magic number", "posix.system"),
        ("nested torch.load", "torch.load"),
        ("a dotted name", "collections.OrderedDict.fromkeys"),
        ("an optimizer's class", "torch.optim.adam.Adam"),
        ("an optimizer's state", "is the state of an optimizer"),
        ("a trainer's class", "the arguments of a trainer"),
        ("INST", "instruction INST"),
        ("STACK_GLOBAL", "instruction STACK_GLOBAL"),
        ("EXT2", "instruction EXT2"),
        ("a frame of protocol 4", "protocol 4"),
        ("reach beyond the storage", "reaches beyond storage 0"),
        ("a zero stride", "contiguous()"),
        ("quantised", "before quantisation"),
        ("sparse", "to_dense()"),
        ("complex", "complex"),
        ("an LFS pointer", "run git lfs pull"),
        ("text", "is text"),
        ("HTML", "is a web page"),
        ("nothing at all", "is empty"),
        ("a tar archive", "unpack it"),
        ("HDF5", "TensorFlow"),
        ("TorchScript", "state_dict()"),
        ("safetensors", "name it *.safetensors"),
        ("a compressed file", "compressed"),
        ("a name twice", "two of its entries have one name"),
        ("a missing storage", "storage 0 is missing"),
        ("an encrypted storage", "encrypted"),
        ("a storage in another's place", "weights/data/0 overlaps another entry"),
        ("a storage of another size", "compressed"),
        ("a storage beyond the file", "is cut short"),
        ("a wrong checksum", "a checksum differs"),
        ("a memo bomb", "more than 1000000 items"),
        ("lists within lists", "nested more than 64 deep"),
        ("one storage a hundred times", "share"),
        ("no weights", "but step"),
    ],
)
def test_a_refusal_names_the_culprit_and_the_remedy(result, what, said):
    found, _, _ = result
    assert said in found[what]["raised"]
