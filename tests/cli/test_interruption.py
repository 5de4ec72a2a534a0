"""A command that is stopped leaves soon, says how it goes on, and leaves nothing behind."""

import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
sys.argv[:] = ["/usr/bin/assonance", "compare", "a b", "--out", "c"]
from assonance.cli.interruption import leaving_soon
from assonance.utils.temporary import temporary_folder
def program():
    with temporary_folder() as folder:
        print(folder, flush=True)
        {work}
leaving_soon(program)
"""
WORK = {
    "in Python": "time.sleep(600)",
    "on other threads": "with ThreadPoolExecutor(2) as pool: list(pool.map(time.sleep, [600] * 4))",
    "deaf": "\n        ".join(
        ["while True:", "    try: time.sleep(600)", "    except BaseException: pass"]
    ),
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("times", [1, 3])
def test_a_command_leaves_with_a_line_whatever_it_does(number, work, times, tmp_path):
    program = PROGRAM.format(work=WORK[work])
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=-1,
        stderr=-1,
        text=True,
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
    )
    folder = process.stdout.readline().strip()
    assert folder.startswith(str(tmp_path))
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.1)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert err == (
        "interrupted; the same command goes on from here: assonance compare 'a b' --out c\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_is_not_stopped_ends_as_it_would():
    program = PROGRAM.format(work="raise SystemExit(3)")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (3, "")
