"""One process at a time writes into a folder, and a dead one is no obstacle."""

import json
import os
import signal
import subprocess
import sys

import pytest

from assonance import AssonanceError
from assonance.utils.lock import LOCK, locked, refuse_locked

HOLD = """
import sys, time
from pathlib import Path
sys.argv[:] = ["/usr/bin/assonance", "compare", "a b"]
from assonance.utils.lock import locked
with locked(Path({folder!r})):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    program = HOLD.format(folder=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_with_the_name_of_the_first(holder, tmp_path):
    words = (
        rf"process {holder.pid} on .*, running since .* \(assonance compare 'a b'\), writes here"
    )
    with pytest.raises(AssonanceError, match=words), locked(tmp_path):
        pytest.fail("held twice")
    with pytest.raises(AssonanceError, match=words):
        refuse_locked(tmp_path)


def test_a_killed_process_is_no_obstacle(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / LOCK).exists()
    refuse_locked(tmp_path)
    with locked(tmp_path):
        assert json.loads((tmp_path / LOCK).read_bytes())["process"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_what_a_process_of_another_machine_left_is_named(tmp_path):
    about = {"process": 7, "machine": "elsewhere", "since": "noon", "command": "assonance demo"}
    (tmp_path / LOCK).write_text(json.dumps(about))
    words = rf"process 7 on elsewhere.*may still write here; if it has ended, remove .*{LOCK}"
    for _ in range(2):
        with pytest.raises(AssonanceError, match=words), locked(tmp_path):
            pytest.fail("held")
    assert json.loads((tmp_path / LOCK).read_bytes()) == about
    (tmp_path / LOCK).unlink()
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("content", [b"", b"torn", b"[3]"])
def test_a_lock_file_that_says_nothing_is_no_obstacle(tmp_path, content):
    (tmp_path / LOCK).write_bytes(content)
    with locked(tmp_path), pytest.raises(AssonanceError, match="writes here"):
        refuse_locked(tmp_path)


def test_an_error_inside_lets_the_lock_go(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path):
        pass


def test_a_folder_is_made_to_be_locked_and_named_if_it_cannot_be(tmp_path):
    refuse_locked(tmp_path / "none")
    with locked(tmp_path / "none"):
        assert (tmp_path / "none").is_dir()
    (tmp_path / "file").write_text("")
    refused = pytest.raises(AssonanceError, match="file/run: cannot be written")
    with refused, locked(tmp_path / "file" / "run"):
        pytest.fail("held")


def test_a_folder_that_it_made_goes_if_nothing_is_in_it(tmp_path):
    empty, full, before = (tmp_path / name for name in ("empty", "full", "before"))
    before.mkdir()
    for folder in (empty, full, before):
        with locked(folder):
            if folder is full:
                (folder / "results").touch()
    assert {each.name for each in tmp_path.iterdir()} == {"full", "before"}
