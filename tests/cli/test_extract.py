"""Activations are extracted in parts, in any order and after kills, for `compare` to take over."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from command_line import check_error, run

from assonance.activations.store import ActivationStore
from assonance.comparison import parts

FEW = ["-m", "cka", "-m", "attn_frobenius", "--groups", "4", "--shifts", "1"]


@pytest.fixture
def job(checkpoint, speech):
    """The models and the speech, as both commands take them."""
    return [checkpoint("wav2vec2", seed=1), "mfcc", "--audio", speech]


def shards(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.glob("activations/*/*.safetensors")
    }


def test_parts_in_any_order_end_with_the_bytes_of_one_go(job, tmp_path, monkeypatch):
    whole, divided, alone = (tmp_path / name for name in ("whole", "divided", "alone"))
    assert run("extract", *job, "--out", whole).out.splitlines()[-1].startswith("all parts are")
    for number in (2, 3, 2, 1):
        done = run("extract", *job, "--out", divided, "--part", f"{number}/3")
        assert done.status == 0, done.err
        assert done.out.startswith(f"part {number} of 3: ")
    assert shards(divided) == shards(whole) != {}
    assert run("compare", *job, *FEW, "--out", alone).status == 0
    assert shards(alone) == shards(whole)

    def never(*given):
        raise AssertionError("extracted again")

    monkeypatch.setattr(ActivationStore, "write", never)
    for folder in (whole, divided):
        assert run("compare", *job, *FEW, "--out", folder).status == 0
        for name in ("results.nc", "results.csv", "claims.csv"):
            assert (folder / name).read_bytes() == (alone / name).read_bytes()


def test_a_comparison_waits_for_all_parts_and_names_those_that_are_missing(job, tmp_path):
    out = tmp_path / "run"
    said = run("extract", *job, "--out", out, "--part", "2/3").out
    assert "parts 1, 3 of 3 are not extracted" in said
    refused = run("compare", *job, *FEW, "--out", out)
    check_error(refused, f"{out}: parts 1, 3 of 3 are not extracted", "--part 1/3` and the like")
    assert not (out / "config.yaml").exists()
    assert run("extract", *job, "--out", out, "--part=1/3").status == 0
    refused = run("compare", *job, *FEW, "--out", out)
    check_error(refused, "part 3 of 3 is not extracted", "--part=3/3`, or remove")
    command = re.search("run `assonance (.+?)`", refused.err)[1]
    assert run(*command.split()).out.splitlines()[-1].startswith("all parts are there")
    assert run("compare", *job, *FEW, "--out", out).status == 0


def test_a_part_that_stopped_counts_as_missing_until_it_is_run_again(job, tmp_path, monkeypatch):
    command = ["extract", *job, "--out", tmp_path, "--part", "1/1"]
    fill, models = parts.fill, []

    def stopping(store, model, *given):
        if models:
            raise SystemExit(1)
        models.append(model)
        return fill(store, model, *given)

    monkeypatch.setattr(parts, "fill", stopping)
    assert run(*command).status == 1
    check_error(run("compare", *job, *FEW, "--out", tmp_path), "part 1 of 1 is not extracted")
    shutil.rmtree(tmp_path / parts.PARTS)
    assert parts.missing_parts(tmp_path) == []  # `compare` would do the rest
    monkeypatch.undo()
    assert run(*command).status == 0
    assert parts.missing_parts(tmp_path) == []


def test_more_parts_than_utterances_leave_some_parts_empty(job, tmp_path):
    done = run("extract", *job, "--out", tmp_path, "--part", "900/900")
    assert done.status == 0, done.err
    assert "part 900 of 900: 0 of" in done.out
    assert "and 891 more of 900 are not extracted" in done.out


@pytest.mark.parametrize("part", ["0/3", "4/3", "x"])
def test_what_is_no_part_is_one_line(job, part, tmp_path):
    refused = run("extract", *job, "--out", tmp_path / "run", "--part", part)
    check_error(refused, f"--part '{part}'")
    assert not (tmp_path / "run").exists()


def test_a_file_among_the_records_that_is_none_is_passed_over(tmp_path):
    folder = tmp_path / parts.PARTS
    folder.mkdir()
    (folder / "torn.json").write_text('{"of": "a", "pa')
    (folder / "other.json").write_text("[1, 2]")
    assert parts.missing_parts(tmp_path) == []


@pytest.mark.slow
def test_parts_that_run_at_once_and_are_killed_leave_the_bytes_of_one_go(job, tmp_path):
    assert run("extract", *job, "--out", tmp_path / "whole").status == 0
    program = "from assonance.cli.main import main; main()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    out = tmp_path / "divided"

    def start(number):
        words = ["extract", *job, "--out", out, "--part", f"{number}/2"]
        command = [sys.executable, "-c", program, *map(str, words)]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    first, second = start(1), start(2)
    while first.poll() is None and not shards(out):
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert second.wait() == 0
    assert parts.missing_parts(out)
    assert start(1).wait() == 0
    assert parts.missing_parts(out) == []
    assert shards(out) == shards(tmp_path / "whole")
