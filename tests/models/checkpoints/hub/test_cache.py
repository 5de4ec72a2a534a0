"""Which files of the local cache serve offline."""

import os
from pathlib import Path

import pytest
from huggingface_hub import constants

from assonance.models.checkpoints.hub.cache import (
    cached_commit,
    cached_files,
    cached_ids,
    cached_refs,
    repository,
    snapshot_folder,
)

A, B, C = ("a" * 40, "b" * 40, "c" * 40)
WHOLE = ("config.json", "model.safetensors")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


def keep(commit, names, ref=None, age=0):
    """Put files of a commit into the cache as the client does, by links to their content."""
    folder = snapshot_folder("acme/tiny", commit)
    folder.mkdir(parents=True)
    for name in names:
        blob = repository("acme/tiny") / "blobs" / (name.encode().hex() * 64)[:64]
        blob.parent.mkdir(exist_ok=True)
        blob.write_bytes(name.encode())
        (folder / name).symlink_to(blob)
    os.utime(folder, (1e9 - age, 1e9 - age))
    if ref:
        path = repository("acme/tiny") / "refs" / ref
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(commit)


def test_an_empty_cache_holds_nothing():
    assert cached_ids() == []
    assert cached_refs("acme/tiny") == {}
    assert cached_commit("acme/tiny", None) is None
    assert cached_files("acme/tiny", A) == {}


def test_models_and_names_of_commits_are_listed():
    keep(A, WHOLE, "main")
    keep(B, WHOLE, "refs/pr/3")
    Path(constants.HF_HUB_CACHE, "datasets--acme--speech").mkdir()
    assert cached_ids() == ["acme/tiny"]
    assert cached_refs("acme/tiny") == {"main": A, "refs/pr/3": B}


def test_large_files_bear_the_hash_of_their_content():
    keep(A, WHOLE, "main")
    file = cached_files("acme/tiny", A)["model.safetensors"]
    assert (file.size, file.sha256) == (17, (b"model.safetensors".hex() * 64)[:64])


def test_a_link_into_nowhere_is_no_file():
    keep(A, WHOLE, "main")
    (snapshot_folder("acme/tiny", A) / "model.safetensors").resolve().unlink()
    assert list(cached_files("acme/tiny", A)) == ["config.json"]


@pytest.mark.parametrize(("revision", "commit"), [("main", A), ("refs/pr/3", B), (B, B), (C, None)])
def test_a_named_revision_is_what_it_last_stood_for(revision, commit):
    keep(A, ["config.json"], "main")
    keep(B, WHOLE, "refs/pr/3")
    assert cached_commit("acme/tiny", revision) == commit


def test_weights_of_a_pull_request_are_not_taken_for_those_of_main():
    keep(A, ["config.json"], "main")
    keep(B, ["model.safetensors"], "refs/pr/3")
    assert cached_commit("acme/tiny", None) == A
    keep(C, WHOLE, "refs/pr/4")
    assert cached_commit("acme/tiny", None) == A


def test_the_latest_whole_commit_serves_where_main_is_not_whole():
    keep(A, ["config.json"], "main")
    keep(B, WHOLE, age=100)
    keep(C, WHOLE, age=50)
    assert cached_commit("acme/tiny", None) == C


def test_main_serves_where_it_is_whole():
    keep(A, WHOLE, "main", age=100)
    keep(B, WHOLE)
    assert cached_commit("acme/tiny", None) == A


def test_without_a_main_revision_no_other_commit_serves():
    keep(B, WHOLE)
    assert cached_commit("acme/tiny", None) is None


@pytest.mark.parametrize("revision", ["../../../secret", "/etc/hostname"])
def test_a_revision_cannot_reach_beyond_the_cache(revision):
    keep(A, WHOLE, "main")
    assert cached_commit("acme/tiny", revision) is None


@pytest.mark.parametrize("hub_id", ["../tiny", "acme/..", "acme/a--b"])
def test_an_id_that_is_no_name_is_refused(hub_id):
    with pytest.raises(ValueError, match=r"[Rr]epo.id"):
        repository(hub_id)
