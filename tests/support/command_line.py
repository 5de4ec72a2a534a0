"""Run the command line in the process of the test."""

import contextlib
import io
import re
import sys
from unittest import mock

from assonance.cli.main import main

STAGE = re.compile(r".+: done in \d+ s")


class Outcome:
    """How a command ended, and what it wrote."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err
        # Where there is no terminal, each stage that was done is a line of standard error.
        self.stages = [line for line in err.splitlines() if STAGE.fullmatch(line)]
        self.said = [line for line in err.splitlines() if not STAGE.fullmatch(line)]
        assert "Traceback" not in out + err


def run(*arguments: object) -> Outcome:
    """Run the command line in this process."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", ["assonance", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
    return Outcome(status, out.getvalue(), err.getvalue())


def check_error(outcome: Outcome, *words: str) -> None:
    """One line that names what is wrong, no result, and a status that says so."""
    assert outcome.status == 1
    assert outcome.out == ""
    (line,) = outcome.said
    assert line.startswith("error: ")
    for each in words:
        assert each in line
