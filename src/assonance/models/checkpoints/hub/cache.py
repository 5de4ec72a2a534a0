"""Read the local cache of the Hugging Face Hub, without a request."""

import re
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

from assonance.models.checkpoints.files import StoredFile

COMMIT, SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")
_WEIGHTS = {".safetensors", ".bin", ".pt"}


def repository(hub_id: str) -> Path:
    """Return the folder of the cache for a model, whether it exists or not.

    Raises
    ------
    ValueError
        The hub allows no such name.
    """
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=hub_id, repo_type="model")


def snapshot_folder(hub_id: str, commit: str) -> Path:
    """Return the folder of the cache for one commit of a model, whether it exists or not."""
    return repository(hub_id) / "snapshots" / commit


def cached_ids() -> list[str]:
    """Return the ids of the models in the cache."""
    folders = Path(constants.HF_HUB_CACHE).glob("models--*--*")
    return sorted(each.name.removeprefix("models--").replace("--", "/") for each in folders)


def cached_refs(hub_id: str) -> dict[str, str]:
    """Return the commits in the cache that have a name, by branch, tag or pull request."""
    folder = repository(hub_id) / "refs"
    refs = {
        path.relative_to(folder).as_posix(): path.read_text("utf-8", "replace").strip()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return {name: commit for name, commit in refs.items() if COMMIT.fullmatch(commit)}


def cached_commit(hub_id: str, revision: str | None) -> str | None:
    """Return the commit of a model that serves without the hub.

    A named revision stands for the commit that it had when the hub was last reached. So does the
    main revision, unless that commit is not whole in the cache: its configuration or weights were
    not fetched after the model changed. Then the whole commit that was cached last serves. Commits
    of pull requests and of other branches never serve as the main revision.

    Parameters
    ----------
    hub_id
        Name on the hub.
    revision
        Branch, tag or commit; None for the main revision.

    Returns
    -------
    str or None
        The commit, or None if nothing of this revision is in the cache.
    """
    refs = cached_refs(hub_id)
    named = revision or constants.DEFAULT_REVISION
    commit = named if COMMIT.fullmatch(named) else refs.get(named)
    if commit is None:
        return None
    if revision is None and not _is_whole(cached_files(hub_id, commit)):
        older = [
            folder
            for folder in snapshot_folder(hub_id, commit).parent.glob("*")
            if folder.name not in refs.values() and _is_whole(cached_files(hub_id, folder.name))
        ]
        if older:
            return max(older, key=lambda folder: folder.stat().st_mtime).name
    return commit if cached_files(hub_id, commit) else None


def cached_files(hub_id: str, commit: str) -> dict[str, StoredFile]:
    """Return the files of one commit in the cache, by name."""
    folder = snapshot_folder(hub_id, commit)
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():  # not a link into nowhere
            name = path.relative_to(folder).as_posix()
            content = path.resolve().name
            sha256 = content if SHA256.fullmatch(content) else None
            files[name] = StoredFile(name, path.stat().st_size, sha256)
    return files


def has_size(path: Path, file: StoredFile) -> bool:
    """Return whether a path is a file with the size of a file on the hub, where that is known."""
    return path.is_file() and file.size in (0, path.stat().st_size)


def _is_whole(files: Mapping[str, StoredFile]) -> bool:
    """Return whether there are a configuration and weights."""
    return "config.json" in files and any(Path(name).suffix in _WEIGHTS for name in files)
