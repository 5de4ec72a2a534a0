"""Each failure of the hub is one line, with the model's id and the remedy."""

import errno
import os
from pathlib import Path

import pytest
from hub import TOKEN
from huggingface_hub import constants

from assonance.errors import AssonanceError
from assonance.models.checkpoints.hub.snapshot import open_snapshot

FILES = {"config.json": b"{}", "model.safetensors": b"weights"}
UNKNOWN = "no such model on the hub, unless it is private; "
LOG_IN = "log in with `hf auth login`"


def refusal(hub_id="acme/tiny", revision=None, *, offline=False):
    """The line with which fetching a model fails."""
    with pytest.raises(AssonanceError) as error:
        open_snapshot(hub_id, revision, offline=offline).fetch(FILES)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def keep(hub, hub_id="acme/tiny"):
    """Fetch a model into the cache."""
    hub.add(hub_id, FILES)
    open_snapshot(hub_id, None, offline=False).fetch(FILES)


@pytest.mark.parametrize("token", [None, TOKEN])
def test_an_unknown_id(hub, monkeypatch, token):
    if token:  # then the hub answers 404 and not 401
        monkeypatch.setenv("HF_TOKEN", token)
    assert refusal("acme/none") == (
        f"acme/none: no such directory, and {UNKNOWN}check the name, or {LOG_IN}"
    )


@pytest.mark.parametrize(
    ("written", "meant"), [("acme/tinny", "acme/tiny"), ("acme/hubert-minni", "hubert-mini")]
)
@pytest.mark.parametrize("offline", [False, True])
def test_an_id_with_a_typing_error(hub, written, meant, offline):
    keep(hub)
    assert refusal(written, offline=offline).endswith(f"; did you mean {meant}?")


def test_a_model_that_the_hub_no_longer_shows_is_still_in_the_cache(hub):
    keep(hub)
    hub.models.clear()
    assert refusal() == (
        f"acme/tiny: {UNKNOWN}use --offline to take the copy in the local cache, or {LOG_IN}"
    )


@pytest.mark.parametrize("hub_id", ["acme/a--b", "acme/.tiny", "acme/tiny."])
def test_an_id_that_the_hub_does_not_allow(hub, hub_id):
    assert refusal(hub_id) == f"{hub_id}: the hub allows no such name; check it"
    assert hub.requests == []


@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_gated_model(hub, monkeypatch, token):
    hub.add("acme/tiny", FILES, gated=True)
    if token:  # then the hub answers 403 and not 401
        monkeypatch.setenv("HF_TOKEN", token)
    assert refusal() == (
        "acme/tiny: its authors give access on request; accept its terms at "
        f"{hub.url}/acme/tiny and {LOG_IN}"
    )


def test_a_disabled_model(hub):
    hub.add("acme/tiny", FILES, disabled=True)
    assert refusal() == (
        "acme/tiny: the hub denies access (Access to this resource is disabled.); use a token "
        f"that may read {hub.url}/acme/tiny: {LOG_IN}"
    )


def test_a_token_that_the_hub_does_not_accept(hub, monkeypatch):
    hub.add("acme/tiny", FILES)
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    assert refusal() == (
        f"acme/tiny: the hub does not accept your token; {LOG_IN}, or unset HF_TOKEN"
    )


def test_an_unknown_revision(hub):
    hub.add("acme/tiny", FILES)
    assert refusal(revision="v9") == (
        f"acme/tiny@v9: the model has no revision v9; see {hub.url}/acme/tiny/tree/main"
    )


def test_offline_and_not_cached(hub):
    assert refusal(offline=True) == (
        "acme/tiny: no such directory, and not in the local cache; leave out --offline to "
        "download it"
    )
    keep(hub)
    assert refusal(revision="v9", offline=True) == (
        "acme/tiny@v9: no such directory, and not in the local cache, which holds its revision "
        "main; leave out --offline to download it"
    )


def test_offline_by_the_environment_and_not_cached(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert refusal() == (
        "acme/tiny: no such directory, and not in the local cache; unset HF_HUB_OFFLINE to "
        "download it"
    )


def test_nobody_answers_and_not_cached(hub, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert refusal() == (
        "acme/tiny: not in the local cache, and the hub at http://127.0.0.1:9 cannot be reached "
        f"([Errno {errno.ECONNREFUSED}] {os.strerror(errno.ECONNREFUSED)}); check the network"
    )


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (503, "not in the local cache, and the hub is not available (error 503); try later"),
        (429, f"not in the local cache, and too many requests to the hub; wait, or {LOG_IN}"),
        (403, "the hub denies access (no reason given); use a token that may read "),
        (418, "the hub answers with error 418 ("),
    ],
)
def test_the_hub_refuses_and_not_cached(hub, status, why):
    hub.status = status
    assert refusal().startswith(f"acme/tiny: {why}")


def test_the_hub_fails_between_two_requests(hub, monkeypatch):
    hub.add("acme/tiny", FILES)
    snapshot = open_snapshot("acme/tiny", None, offline=False)
    hub.status = 503
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # of the client, between attempts
    with pytest.raises(AssonanceError) as error:
        snapshot.fetch(["config.json"])
    assert str(error.value) == (
        "acme/tiny: not in the local cache, and the hub is not available (error 503); try later"
    )


@pytest.mark.parametrize("answer", [b"<html>log in to the hotel</html>", b"[]", b'{"id": "a/b"}'])
def test_a_server_that_is_no_hub(hub, monkeypatch, answer):
    hub.answer = answer
    assert refusal().startswith(f"acme/tiny: the answer of {hub.url} cannot be used (")


@pytest.mark.parametrize("address", ["hub.example", "http://[::1"])
def test_an_address_that_is_none(hub, monkeypatch, address):
    monkeypatch.setattr(constants, "ENDPOINT", address)
    assert refusal().startswith("acme/tiny: ")


def test_a_cache_that_cannot_be_written(hub, tmp_path, monkeypatch):
    hub.add("acme/tiny", FILES)
    (tmp_path / "file").touch()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    assert refusal() == (
        f"acme/tiny: the local cache {tmp_path}/file/cache cannot be used (Not a directory); "
        "make it writable, or set HF_HOME to another folder"
    )


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_cache_without_write_permission(hub, tmp_path):
    hub.add("acme/tiny", FILES)
    Path(constants.HF_HUB_CACHE).mkdir(mode=0o500)
    assert "(Permission denied); make it writable" in refusal()


def test_a_disk_with_too_little_room_is_refused_before_anything_is_downloaded(hub, monkeypatch):
    hub.add("acme/tiny", FILES)
    room = type("Room", (), {"free": 5})()
    disk = "assonance.models.checkpoints.hub.snapshot.shutil.disk_usage"
    monkeypatch.setattr(disk, lambda path: room)
    assert refusal() == (
        "acme/tiny: needs 9 bytes, and the disk of the cache "
        f"{constants.HF_HUB_CACHE} has 5 bytes free; make room, or set HF_HOME to a folder on "
        "another disk"
    )
    assert hub.count("GET", "/resolve/") == 0
