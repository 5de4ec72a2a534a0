"""List the files of a model on the Hugging Face Hub, and download exactly those that are needed."""

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from httpx2 import TransportError
from huggingface_hub import HfApi, constants, hf_hub_download, hf_hub_url, is_offline_mode
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import silent_tqdm

from assonance.errors import AssonanceError, printable
from assonance.models.checkpoints.files import StoredFile
from assonance.models.checkpoints.hub.cache import (
    COMMIT,
    SHA256,
    cached_commit,
    cached_files,
    cached_refs,
    has_size,
    repository,
    snapshot_folder,
)
from assonance.models.checkpoints.hub.errors import (
    as_named,
    hub_errors,
    is_out_of_reach,
    not_cached,
)
from assonance.models.checkpoints.hub.transfer import download, received
from assonance.utils.files import write_text
from assonance.utils.memory import format_bytes
from assonance.utils.progress import Progress, Silent
from assonance.utils.silence import silenced

_SILENT = Silent()
_CLIENT = "huggingface_hub"  # the logger of the hub's client
# Bytes. What is downloaded in a moment has no stage of progress.
_MOMENT = 1e6


@dataclass(frozen=True)
class Snapshot:
    """The files of a model at one commit.

    Attributes
    ----------
    id
        Name on the hub.
    revision
        Branch, tag or commit that was asked for; None for the main revision.
    commit
        Commit that the revision stands for.
    files
        Files by name.
    offline
        Whether only files in the local cache are listed and none can be downloaded.
    """

    id: str
    revision: str | None
    commit: str
    files: Mapping[str, StoredFile]
    offline: bool = False

    @property
    def where(self) -> str:
        """Id and revision, as messages name the model."""
        return printable(as_named(self.id, self.revision))

    @property
    def name(self) -> str:
        """Last part of the id."""
        return self.id.split("/")[-1]

    @property
    def folder(self) -> Path:
        """Folder of the local cache where the files are, once fetched."""
        return snapshot_folder(self.id, self.commit)

    def missing(self, names: Iterable[str]) -> list[StoredFile]:
        """Return the files whose content is not whole in the local cache.

        Parameters
        ----------
        names
            Names of files.

        Raises
        ------
        AssonanceError
            There is no file of such a name.
        """
        return [file for file in self._absent(names) if self._left(file) or not file.size]

    def fetch(self, names: Iterable[str], progress: Progress = _SILENT) -> Path:
        """Download files that are not whole in the local cache, one after another.

        An interrupted download of a large file goes on where it stopped.

        Parameters
        ----------
        names
            Names of files.
        progress
            Receives a stage in bytes if the download takes more than a moment.

        Returns
        -------
        Path
            Folder with these files.

        Raises
        ------
        AssonanceError
            A file cannot be had, or the cache cannot be written.
        """
        absent = self._absent(names)
        with silenced(_CLIENT), hub_errors(self.id, self.revision):
            if absent:
                left = sum(map(self._left, absent))
                self._require_room(left)
                self._download(absent, _SILENT if left < _MOMENT else progress, left)
            if not self.offline:
                self._remember_commit()
        return self.folder

    def _absent(self, names: Iterable[str]) -> list[StoredFile]:
        """Return the files that are not in the folder; their content may be in the cache."""
        files = map(self._file, dict.fromkeys(names))
        return [file for file in files if not has_size(self.folder / file.name, file)]

    def _file(self, name: str) -> StoredFile:
        if name in self.files:
            return self.files[name]
        where = "in the local cache; download it with a network" if self.offline else "on the hub"
        raise AssonanceError(f"{self.where}: no {printable(name)} {where}")

    def _blob(self, file: StoredFile) -> Path | None:
        """Return the path of a large file's content in the cache, or None for a small file."""
        return repository(self.id) / "blobs" / file.sha256 if file.sha256 else None

    def _left(self, file: StoredFile) -> int:
        """Return how many bytes of an absent file must be downloaded."""
        if (blob := self._blob(file)) is None:
            return file.size
        return 0 if has_size(blob, file) else max(file.size - received(blob), 0)

    def _download(self, files: Iterable[StoredFile], progress: Progress, left: int) -> None:
        name = f"{self.where}: downloading {format_bytes(left)}"
        with progress.stage(name, left, unit="bytes") as advance:
            for file in files:
                blob = self._blob(file)
                if blob is not None and not has_size(blob, file):
                    url = hf_hub_url(self.id, file.name, revision=self.commit)
                    download(self.where, url, file, blob, advance)
                damaged = (self.folder / file.name).exists()  # since it is not of the right size
                (self.folder / file.name).unlink(missing_ok=True)
                # The client downloads a small file, and gives a large one its name in the cache.
                hf_hub_download(
                    self.id,
                    file.name,
                    revision=self.commit,
                    force_download=damaged and blob is None,
                    tqdm_class=silent_tqdm,
                )
                if blob is None:
                    advance(file.size)

    def _require_room(self, size: int) -> None:
        """Raise an error if the cache's disk has no room for this many bytes."""
        cache = Path(constants.HF_HUB_CACHE)
        place = next(each for each in (cache, *cache.absolute().parents) if each.exists())
        if (free := shutil.disk_usage(place).free) < size:
            raise AssonanceError(
                f"{self.where}: needs {format_bytes(size)}, and the disk of the cache "
                f"{printable(cache)} has {format_bytes(free)} free; make room, or set HF_HOME to "
                "a folder on another disk"
            )

    def _remember_commit(self) -> None:
        """Record in the cache what the revision stands for, so that it is found offline."""
        named = self.revision or constants.DEFAULT_REVISION
        if named != self.commit != cached_refs(self.id).get(named):
            with suppress(AssonanceError):  # a cache that others fill may be read-only
                write_text(repository(self.id) / "refs" / named, self.commit)


def open_snapshot(hub_id: str, revision: str | None, *, offline: bool) -> Snapshot:
    """List the files of a model, by one request or from the local cache.

    The cache serves if downloads are forbidden, by `offline` or the environment variable
    ``HF_HUB_OFFLINE``, and if the hub is out of reach while the model is in the cache.

    Parameters
    ----------
    hub_id
        Name on the hub.
    revision
        Branch, tag or commit; None for the main revision.
    offline
        Whether requests are forbidden.

    Returns
    -------
    Snapshot
        Nothing is downloaded yet.

    Raises
    ------
    AssonanceError
        There is no such model or revision, or it cannot be had.
    """
    with silenced(_CLIENT), hub_errors(hub_id, revision):
        if offline or is_offline_mode():
            cached = _cached_snapshot(hub_id, revision)
            if cached is None:
                raise not_cached(hub_id, revision, offline=offline)
            return cached
        try:
            return _listed_snapshot(hub_id, revision)
        except (TransportError, HfHubHTTPError) as error:
            cached = _cached_snapshot(hub_id, revision) if is_out_of_reach(error) else None
            if cached is None:
                raise
            return cached


def _listed_snapshot(hub_id: str, revision: str | None) -> Snapshot:
    """Return a model's files as the hub lists them."""
    # A new client each time: the one that the library shares keeps its address from its import.
    client, timeout = HfApi(), constants.HF_HUB_ETAG_TIMEOUT
    try:
        info = client.model_info(hub_id, revision=revision, files_metadata=True, timeout=timeout)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("it does not describe a model") from error
    if not COMMIT.fullmatch(info.sha or ""):
        raise ValueError("it names no commit")
    files = {each.rfilename: _hub_file(each) for each in info.siblings or []}
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"it lists {printable(name)}, which lies outside of the model")
    return Snapshot(hub_id, revision, str(info.sha), files)


def _hub_file(sibling: RepoSibling) -> StoredFile:
    """Convert a file of the client's listing."""
    lfs = sibling.lfs
    if lfs is None or not SHA256.fullmatch(lfs.sha256):
        return StoredFile(sibling.rfilename, sibling.size or 0)
    return StoredFile(sibling.rfilename, lfs.size, lfs.sha256)


def _cached_snapshot(hub_id: str, revision: str | None) -> Snapshot | None:
    """Return a model's files in the local cache, or None if there are none."""
    commit = cached_commit(hub_id, revision)
    if commit is None:
        return None
    return Snapshot(hub_id, revision, commit, cached_files(hub_id, commit), offline=True)
