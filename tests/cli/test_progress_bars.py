"""Progress on a terminal, and where there is none."""

import io

import pytest

from assonance.cli.progress_bars import Bars


class Terminal(io.StringIO):
    def isatty(self):
        return True


def show(monkeypatch, stream, *names):
    """What two bars of these names leave on standard error."""
    monkeypatch.setattr("sys.stderr", stream)
    with Bars() as bars:
        for name in names:
            with bars.stage(name, 2) as advance:
                advance(1)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["comparing layers", "reading speech with [/b] [red]mini :smile:"])
def test_without_a_terminal_each_stage_is_one_plain_line(monkeypatch, name):
    assert show(monkeypatch, io.StringIO(), name, "next") == (
        f"{name}: done in 0 s\nnext: done in 0 s\n"
    )


def test_a_name_of_any_length_stays_on_one_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    name = "reading speech with " + "x" * 200
    assert show(monkeypatch, io.StringIO(), name) == f"{name}: done in 0 s\n"


@pytest.mark.parametrize("name", ["comparing layers", "reading [/b] [red]mini"])
def test_on_a_terminal_a_bar_bears_any_name(monkeypatch, name):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    text = show(monkeypatch, Terminal(), name)
    assert name in text
    assert "100%" in text
    assert "done in" not in text


def test_a_stage_that_fails_is_not_called_done(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with pytest.raises(ZeroDivisionError), Bars() as bars, bars.stage("dividing", 1):
        1 / 0  # noqa: B018
    assert "done" not in stream.getvalue()
