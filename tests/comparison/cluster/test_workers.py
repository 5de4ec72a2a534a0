"""A run on a cluster ends with the bytes of a run without, whoever dies meanwhile."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from assonance import AssonanceError
from assonance.comparison.cluster import workers
from assonance.comparison.cluster.choice import HERE, Cluster
from assonance.utils import work

COMMAND = "from assonance.cli.main import main; main()"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
DEADLINE = 600  # seconds after which something hangs


def test_without_workers_this_process_computes(tmp_path):
    with workers.connected(HERE) as client:
        assert workers.working(client, None, None, tmp_path, None) is work.HERE


def test_an_address_where_nobody_answers_is_one_line(monkeypatch):
    monkeypatch.setattr(workers, "_CONNECTING", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        with (
            pytest.raises(AssonanceError, match=f"--scheduler {address}: no scheduler answers"),
            workers.connected(Cluster(scheduler=address)),
        ):
            pass


@pytest.fixture
def unmeasured(checkpoint, speech):
    models = [str(checkpoint("wav2vec2", seed=seed)) for seed in (1, 2)]
    options = ["--shifts", "1", "--groups", "4", "--memory", "1MB"]
    return [sys.executable, "-c", COMMAND, "compare", *models, "--audio", str(speech), *options]


@pytest.fixture
def command(unmeasured):
    return [*unmeasured, *("-m", "maxcorr", "-m", "cka", "-m", "attn_frobenius")]


@pytest.fixture(scope="module")
def without_workers(tmp_path_factory):
    """The results of a command without workers, which is run once."""
    known = {}

    def results(command):
        if (key := tuple(command)) not in known:
            out = tmp_path_factory.mktemp("alone") / "run"
            assert run(command, out).returncode == 0
            known[key] = (out / "results.nc").read_bytes()
        return known[key]

    return results


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
def dask(*words, before=()):
    """A process of Dask's command line, killed at the end; `before` starts it in another way."""
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "dask", *words],
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
def test_two_workers_here_end_with_the_same_bytes_and_no_scratch(command, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setitem(ENVIRONMENT, "TMPDIR", str(temporary))
    alone, together = run(command, tmp_path / "a"), run(command, tmp_path / "b", "--workers", "2")
    assert (alone.returncode, together.returncode) == (0, 0), together.stderr[-2000:]
    for name in ("results.nc", "results.csv", "claims.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert not (tmp_path / "b" / "pieces").exists()


# Measures that need each stage, and where it leaves what it has done.
STAGES = {
    "extract": (("maxcorr", "cka"), "activations/*/*.safetensors"),
    "layers": (("maxcorr", "cka"), "pieces/layers-*.piece"),
    "attention": (("attn_frobenius",), "pieces/attention-*.piece"),
    "reading": (("maxcorr", "cka", "attn_frobenius"), "pieces/attention-*.piece"),
}


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_worker_that_dies_in_a_stage_costs_its_task_only(
    stage, unmeasured, without_workers, tmp_path
):
    measures, pattern = STAGES[stage]
    command = [*unmeasured, *(word for each in measures for word in ("-m", each))]
    out = tmp_path / "b"
    address, scheduler, worker = a_scheduler(tmp_path)
    with answering(address, *scheduler), dask(*worker) as victim, dask(*worker):
        started = start(command, out, "--scheduler", address)
        assert wait_for(lambda: list(out.glob(pattern)), started)
        victim.send_signal(signal.SIGKILL)
        versions = {}

        def ended():
            for path in out.glob(pattern):
                with suppress(FileNotFoundError):
                    about = path.stat()
                    versions.setdefault(path, set()).add((about.st_ino, about.st_mtime_ns))
            return started.poll() is not None

        wait_for(ended)
        said = started.communicate(timeout=DEADLINE)[1]
    assert started.returncode == 0, said[-2000:]
    assert len(versions) > 1
    if "attention" not in pattern:  # where pieces grow utterance by utterance
        assert all(len(each) == 1 for each in versions.values()), "what was finished was done again"
    assert (out / "results.nc").read_bytes() == without_workers(command)


@pytest.mark.slow
def test_a_worker_that_joins_late_takes_up_the_work(command, without_workers, tmp_path):
    out = tmp_path / "b"
    address, scheduler, worker = a_scheduler(tmp_path)
    with answering(address, *scheduler):
        with dask(*worker):
            started = start(command, out, "--scheduler", address)
            assert wait_for(lambda: list(out.glob("pieces/layers-*.piece")), started)
        with dask(*worker):  # the only one now
            said = started.communicate(timeout=DEADLINE)[1]
    assert started.returncode == 0, said[-2000:]
    assert (out / "results.nc").read_bytes() == without_workers(command)


@pytest.mark.slow
def test_after_the_scheduler_has_died_the_same_command_goes_on(command, without_workers, tmp_path):
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
    assert (out / "results.nc").read_bytes() == without_workers(command)


@pytest.mark.slow
def test_a_worker_that_does_not_share_the_folder_ends_the_run_with_its_name(command, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    hidden = f'mount -t tmpfs none {shlex.quote(str(out))} && exec "$@"'
    elsewhere = ("unshare", "--map-root-user", "--mount", "sh", "-c", hidden, "sh")
    if subprocess.run([*elsewhere, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system hides no folder from a process")
    address, scheduler, worker = a_scheduler(tmp_path)
    with answering(address, *scheduler), dask(*worker, before=elsewhere):
        said = run(command, out, "--scheduler", address)
    assert said.returncode == 1
    assert f"the worker on {socket.gethostname()} does not see" in said.stderr.splitlines()[-1]
    assert "Traceback" not in said.stderr
