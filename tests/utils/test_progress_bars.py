"""Progress on a terminal, and where there is none."""

import io

import pytest

from assonance.utils.progress_bars import Bars


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


def transfer(monkeypatch, stream, *moments, name="acme/tiny: downloading"):
    """What a transfer of 1.2 GB leaves on standard error, with 100 MB at each of these seconds."""
    seconds = [0.0]
    monkeypatch.setattr("sys.stderr", stream)
    for clock in ("time.perf_counter", "rich.console.monotonic"):
        monkeypatch.setattr(clock, lambda: seconds[0])
    with Bars() as bars, bars.stage(name, 1.2e9, unit="bytes") as advance:
        for seconds[0] in moments:
            advance(100e6)
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


def test_without_a_terminal_a_transfer_has_a_line_a_minute(monkeypatch):
    moments = [10, 59, 60, 61, 119, 121, 500]
    assert transfer(monkeypatch, io.StringIO(), *moments) == (
        "acme/tiny: downloading …\n"
        "acme/tiny: downloading: 300 MB, 5.00 MB/s, 3 min left\n"
        "acme/tiny: downloading: 600 MB, 4.96 MB/s, 2 min left\n"
        "acme/tiny: downloading: 700 MB, 1.40 MB/s, 6 min left\n"
        "acme/tiny: downloading: done in 500 s\n"
    )


def test_without_a_terminal_the_last_seconds_of_a_transfer_are_counted(monkeypatch):
    text = transfer(monkeypatch, io.StringIO(), *range(10, 111, 10))
    assert "acme/tiny: downloading: 600 MB, 10.0 MB/s, 60 s left\n" in text


def test_a_short_transfer_has_two_lines(monkeypatch):
    assert transfer(monkeypatch, io.StringIO(), 1, 2) == (
        "acme/tiny: downloading …\nacme/tiny: downloading: done in 2 s\n"
    )


def test_on_a_terminal_a_transfer_shows_bytes_and_their_rate(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    text = transfer(monkeypatch, Terminal(), *range(1, 13))
    assert "1.20 GB of 1.20 GB 100 MB/s" in text
    assert "%" not in text
    assert "done in" not in text


def test_on_a_narrow_terminal_a_long_name_leaves_room_for_the_numbers(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    name = "facebook/wav2vec2-large-960h-lv60-self: downloading"
    text = transfer(monkeypatch, Terminal(), *range(1, 13), name=name)
    assert "facebook/wav2vec2-large-9" in text
    assert "1.20 GB of 1.20 GB 100 MB/s" in text
    assert "0:00:00" in text
