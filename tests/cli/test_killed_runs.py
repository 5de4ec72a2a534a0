"""A run that is killed at any moment, in any stage, goes on and ends with the same bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLING = Path(__file__).parents[1] / "support" / "killing.py"


@pytest.mark.skipif(sys.platform != "linux", reason="forks runs and kills them")
@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_a_run_killed_at_random_moments_ends_with_the_same_bytes(
    checkpoint, speech, tmp_path, kills
):
    models = [str(checkpoint("wav2vec2", seed=seed)) for seed in (1, 2)]
    few = [each for name in ("maxcorr", "cka", "attn_frobenius") for each in ("-m", name)]
    options = [*few, "--shifts", "1", "--groups", "4", "--memory", "1MB"]
    command = ["compare", *models, "--audio", str(speech), *options]
    done = subprocess.run(
        [sys.executable, str(KILLING), str(tmp_path), str(kills), *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["kills"] == kills
    assert found["tiles"] >= 10
    assert found["again"] <= kills
