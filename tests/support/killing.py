"""Run a command again and again, killed at random moments, until it has been killed often enough.

A program of its own: it imports everything once and forks, since imports would take longer than
the runs. Called as ``killing.py FOLDER KILLS COMMAND...``; prints what each run computed, as JSON.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import torch  # noqa: F401 - before the first fork
import transformers  # noqa: F401

from assonance.activations.attention_maps import AttentionMaps
from assonance.activations.store import ActivationStore
from assonance.cli import main, run, terminal  # noqa: F401
from assonance.scoring import attention_pass
from assonance.scoring.frame_pass import FramePass


def watch(log):
    """Write a line for each shard, tile and utterance that is computed."""

    def watched(kind, owner, name, of):
        original = getattr(owner, name)

        def noted(self, *given, **about):
            os.write(log, f"{kind} {of(*given)} {about.get('alone')}\n".encode())
            return original(self, *given, **about)

        setattr(owner, name, noted)

    watched("shard", ActivationStore, "write", lambda id, *rest: id)
    watched("tile", FramePass, "_tile", lambda work, *rest: work.tile.pairs)
    watched("utterance", AttentionMaps, "read", lambda utterance: utterance)
    attention_pass._PAUSE = attention_pass._SHARE = 0.0


def started(command, out, log):
    """Fork a run, and return its process."""
    child = os.fork()
    if child:
        return child
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    watch(log)
    sys.argv[:] = ["assonance", *command, "--out", str(out)]
    status = 70
    try:
        main.main()
        status = 0
    except SystemExit as end:
        status = end.code or 0
    finally:
        os._exit(status)


def ended(child, seconds):
    """Wait for a run for so long: its exit status, or None if it goes on."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


def main_(folder, kills, command):
    rng = random.Random(0)  # noqa: S311 - no secret
    log = os.open(folder / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    begun = time.monotonic()
    assert ended(started(command, folder / "whole", log), 3600) == 0
    whole = time.monotonic() - begun
    computed = (folder / "log").read_text().splitlines()
    names = ("results.nc", "results.csv", "claims.csv", "report.html")
    expected = {name: (folder / "whole" / name).read_bytes() for name in names}
    killed = runs = 0
    again = 0
    while killed < kills:
        out = folder / "killed"
        shutil.rmtree(out, ignore_errors=True)
        os.truncate(log, 0)
        here = 0
        while True:
            child = started(command, out, log)
            # So that all stages are met: a run has several kills, each further on.
            status = (
                ended(child, rng.uniform(0, whole / 2)) if killed < kills else ended(child, 3600)
            )
            if status is not None:
                assert status == 0, status
                break
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            killed, here = killed + 1, here + 1
            names_there = {each.name for each in out.iterdir()} if out.exists() else set()
            assert names_there & {*names} in (set(), {*names}) or (out / "replacing.json").exists()
            if names_there >= {*names} and not (out / "replacing.json").exists():
                break  # complete: another run would compute everything once more
        runs += 1
        for name, content in expected.items():
            assert (out / name).read_bytes() == content, name
        if status is None:
            continue
        left = {each.name for each in out.iterdir()}
        assert left == {*names, "config.yaml", "activations"}, left
        lines = (folder / "log").read_text().splitlines()
        assert {*lines} == {*computed}
        assert len(lines) - len(computed) <= here, (len(lines), len(computed), here)
        again += len(lines) - len(computed)
    tiles = sum(line.startswith("tile") for line in computed)
    print(json.dumps({"kills": killed, "runs": runs, "tiles": tiles, "again": again}))


if __name__ == "__main__":
    main_(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
