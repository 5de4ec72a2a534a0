"""A run on a cluster ends with the bytes of a run without, whoever dies meanwhile."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from assonance import AssonanceError
from assonance.comparison.cluster import workers
from assonance.comparison.cluster.choice import HERE, Cluster
from assonance.comparison.request import Request
from assonance.utils import work

COMMAND = "from assonance.cli.main import main; main()"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
DEADLINE = 600  # seconds after which something hangs


def test_without_workers_this_process_computes(tmp_path):
    prepared = SimpleNamespace(request=Request(cluster=HERE))
    with workers.working(prepared, None, tmp_path, None) as found:
        assert found is work.HERE


def test_an_address_where_nobody_answers_is_one_line(monkeypatch):
    monkeypatch.setattr(workers, "_CONNECTING", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        with (
            pytest.raises(AssonanceError, match=f"--scheduler {address}: no scheduler answers"),
            workers._client(Cluster(scheduler=address)),
        ):
            pass


@pytest.fixture
def command(checkpoint, speech):
    models = [str(checkpoint("wav2vec2", seed=seed)) for seed in (1, 2)]
    few = [each for name in ("maxcorr", "cka", "attn_frobenius") for each in ("-m", name)]
    options = [*few, "--shifts", "1", "--groups", "4", "--memory", "1MB"]
    return [sys.executable, "-c", COMMAND, "compare", *models, "--audio", str(speech), *options]


def run(command, out, *options):
    return subprocess.run(
        [*command, "--out", str(out), *options],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        timeout=DEADLINE,
    )


def start(command, out, *options):
    return subprocess.Popen(
        [*command, "--out", str(out), *options],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def dask(*words):
    """A process of Dask's command line, killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *words],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(found, process=None):
    """Wait until something is found, or a process has ended; return what is found."""
    deadline = time.monotonic() + DEADLINE
    while not (what := found()) and (process is None or process.poll() is None):
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)
    return what


@contextmanager
def answering(address, *words):
    """A scheduler that answers at its address."""
    where = urlsplit(address)

    def answers():
        try:
            return socket.create_connection((where.hostname, where.port), 1)
        except OSError:
            return None

    with dask(*words) as scheduler:
        answer = wait_for(answers, scheduler)
        assert answer is not None, "the scheduler has ended"
        answer.close()
        yield scheduler


def a_scheduler(folder):
    """The address of a scheduler, words that start it, and words that start a worker of it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    worker = ("worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny")
    return address, scheduler, (*worker, "--local-directory", str(folder))


@pytest.mark.slow
def test_two_workers_here_end_with_the_same_bytes(command, tmp_path):
    alone, together = run(command, tmp_path / "a"), run(command, tmp_path / "b", "--workers", "2")
    assert (alone.returncode, together.returncode) == (0, 0), together.stderr[-2000:]
    for name in ("results.nc", "results.csv", "claims.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert not (tmp_path / "b" / "pieces").exists()


@pytest.mark.slow
def test_workers_that_die_and_join_late_change_nothing(command, tmp_path):
    assert run(command, tmp_path / "a").returncode == 0
    out = tmp_path / "b"
    address, scheduler, worker = a_scheduler(tmp_path)
    with (
        answering(address, *scheduler),
        dask(*worker) as first,
        dask(*worker) as second,
        dask(*worker),
    ):
        started = start(command, out, "--scheduler", address)
        killed = 0
        stages = ("activations/*/*.safetensors", "pieces/*.piece")
        for pattern, victim in zip(stages, (first, second), strict=True):
            if wait_for(lambda pattern=pattern: list(out.glob(pattern)), started):
                victim.send_signal(signal.SIGKILL)
                killed += 1
        with dask(*worker):
            said = started.communicate(timeout=DEADLINE)[1]
    assert started.returncode == 0, said[-2000:]
    assert killed == 2
    assert (out / "results.nc").read_bytes() == (tmp_path / "a" / "results.nc").read_bytes()


@pytest.mark.slow
def test_after_the_scheduler_has_died_the_same_command_goes_on(command, tmp_path):
    assert run(command, tmp_path / "a").returncode == 0
    out = tmp_path / "b"
    address, scheduler, worker = a_scheduler(tmp_path)
    with answering(address, *scheduler) as killed, dask(*worker):
        started = start(command, out, "--scheduler", address)
        assert wait_for(lambda: list(out.glob("activations/*/*.safetensors")), started)
        killed.send_signal(signal.SIGKILL)
        said = started.communicate(timeout=DEADLINE)[1]
    assert started.returncode == 1
    assert "the scheduler has gone away" in said.splitlines()[-1]
    assert "Traceback" not in said
    with answering(address, *scheduler), dask(*worker):
        again = run(command, out, "--scheduler", address)
    assert again.returncode == 0, again.stderr[-2000:]
    assert (out / "results.nc").read_bytes() == (tmp_path / "a" / "results.nc").read_bytes()
