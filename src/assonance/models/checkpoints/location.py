"""Find the files of a checkpoint by its name: in a folder, as a single file or on the hub."""

import os
import re
from pathlib import Path

from assonance import demo
from assonance.errors import AssonanceError, did_you_mean, printable
from assonance.models.checkpoints.files import Files, LocalFiles

_HUB_ID = re.compile(r"(?P<id>\w[\w.-]*/[\w.-]+)(@(?P<revision>[\w./-]+))?")


def locate(spec: str | Path, *, offline: bool) -> Files:
    """Find the files of a checkpoint; none is opened, and none downloaded.

    Parameters
    ----------
    spec
        A local folder or file, the name of a bundled model, or a hub id with or without
        ``@revision``. What exists on this machine comes first.
    offline
        Whether to look for a hub id in the local cache only.

    Returns
    -------
    Files
        The files with their sizes.

    Raises
    ------
    AssonanceError
        There is no such checkpoint.
    """
    source = os.fspath(spec)
    local = Path(source)
    exists = os.path.exists(source)  # noqa: PTH110 - unlike Path.exists, never raises
    if exists:
        return LocalFiles(local) if local.is_dir() else LocalFiles(local.parent, local.name)
    if (hub := None if isinstance(spec, Path) else _HUB_ID.fullmatch(source)) is not None:
        # Imported here because the hub's client takes a while to import.
        from assonance.models.checkpoints.hub.snapshot import open_snapshot

        return open_snapshot(hub["id"], hub["revision"], offline=offline)
    if (bundled := demo.find(source)) is not None:
        return LocalFiles(bundled)
    raise _nowhere(source)


def refuse_nowhere(spec: str | Path) -> None:
    """Refuse what is neither on this machine nor of the form of a hub id.

    Raises
    ------
    AssonanceError
        There is no such checkpoint.
    """
    source = os.fspath(spec)
    hub = not isinstance(spec, Path) and _HUB_ID.fullmatch(source)
    if not (os.path.exists(source) or hub or demo.find(source)):  # noqa: PTH110 - as above
        raise _nowhere(source)


def _nowhere(source: str) -> AssonanceError:
    if source in demo.elsewhere():
        return AssonanceError(
            f"{printable(source)}: is not part of the installed package; give its folder, which is "
            "src/assonance/demo/models in a checkout or in the source distribution"
        )
    return AssonanceError(
        f"{printable(source)}: no such directory or file; give a model's directory, a checkpoint "
        "file, a hub id such as facebook/wav2vec2-base-960h, or a name that `assonance models` "
        f"lists{did_you_mean(source, (each.name for each in demo.miniatures()))}"
    )
