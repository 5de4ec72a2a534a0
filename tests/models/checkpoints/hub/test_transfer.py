"""Transfers of large files over a bad line."""

import hashlib
from contextlib import contextmanager
from pathlib import Path

import pytest
from huggingface_hub import constants

from assonance.errors import AssonanceError
from assonance.models.checkpoints.hub.snapshot import open_snapshot

NAME = "pytorch_model.bin"
CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def tiny(hub):
    hub.add("acme/tiny", {NAME: CONTENT})
    return hub


def fetch():
    return (open_snapshot("acme/tiny", None, offline=False).fetch([NAME]) / NAME).read_bytes()


def partial():
    return Path(constants.HF_HUB_CACHE, "models--acme--tiny/blobs", f"{SHA256}.incomplete")


def leave(content):
    """Leave a partial file, as an interrupted download does."""
    partial().parent.mkdir(parents=True)
    partial().write_bytes(content)


def ranges(hub):
    return [asked for method, path, asked in hub.requests if path.startswith("/storage/")]


def test_a_cut_connection_is_taken_up_where_it_was_cut(hub):
    hub.cuts = [600_000, 300_000]
    assert fetch() == CONTENT
    # Whole chunks of 2**18 bytes are kept.
    assert ranges(hub) == [None, f"bytes={2 * 2**18}-", f"bytes={3 * 2**18}-"]


def test_a_line_that_is_cut_again_and_again_is_given_up_in_one_line(hub):
    hub.cuts = [300_000] + [1000] * 5
    with pytest.raises(AssonanceError) as refusal:
        fetch()
    assert str(refusal.value) == (
        "acme/tiny: the connection was cut after 262 kB of 1.05 MB of pytorch_model.bin; "
        "run the command again, which goes on from there"
    )
    assert fetch() == CONTENT
    assert ranges(hub)[-1] == f"bytes={2**18}-"


def test_a_server_without_ranges_sends_the_file_anew(hub):
    leave(CONTENT[:1000])
    hub.ranges = False
    assert fetch() == CONTENT


def test_a_server_without_ranges_that_cuts_is_given_up(hub):
    hub.ranges = False
    hub.cuts = [600_000] * 20
    with pytest.raises(AssonanceError, match="the connection was cut after"):
        fetch()
    assert len(hub.cuts) > 10


@pytest.mark.parametrize("left", [b"", CONTENT[:1000], CONTENT, CONTENT + b"more"])
def test_whatever_an_earlier_download_left_the_content_is_right(left):
    leave(left)
    assert fetch() == CONTENT
    assert not partial().exists()


def test_a_complete_partial_file_is_not_fetched_again(hub):
    leave(CONTENT)
    assert fetch() == CONTENT
    assert ranges(hub) == []


@pytest.mark.parametrize("damage", ["on the way", "in the partial file"])
def test_content_with_another_hash_is_never_used(hub, damage):
    if damage == "on the way":
        hub.served[NAME] = CONTENT[:-1] + b"x"
    else:
        leave(b"x" * 1000)
    with pytest.raises(AssonanceError) as refusal:
        fetch()
    assert str(refusal.value).startswith("acme/tiny: pytorch_model.bin arrived damaged (SHA-256 ")
    assert str(refusal.value).endswith(
        f"…, not {SHA256[:12]}… as on the hub); run the command again"
    )
    assert not partial().exists()
    hub.served.clear()
    assert fetch() == CONTENT


def test_what_another_process_downloads_is_waited_for(hub, monkeypatch):
    @contextmanager
    def lock(path):
        assert path.name == f"{SHA256}.lock"
        partial().with_suffix("").write_bytes(CONTENT)
        yield

    monkeypatch.setattr("assonance.models.checkpoints.hub.transfer.WeakFileLock", lock)
    assert fetch() == CONTENT
    assert ranges(hub) == []


def test_a_full_disk_is_said_and_what_came_is_kept(hub):
    partial().parent.mkdir(parents=True)
    partial().symlink_to("/dev/full")
    with pytest.raises(AssonanceError) as refusal:
        fetch()
    assert str(refusal.value) == (
        f"acme/tiny: the local cache {constants.HF_HUB_CACHE} cannot be used (No space left on "
        "device); make room, and the same command goes on, or set HF_HOME to another folder"
    )
    partial().unlink()
    assert fetch() == CONTENT


def test_a_line_that_stalls_is_taken_up_with_a_new_request(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.2)
    hub.stop_after = 300_000
    assert fetch() == CONTENT
    assert ranges(hub) == [None, *(f"bytes={number * 2**18}-" for number in (1, 2, 3))]


@pytest.mark.parametrize(
    ("status", "why", "attempts"),
    [(503, "the hub is not available (error 503)", 5), (404, "no such model on the hub", 1)],
)
def test_a_hub_that_fails_half_way_is_named(hub, status, why, attempts):
    snapshot = open_snapshot("acme/tiny", None, offline=False)
    hub.status = status
    with pytest.raises(AssonanceError, match="acme/tiny: ") as refusal:
        snapshot.fetch([NAME])
    assert why in str(refusal.value)
    assert hub.count("GET", "/resolve/") == attempts
