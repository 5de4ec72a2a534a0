"""The hub, met by the real client on a server that answers as the hub does."""

import hashlib
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from hub import TOKEN, running_hub
from huggingface_hub import constants, scan_cache_dir, snapshot_download

from assonance.errors import AssonanceError
from assonance.models.checkpoints.files import StoredFile
from assonance.models.checkpoints.hub.snapshot import open_snapshot

WEIGHTS = bytes(range(256)) * 5120  # 1.25 MiB: five chunks
JSON = b'{"model_type": "hubert"}'
TINY = {"config.json": JSON, "model.safetensors": WEIGHTS}


class Stages:
    """A progress that keeps what it is told, and can be interrupted after some steps."""

    def __init__(self, stop_after=None):
        self.told, self.stop_after = [], stop_after

    @contextmanager
    def stage(self, name, total, *, unit=""):
        steps = []
        self.told.append((name, total, unit, steps))

        def advance(units):
            steps.append(units)
            if len(steps) == self.stop_after:
                raise KeyboardInterrupt

        yield advance


@pytest.fixture
def tiny(hub):
    """A hub with one small model."""
    hub.add("acme/tiny", TINY)
    return hub


def fetched(hub_id="acme/tiny", revision=None, names=TINY):
    """Names and contents of files fetched from the hub."""
    folder = open_snapshot(hub_id, revision, offline=False).fetch(names)
    return {name: (folder / name).read_bytes() for name in names}


def stray_files():
    cache = Path(constants.HF_HUB_CACHE)
    return [path for path in cache.rglob("*") if path.suffix in (".incomplete", ".tmp")]


# Listing


def test_one_request_lists_commit_sizes_and_hashes(tiny):
    snapshot = open_snapshot("acme/tiny", None, offline=False)
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    assert snapshot.files == {
        "config.json": StoredFile("config.json", len(JSON), None),
        "model.safetensors": StoredFile("model.safetensors", len(WEIGHTS), sha256),
    }
    assert snapshot.commit == tiny.models["acme/tiny"].revisions["main"]
    assert (snapshot.where, snapshot.name, snapshot.offline) == ("acme/tiny", "tiny", False)
    assert tiny.requests == [("GET", "/api/models/acme/tiny", None)]


@pytest.mark.parametrize("revision", ["v2", "refs/pr/4"])
def test_a_revision_has_files_of_its_own(tiny, revision):
    commit = tiny.add("acme/tiny", {"config.json": b"{}"}, revision)
    snapshot = open_snapshot("acme/tiny", revision, offline=False)
    assert (snapshot.commit, list(snapshot.files)) == (commit, ["config.json"])
    assert snapshot.where == f"acme/tiny@{revision}"
    assert fetched(revision=revision, names=["config.json"]) == {"config.json": b"{}"}
    assert open_snapshot("acme/tiny", commit, offline=False).commit == commit


def test_an_import_asks_nothing_of_the_hub():
    with running_hub() as hub:
        environment = os.environ | hub.environment("no-such-folder")
        program = "import assonance.models.checkpoints.hub.snapshot"
        subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert (hub.requests, hub.asides) == ([], 0)


# Fetching


def test_exactly_the_files_named_are_fetched(hub):
    others = {"model.fp16.safetensors": b"other", "sub/model.safetensors": b"other"}
    hub.add("acme/tiny", TINY | others)
    snapshot = open_snapshot("acme/tiny", None, offline=False)
    folder = snapshot.fetch(TINY)
    assert folder == snapshot.folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == TINY
    assert stray_files() == []


def test_a_file_in_a_folder_of_the_model_is_fetched_there(hub):
    hub.add("acme/tiny", {"sub/config.json": JSON, "sub/model.bin": WEIGHTS})
    names = ["sub/config.json", "sub/model.bin"]
    assert fetched(names=names) == {"sub/config.json": JSON, "sub/model.bin": WEIGHTS}


def test_the_cache_is_as_the_client_keeps_it(tiny):
    fetched()
    found = scan_cache_dir(constants.HF_HUB_CACHE)
    assert found.warnings == []
    (model,) = found.repos
    (commit,) = model.revisions
    assert (model.repo_id, commit.refs) == ("acme/tiny", {"main"})
    sizes = {file.file_name: file.size_on_disk for file in commit.files}
    assert sizes == {name: len(content) for name, content in TINY.items()}


def test_a_cache_that_the_client_filled_serves(tiny):
    folder = snapshot_download("acme/tiny")
    tiny.requests.clear()
    assert str(open_snapshot("acme/tiny", None, offline=True).fetch(TINY)) == folder
    assert fetched() == TINY
    assert tiny.requests == [("GET", "/api/models/acme/tiny", None)]


def test_what_is_whole_is_not_fetched_again(tiny):
    fetched()
    tiny.requests.clear()
    snapshot = open_snapshot("acme/tiny", None, offline=False)
    assert snapshot.missing(TINY) == []
    assert fetched() == TINY
    assert tiny.count("GET", "/resolve/") == tiny.count("HEAD") == 0


def test_missing_files_are_named_with_their_sizes(tiny):
    snapshot = open_snapshot("acme/tiny", None, offline=False)
    assert [(file.name, file.size) for file in snapshot.missing(["model.safetensors"])] == [
        ("model.safetensors", len(WEIGHTS))
    ]
    snapshot.fetch(["config.json"])
    assert [file.name for file in snapshot.missing([*TINY, *TINY])] == ["model.safetensors"]


def test_where_the_hub_states_no_sizes_what_is_here_is_taken_for_whole(tiny):
    tiny.sizes = False
    snapshot = open_snapshot("acme/tiny", None, offline=False)
    assert [(file.name, file.size) for file in snapshot.missing(TINY)] == [
        ("config.json", 0),
        ("model.safetensors", 0),
    ]
    assert fetched() == TINY
    assert snapshot.missing(TINY) == []


def test_large_files_come_one_after_another(hub):
    shards = {f"model-0000{number}-of-00003.safetensors": bytes([number]) for number in (1, 2, 3)}
    hub.add("acme/tiny", shards)
    assert fetched(names=shards) == shards
    of_storage = [path.removeprefix("/storage/") for _, path, _ in hub.requests if "/st" in path]
    assert of_storage == [hashlib.sha256(content).hexdigest() for content in shards.values()]


def test_files_belong_to_the_commit_that_was_listed(tiny):
    snapshot = open_snapshot("acme/tiny", None, offline=False)
    tiny.add("acme/tiny", {"config.json": b"{}", "model.safetensors": b"changed"})
    assert (snapshot.fetch(["config.json"]) / "config.json").read_bytes() == JSON
    assert (snapshot.fetch(TINY) / "model.safetensors").read_bytes() == WEIGHTS


def test_weights_that_a_new_commit_leaves_alone_are_not_fetched_again(tiny):
    fetched()
    tiny.add("acme/tiny", TINY | {"config.json": b"{}"})
    snapshot = open_snapshot("acme/tiny", None, offline=False)
    assert [file.name for file in snapshot.missing(TINY)] == ["config.json"]
    assert fetched() == TINY | {"config.json": b"{}"}
    assert tiny.count("GET", "/storage/") == 1


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("linked", [True, False])
def test_a_file_cut_short_in_the_cache_is_fetched_again_once(tiny, name, linked):
    fetched()
    path = open_snapshot("acme/tiny", None, offline=True).folder / name
    if not linked:  # as on a file system without links
        path.unlink()
    path.write_bytes(TINY[name][:10])
    tiny.requests.clear()
    assert fetched() == TINY
    assert tiny.count("GET", "/storage/") <= 1


def test_a_file_that_the_model_has_not_is_refused(tiny):
    snapshot = open_snapshot("acme/tiny", None, offline=False)
    with pytest.raises(AssonanceError) as refusal:
        snapshot.fetch(["model.safetensors.index.json"])
    assert str(refusal.value) == "acme/tiny: no model.safetensors.index.json on the hub"


def test_a_token_reaches_private_models_and_never_the_storage(hub, monkeypatch):
    hub.add("acme/tiny", TINY, private=True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fetched() == TINY
    assert hub.secrets == []


# Progress


def test_a_download_is_a_stage_in_bytes(tiny):
    progress = Stages()
    open_snapshot("acme/tiny", None, offline=False).fetch(TINY, progress)
    ((name, total, unit, steps),) = progress.told
    assert name == "acme/tiny: downloading 1.31 MB"
    assert (total, unit) == (len(JSON) + len(WEIGHTS), "bytes")
    assert sum(steps) == total
    assert len(steps) == 6  # one for the small file and one a chunk


def test_small_files_have_no_stage(tiny):
    progress = Stages()
    open_snapshot("acme/tiny", None, offline=False).fetch(["config.json"], progress)
    assert progress.told == []


def test_the_client_itself_shows_nothing(tmp_path):
    program = """
import logging
from assonance.models.checkpoints.hub.snapshot import open_snapshot

level = logging.getLogger("huggingface_hub").level
snapshot = open_snapshot("acme/tiny", None, offline=False)
snapshot.fetch(["config.json", "model.safetensors"])
assert logging.getLogger("huggingface_hub").level == level
"""
    with running_hub() as hub:
        hub.add("acme/tiny", TINY)
        variables = hub.environment(tmp_path) | {"HF_HUB_DISABLE_PROGRESS_BARS": "0"}
        ended = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | variables,
            check=False,
            capture_output=True,
            text=True,
        )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


# Interruptions


def test_an_interrupted_download_goes_on_where_it_stopped(tiny):
    snapshot = open_snapshot("acme/tiny", None, offline=False)
    with pytest.raises(KeyboardInterrupt):
        snapshot.fetch(["model.safetensors"], Stages(stop_after=1))
    assert not (snapshot.folder / "model.safetensors").exists()
    (partial,) = stray_files()
    kept = partial.stat().st_size
    assert kept == 2**18  # a chunk
    progress = Stages()
    folder = snapshot.fetch(["model.safetensors"], progress)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert tiny.requests[-2] == ("GET", tiny.requests[-2][1], f"bytes={kept}-")
    ((_, total, _, steps),) = progress.told
    assert total == sum(steps) == len(WEIGHTS) - kept
    assert stray_files() == []


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_leaves_a_download_that_would_not_end(tmp_path):
    program = """
import signal
from contextlib import contextmanager
from assonance.models.checkpoints.hub import snapshot as hub

signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it

class Told:
    @contextmanager
    def stage(self, name, total, *, unit=""):
        yield lambda units: print("bytes", flush=True)

try:
    hub.open_snapshot("acme/tiny", None, offline=False).fetch(["model.safetensors"], Told())
except KeyboardInterrupt:
    print("left", flush=True)
"""
    with running_hub() as hub:
        hub.add("acme/tiny", TINY)
        hub.stop_after = 2**19
        with subprocess.Popen(
            [sys.executable, "-c", program],
            env=os.environ | hub.environment(tmp_path),
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout.readline() == "bytes\n"
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        assert not hub.release.is_set()  # the server still holds the rest back
    assert out.splitlines()[-1] == "left"
    assert process.returncode == 0


# Without the hub


def test_offline_no_request_is_made(tiny):
    fetched()
    tiny.requests.clear()
    tiny.asides = 0
    snapshot = open_snapshot("acme/tiny", None, offline=True)
    folder = snapshot.fetch(TINY)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == TINY
    assert snapshot.missing(TINY) == []
    assert snapshot.offline
    assert (tiny.requests, tiny.asides) == ([], 0)


def test_the_environment_can_forbid_requests(tiny, monkeypatch):
    fetched()
    tiny.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert open_snapshot("acme/tiny", None, offline=False).fetch(TINY).is_dir()
    assert tiny.requests == []


def test_a_cached_revision_is_found_offline(tiny):
    tiny.add("acme/tiny", TINY | {"config.json": b"{}"}, "v2")
    fetched(revision="v2")
    assert open_snapshot("acme/tiny", "v2", offline=True).where == "acme/tiny@v2"
    with pytest.raises(AssonanceError, match="not in the local cache"):
        open_snapshot("acme/tiny", None, offline=True)


@pytest.mark.parametrize("fault", ["gone", "silent", 500, 503, 429])
def test_the_cache_serves_while_the_hub_is_out_of_reach(tiny, monkeypatch, fault):
    fetched()
    if fault == "gone":
        monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens
    elif fault == "silent":
        monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.2)
        tiny.silent = True
    else:
        tiny.status = fault
    snapshot = open_snapshot("acme/tiny", None, offline=False)
    assert snapshot.offline
    assert (snapshot.fetch(TINY) / "config.json").read_bytes() == JSON


def test_a_file_that_was_not_cached_is_missed_offline(tiny):
    fetched(names=["config.json"])
    snapshot = open_snapshot("acme/tiny", None, offline=True)
    assert list(snapshot.files) == ["config.json"]
    with pytest.raises(AssonanceError) as refusal:
        snapshot.fetch(["model.safetensors"])
    assert str(refusal.value) == (
        "acme/tiny: no model.safetensors in the local cache; download it with a network"
    )


# A server that means harm


def test_a_listing_cannot_reach_beyond_the_cache(hub):
    hub.add("acme/tiny", TINY | {"../../../../outside.json": b"{}"})
    with pytest.raises(AssonanceError, match=r"acme/tiny: .* lies outside of the model"):
        open_snapshot("acme/tiny", None, offline=False)
