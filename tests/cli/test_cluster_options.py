"""Workers are refused in one line before anything is loaded."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from assonance.cli.main import main
try:
    main()
finally:
    assert not {"torch", "dask", "distributed"} & set(sys.modules)
"""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workers", "2", "--scheduler", "tcp://a:1"], "give one"),
        (["--workers", "0"], "--workers"),
        (["--scheduler", "tcp://127.0.0.1:1"], "no scheduler answers"),
    ],
)
def test_what_cannot_be_is_one_line_without_torch(options, words):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "compare", "mel", "mfcc", "--audio", ".", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr
