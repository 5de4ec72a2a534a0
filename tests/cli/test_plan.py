"""`assonance plan` states what a run would take, and does nothing else."""

import shutil

import pytest
from command_line import check_error, run

from assonance.cli.plan import format_seconds
from assonance.comparison.forecast import forecast

QUICK = ("-m", "cka")


def test_counts_and_stages_are_printed_and_nothing_is_written(
    checkpoint, speech, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    said = run("plan", checkpoint(seed=1), checkpoint("hubert"), "--audio", speech, *QUICK)
    assert said.status == 0
    lines = said.out.splitlines()
    assert lines[2].startswith("speech   6 utterances, 0.1 minutes, ")
    assert lines[3] == "layers   15, in 92 pairs and 1 tiles"
    assert [line.split("  ")[0] for line in lines[5:9]] == [
        *("stage", "reading speech", "comparing layers", "in all")
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_is_the_plan_of_the_same_options(checkpoint, speech, tmp_path):
    given = (checkpoint(), "--audio", speech, "--out", tmp_path / "run", *QUICK, "--no-twins")
    planned, dry = run("plan", *given), run("compare", *given, "--dry-run")
    assert dry.status == planned.status == 0
    assert dry.out.splitlines()[:3] == planned.out.splitlines()[:3]
    assert not (tmp_path / "run").exists()


def test_more_hours_than_there_are_can_be_planned(checkpoint, speech):
    said = run("plan", checkpoint(), "--audio", speech, "--hours", "2", *QUICK)
    assert said.status == 0
    assert "utterances, 120.0 minutes" in said.out


def test_a_plan_that_cannot_fit_is_printed_and_refused(checkpoint, speech, monkeypatch):
    monkeypatch.setattr(forecast, "allowed_bytes", lambda: 1e6)
    said = run("plan", checkpoint(), "--audio", speech, *QUICK)
    assert said.status == 1
    assert said.said[-1].startswith("error: memory: ")
    assert "the machine has 1.00 MB" in said.said[-1]
    assert "comparing layers" in said.out


def test_a_run_that_the_disk_cannot_hold_does_not_start(checkpoint, speech, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=1000))
    out = tmp_path / "run"
    check_error(
        run("compare", checkpoint(), "--audio", speech, "--out", out, *QUICK),
        str(out),
        "1.00 kB are free",
    )
    assert not out.exists()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (99.4, "99 s"), (99.6, "2 min"), (5940, "99 min"), (6000, "1.7 h")],
)
def test_durations_are_said_as_people_do(seconds, words):
    assert format_seconds(seconds) == words
