"""What was converted is found by content, and a conversion leaves all of its file or nothing."""

import errno
import hashlib
import os
import re
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from assonance import AssonanceError
from assonance.models.checkpoints.pickled import cache, conversion, copying
from assonance.models.checkpoints.pickled.conversion import convert


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    torch.save({"weight": torch.arange(50_000.0)}, path)
    return path


@pytest.fixture
def counted(monkeypatch):
    """Count what is done: hashing alone, and conversions."""
    done = []
    for module, name in ((hashlib, "file_digest"), (conversion, "copy")):
        monkeypatch.setattr(module, name, noted(getattr(module, name), name, done))
    return done


def noted(function, name, done):
    def run(*arguments):
        done.append(name)
        return function(*arguments)

    return run


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def test_a_file_that_did_not_change_is_neither_hashed_nor_converted_again(source, counted):
    first = convert(source)
    assert convert(source) == first
    assert convert(source, sha256=first.sha256) == first
    assert counted == ["copy"]


def test_the_same_content_elsewhere_is_found_by_its_hash(source, tmp_path, counted):
    first = convert(source)
    other = shutil.copy(source, tmp_path / "renamed.pt")
    assert convert(other).path == first.path
    assert convert(other).source == "renamed.pt"
    assert counted == ["copy", "file_digest"]


def test_a_link_is_the_file_it_points_to(source, tmp_path, counted):
    first = convert(source)
    (tmp_path / "link.bin").symlink_to(source)
    assert convert(tmp_path / "link.bin").path == first.path
    assert counted == ["copy"]


def test_a_changed_file_is_converted_anew(source):
    first = convert(source)
    time = source.stat().st_mtime_ns
    torch.save({"weight": torch.arange(50_000.0) + 1}, source)  # of the same size
    os.utime(source, ns=(time + 1, time + 1))
    second = convert(source)
    assert second.sha256 == hashlib.sha256(source.read_bytes()).hexdigest() != first.sha256
    assert load_file(second.path)["weight"][0] == 1
    assert load_file(first.path)["weight"][0] == 0


def test_a_file_that_changes_while_it_is_read_is_refused(source, cache_folder, monkeypatch):
    def copy(*arguments):
        found = copying.copy(*arguments)
        os.utime(source, ns=(0, 0))
        return found

    monkeypatch.setattr(conversion, "copy", copy)
    with pytest.raises(AssonanceError, match=r"bin: changed while it was read; try again$"):
        convert(source)
    assert files(cache_folder) == []


@pytest.mark.parametrize("damage", ["cut", "emptied", "removed", "of another version"])
def test_what_is_not_whole_in_the_cache_is_converted_anew(source, damage, monkeypatch):
    first = convert(source)
    whole = first.path.read_bytes()
    match damage:
        case "cut":
            first.path.write_bytes(whole[:-1])
        case "emptied":
            first.path.write_bytes(b"")
        case "removed":
            first.path.unlink()
        case _:
            first.path.write_bytes(whole.replace(b'conversion":"1"', b'conversion":"0"'))
            assert first.path.read_bytes() != whole
    assert convert(source) == first
    assert first.path.read_bytes() == whole


def test_a_record_that_is_not_whole_is_made_anew(source, cache_folder):
    first = convert(source)
    (record,) = (cache_folder / "sources").iterdir()
    for contents in (b"", b"[]", b"\xff", b'{"sha256": 3}', record.read_bytes()[:-2]):
        record.write_bytes(contents)
        assert convert(source) == first


def test_weights_that_another_process_finished_meanwhile_are_no_obstacle(source, monkeypatch):
    def copy(*arguments):
        monkeypatch.setattr(conversion, "copy", copying.copy)
        convert(source)
        return copying.copy(*arguments)

    monkeypatch.setattr(conversion, "copy", copy)
    assert torch.equal(load_file(convert(source).path)["weight"], torch.arange(50_000.0))


def test_two_processes_convert_one_file_at_once(source, cache_folder):
    program = (
        "import sys; from pathlib import Path;"
        "from assonance.models.checkpoints.pickled.conversion import convert;"
        "print('ready', flush=True); input(); print(convert(Path(sys.argv[1])).path)"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([sys.executable, "-c", program, source], **pipes) for _ in range(2)]
    for each in both:
        assert each.stdout.readline() == "ready\n"
    for each in both:
        each.stdin.write("go\n")
        each.stdin.flush()
    said = [each.communicate()[0].strip() for each in both]
    assert said == [str(convert(source).path)] * 2
    assert [path.suffix for path in files(cache_folder)].count(".safetensors") == 1
    assert not list(cache_folder.rglob("*.tmp"))


@contextmanager
def small_disk(monkeypatch):
    """Limit the size of files, so that writing fails as it does without room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def late_disk(monkeypatch):
    """Find no room only when what was written is flushed."""
    with monkeypatch.context() as changed:
        changed.setattr(os, "fsync", full)
        yield


@pytest.mark.parametrize("disk", [small_disk, late_disk])
def test_a_full_disk_is_said_with_the_need_and_another_place(
    source, cache_folder, monkeypatch, disk
):
    size = convert(source).path.stat().st_size
    shutil.rmtree(cache_folder)
    said = rf"^{re.escape(str(cache_folder))}: cannot be written: .*; converted weights take {size}"
    said += r" bytes there: make room, or set ASSONANCE_CACHE to a folder with more$"
    with disk(monkeypatch), pytest.raises(AssonanceError, match=said):
        convert(source)
    assert files(cache_folder) == []
    convert(source)


def full(descriptor):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_cache_that_cannot_be_written_is_said_with_another_place(source, monkeypatch, tmp_path):
    (tmp_path / "in the way").write_text("a file")
    monkeypatch.setenv("ASSONANCE_CACHE", str(tmp_path / "in the way" / "cache"))
    said = r"way/cache: cannot be written: Not a directory; set ASSONANCE_CACHE to a folder for"
    with pytest.raises(AssonanceError, match=said):
        convert(source)


def test_weights_are_found_in_a_cache_that_cannot_be_written(
    source, tmp_path, monkeypatch, counted
):
    def refuse(contents):
        raise AssonanceError("read only")

    first = convert(source)
    monkeypatch.setattr("assonance.utils.files.write_together", refuse)
    assert convert(shutil.copy(source, tmp_path / "other.bin")).path == first.path
    assert counted == ["copy", "file_digest"]


def test_an_interrupted_conversion_leaves_nothing(source, cache_folder, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(copying._Checksums, "compare", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert(source)
    assert files(cache_folder) == []


def test_what_a_killed_process_left_is_removed(source, cache_folder):
    weights = cache_folder / "weights"
    weights.mkdir(parents=True)
    for name, age in (("killed.tmp", 7_200), ("running.tmp", 60)):
        (weights / name).write_bytes(b"")
        time = (weights / name).stat().st_mtime - age
        os.utime(weights / name, (time, time))
    convert(source)
    assert [path.name for path in weights.glob("*.tmp")] == ["running.tmp"]


def test_the_cache_is_the_users_unless_another_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSONANCE_CACHE", "~/weights")
    assert cache.folder() == Path.home() / "weights"
    monkeypatch.setenv("ASSONANCE_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder().name == "assonance"
