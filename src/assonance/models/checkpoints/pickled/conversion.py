"""Convert weights that torch.save wrote to safetensors, once, in a cache by content."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from assonance.errors import error_text, join_names, printable
from assonance.models.checkpoints.pickled import cache
from assonance.models.checkpoints.pickled.copying import copy, lay_out
from assonance.models.checkpoints.pickled.stored import (
    GET_AGAIN,
    SAVE_AGAIN,
    Record,
    Refused,
    StoredTensor,
)
from assonance.models.checkpoints.pickled.torch_file import (
    TorchFile,
    open_torch_file,
    opened,
    refusals_named,
    stamp_of,
)
from assonance.utils.progress import Progress, Silent

# Shape of each weight, by its name.
Shapes = dict[str, tuple[int, ...]]

# Raised whenever other files come out of the same sources; what is cached is then made anew.
_VERSION = "1"
_WEIGHTS = ("model", "model_weight", "state_dict")
_SETTINGS = ("cfg", "args", "model_cfg", "task_cfg")
_LARGEST_SETTINGS = 2**20
_SILENT = Silent()
_MOST_COPIES = 4  # tensors may share storages, but weights do not grow far beyond their file


@dataclass(frozen=True)
class Converted:
    """Weights in the cache, as safetensors.

    Attributes
    ----------
    path
        Their file.
    source
        Name of the file that they were converted from.
    sha256
        Hash of that file.
    """

    path: Path
    source: str
    sha256: str


def convert(
    path: Path, *, where: str = "", sha256: str | None = None, progress: Progress = _SILENT
) -> Converted:
    """Convert weights to safetensors, or find them in the cache; nothing in the file is run.

    Parameters
    ----------
    path
        A file that torch.save wrote. Its tensors keep their names.
    where
        How messages and progress name the file; its path by default.
    sha256
        The hash that the file must have.
    progress
        A receiver of progress in bytes of the source.

    Returns
    -------
    Converted
        Weights under the hash of the file's content. A file that has not changed since is neither
        read nor converted again.

    Raises
    ------
    AssonanceError
        The file is not one of torch.save, is damaged, holds more than tensors and plain settings,
        has another hash, or the cache cannot be written.
    """
    where = where or printable(path)
    with refusals_named(where), opened(path) as source:
        stamp = stamp_of(source)
        known = cache.remembered(path, stamp)
        if known is None and cache.seen_before(stamp.size):
            known = _hash(source)
            cache.remember(path, stamp, known)
        if known is not None:
            _check_hash(known, sha256)
        if known is None or not _is_whole(cache.weights(known)):
            known = _convert(open_torch_file(path, where), source, where, sha256, progress)
            cache.remember(path, stamp, known)
    return Converted(cache.weights(known), path.name, known)


def shapes_and_settings(
    path: Path, where: str = ""
) -> tuple[dict[str, tuple[int, ...]], dict[str, Any]]:
    """Return the shapes of the weights that torch.save wrote, and the settings beside them.

    Parameters
    ----------
    path
        A file that torch.save wrote. It is not converted.
    where
        How messages name the file; its path by default.

    Returns
    -------
    tuple of dict and dict
        The shape of each weight, and what `stored_settings` would return after a conversion.

    Raises
    ------
    AssonanceError
        As for `convert`.
    """
    where = where or printable(path)
    content = open_torch_file(path, where).content
    with refusals_named(where):
        shapes = {name: each.shape for name, each in _weights(content).items()}
        settings: dict[str, Any] = json.loads(_settings(content))
    return shapes, settings


def stored_settings(path: Path) -> dict[str, Any]:
    """Return the settings that a source held beside its weights.

    Parameters
    ----------
    path
        Converted weights.

    Returns
    -------
    dict
        What the source held under ``cfg``, ``args``, ``model_cfg`` and ``task_cfg``: dict, list,
        str and numbers, and None for all else. Empty for any other safetensors file.
    """
    with safe_open(path, "numpy") as file:
        metadata = file.metadata() or {}
    settings: dict[str, Any] = json.loads(metadata.get("settings", "{}"))
    return settings


def _convert(
    file: TorchFile, source: BufferedReader, where: str, sha256: str | None, progress: Progress
) -> str:
    """Convert a file into the cache, and return its hash."""
    tensors, settings = _weights(file.content), _settings(file.content)
    if sum(each.nbytes for each in tensors.values()) > _MOST_COPIES * file.stamp.size:
        raise Refused(f"holds tensors that share most of their memory; {SAVE_AGAIN}")
    metadata = {"format": "pt", "assonance conversion": _VERSION, "settings": settings}
    layout = lay_out(tensors, file.places, metadata)
    with (
        cache.new_file(layout.size) as partial,
        progress.stage(f"{where}: converting", file.stamp.size, unit="bytes") as advance,
    ):
        with cache.explained(layout.size), partial.open("wb") as output:
            found = copy(source, layout, output, advance)
            output.flush()
            os.fsync(output.fileno())
        if stamp_of(source) != file.stamp:
            raise Refused("changed while it was read; try again")
        _check_hash(found, sha256)
        # Weights that another process finished meanwhile are the same, and may be in use.
        if not _is_whole(cache.weights(found)):
            with cache.explained(layout.size):
                partial.replace(cache.weights(found))
    return found


def _hash(source: BufferedReader) -> str:
    try:
        return hashlib.file_digest(source, "sha256").hexdigest()
    except OSError as error:
        raise Refused(f"cannot be read: {error_text(error)}; {GET_AGAIN}") from error


def _check_hash(found: str, expected: str | None) -> None:
    """Refuse a file that is not the one that was meant."""
    if expected is not None and found != expected.lower():
        raise Refused(
            f"has sha256 {found[:12]}… and not {expected[:12]}…, as it should; delete it and get "
            "it again"
        )


def _is_whole(path: Path) -> bool:
    """Return whether weights are in the cache, complete and converted as they would be now."""
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError):
        return False
    return metadata.get("assonance conversion") == _VERSION


def _weights(content: Any) -> dict[str, StoredTensor]:
    """Return the named weights among what a file holds."""
    for mapping in (*(_under(content, name) for name in _WEIGHTS), content):
        if type(mapping) is dict:
            found = {k: v for k, v in mapping.items() if type(v) is StoredTensor}
            if found:
                return _named(found)
    if type(content) is dict and {"state", "param_groups"} <= content.keys():
        raise Refused("is the state of an optimizer; name the file of the weights")
    held = "no named weights"
    if type(content) is dict and content:
        names = [printable(str(name)[:40]) for name in content]
        held = f"{held}, but {join_names(names)}"
    raise Refused(f"holds {held}; save the model's state_dict() by torch.save")


def _under(content: Any, name: str) -> Any:
    return content.get(name) if type(content) is dict else None


def _named(tensors: Mapping[Any, StoredTensor]) -> dict[str, StoredTensor]:
    """Check that tensors have names that a safetensors file can hold."""
    for name in tensors:
        if type(name) is not str or name == "__metadata__" or not _encodable(name):
            raise Refused(f"names a tensor {printable(repr(name)[:40])}; {SAVE_AGAIN}")
    return dict(tensors)


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _settings(content: Any) -> str:
    """Return what a file holds beside its weights as JSON."""
    found = {name: _plain(value) for name in _SETTINGS if (value := _under(content, name))}
    text = json.dumps(found)
    if len(text) > _LARGEST_SETTINGS:
        raise Refused(f"holds settings of more than {_LARGEST_SETTINGS} bytes; {SAVE_AGAIN}")
    return text


def _plain(value: Any) -> Any:
    """Return settings as JSON has them; what cannot be a setting becomes None."""
    if type(value) is Record:
        value = value.state
    if type(value) is dict:
        return {str(key): _plain(each) for key, each in value.items()}
    if type(value) in (list, tuple):
        return [_plain(each) for each in value]
    return value if type(value) in (str, int, float, bool) else None
