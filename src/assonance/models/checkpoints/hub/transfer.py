"""Download one large file, going on where an earlier download stopped."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from httpx2 import TransportError
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import (
    WeakFileLock,
    build_hf_headers,
    get_session,
    hf_raise_for_status,
)

from assonance.errors import AssonanceError, printable
from assonance.models.checkpoints.files import StoredFile
from assonance.models.checkpoints.hub.cache import has_size
from assonance.models.checkpoints.hub.errors import is_out_of_reach
from assonance.utils.memory import format_bytes

_CHUNK = 2**18  # bytes
# Attempts in a row without a new byte, and seconds between them.
_ATTEMPTS, _PAUSE = 5, 1.0


def received(blob: Path) -> int:
    """Return how many bytes of a file an earlier download has left."""
    partial = _partial(blob)
    return partial.stat().st_size if partial.is_file() else 0


def download(
    where: str, url: str, file: StoredFile, blob: Path, advance: Callable[[float], None]
) -> None:
    """Download a file of known size and SHA-256 to its place in the hub's cache.

    The client's own download starts from nothing each time. This one appends to a partial file,
    which stays if the download is interrupted.

    Parameters
    ----------
    where
        How messages name the model.
    url
        Address of the file.
    file
        Name, size and SHA-256.
    blob
        Path of the content in the cache. Its last part is the SHA-256.
    advance
        Receives the number of new bytes.

    Raises
    ------
    AssonanceError
        The connection was cut again and again, or the content is not what the hub states.
    HfHubHTTPError
        The hub refuses or fails.
    OSError
        The cache cannot be written.
    """
    lock = blob.parents[2] / ".locks" / blob.parents[1].name / f"{blob.name}.lock"
    for folder in (lock.parent, blob.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):  # the client's own, so that no other process downloads the same
        if has_size(blob, file):  # another process did, meanwhile
            return
        partial = _partial(blob)
        if received(blob) > file.size:
            partial.unlink()
        _receive(where, url, file, partial, advance)
        with partial.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        if sha256 != file.sha256:
            partial.unlink()
            raise AssonanceError(
                f"{where}: {printable(file.name)} arrived damaged (SHA-256 {sha256[:12]}…, not "
                f"{str(file.sha256)[:12]}… as on the hub); run the command again"
            )
        partial.replace(blob)


def _partial(blob: Path) -> Path:
    return blob.with_name(f"{blob.name}.incomplete")


def _receive(
    where: str, url: str, file: StoredFile, partial: Path, advance: Callable[[float], None]
) -> None:
    """Append to a partial file until it has its size, with new requests after cuts."""
    partial.touch()
    idle = 0
    while (before := partial.stat().st_size) < file.size:
        failure: Exception | None = None
        try:
            _request(url, partial, before, advance)
        except (TransportError, HfHubHTTPError) as error:
            if not is_out_of_reach(error):
                raise
            failure = error
        idle = idle + 1 if partial.stat().st_size <= before else 0
        if idle == _ATTEMPTS:
            if isinstance(failure, HfHubHTTPError):
                raise failure
            raise AssonanceError(
                f"{where}: the connection was cut after {format_bytes(before)} of "
                f"{format_bytes(file.size)} of {printable(file.name)}; run the command again, "
                "which goes on from there"
            ) from failure
        if failure is not None:
            time.sleep(_PAUSE)


def _request(url: str, partial: Path, start: int, advance: Callable[[float], None]) -> None:
    """Request a file from a byte on, and append what arrives to a partial file."""
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
        hf_raise_for_status(response)
        with partial.open("ab") as file:
            if start and response.status_code != 206:  # the whole file instead of the rest
                file.truncate(0)
                advance(-start)
            for chunk in response.iter_bytes(_CHUNK):
                file.write(chunk)
                advance(len(chunk))
