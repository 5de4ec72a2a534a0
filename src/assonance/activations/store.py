"""Activations on disk: one model's on one corpus, a shard an utterance, whole or not there."""

import hashlib
import json
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from assonance.errors import AssonanceError, printable

_FORMAT = "3"


_SUM = "sum of "  # before a layer's label: its neurons' sums over the utterance


_TIMES = "times of frames"


_ABANDONED = 3600.0  # seconds after which a temporary file has no writer any more


class ActivationStore:
    """A folder that holds what one model made of one corpus.

    Every shard is a safetensors file with one utterance's activations, written to a temporary
    name, flushed and renamed, and carries checksums: a shard is either whole or not there.

    Parameters
    ----------
    folder
        Where the shards lie; made if it does not exist.
    fingerprint
        Whatever decides the activations besides the audio, by name: model, version, settings.
    layers
        Width of each layer by its label.

    Raises
    ------
    AssonanceError
        The folder holds something else, or was made with another fingerprint or other layers;
        nothing is ever mixed.
    """

    def __init__(
        self, folder: Path, *, fingerprint: Mapping[str, str], layers: Mapping[str, int]
    ) -> None:
        self.folder = Path(folder)
        self.fingerprint = dict(fingerprint)
        self.layers = dict(layers)
        contents = {"format": _FORMAT, "fingerprint": self.fingerprint, "layers": self.layers}
        record = json.dumps(contents, indent=1, ensure_ascii=False).encode()
        self._made_with = hashlib.sha256(record).hexdigest()
        with self._explained():
            self.folder.mkdir(parents=True, exist_ok=True)
            card = self.folder / "store.json"
            if card.exists():
                self._refuse_another(card, contents)
            else:
                self._refuse_strangers()
                _write_whole(card, record)
            for leftover in self.folder.glob("*.tmp"):
                if time.time() - leftover.stat().st_mtime > _ABANDONED:
                    leftover.unlink(missing_ok=True)

    def __contains__(self, utterance: object) -> bool:
        return isinstance(utterance, str) and self._whole(utterance) is not None

    def holds(self, utterance: str, audio_fingerprint: str) -> bool:
        """Say whether an utterance's activations are here, whole, and of this very audio.

        Parameters
        ----------
        utterance
            Its id.
        audio_fingerprint
            As given to `write`.

        Returns
        -------
        bool
            False for a missing, torn or damaged shard, and for one of other audio.
        """
        about = self._whole(utterance)
        return about is not None and about["audio"] == audio_fingerprint

    def write(
        self,
        utterance: str,
        activations: Mapping[str, NDArray[np.float32]],
        times: NDArray[np.float64],
        audio_fingerprint: str,
    ) -> None:
        """Keep an utterance's activations, in place of any that were there.

        Parameters
        ----------
        utterance
            Its id.
        activations
            For each of the store's layers an array of shape (T, width), T frames the same for all.
        times
            Centre of each frame, in seconds from the utterance's start; shape (T,).
        audio_fingerprint
            Identifies the audio that they were made of.

        Raises
        ------
        AssonanceError
            The layers or shapes are not the store's, or the shard cannot be written.
        """
        frames = {len(times), *(array.shape[0] for array in activations.values())}
        widths = {label: array.shape[1] for label, array in activations.items()}
        if widths != self.layers or len(frames) != 1:
            raise AssonanceError(
                f"{printable(utterance)}: layers {widths} of {sorted(frames)} frames do not fit "
                f"the store {printable(self.folder)}, which holds {self.layers}"
            )
        arrays = {
            label: np.ascontiguousarray(activations[label], np.float32) for label in self.layers
        }
        sums = {_SUM + label: array.sum(0, dtype=np.float64) for label, array in arrays.items()}
        tensors = {**arrays, **sums, _TIMES: np.ascontiguousarray(times, np.float64)}
        about = {
            "store": self._made_with,
            "utterance": utterance,
            "audio": audio_fingerprint,
            "frames": frames.pop(),
            "checksums": {name: zlib.crc32(array.data) for name, array in tensors.items()},
        }
        # One metadata entry: several would be written in no fixed order, the bytes must be fixed.
        with self._explained():
            _write_whole(self._shard(utterance), save(tensors, {"assonance": json.dumps(about)}))

    def read(
        self, utterance: str, layers: Iterable[str] | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Read an utterance's activations.

        Parameters
        ----------
        utterance
            Its id.
        layers
            Labels of the layers wanted; only these are read. All by default.

        Returns
        -------
        dict of ndarray of float32, shape (T, width)
            By layer label.

        Raises
        ------
        AssonanceError
            The store has no such utterance or layer, or the shard is damaged.
        """
        wanted = list(self.layers if layers is None else layers)
        if unknown := [label for label in wanted if label not in self.layers]:
            raise AssonanceError(
                f"the store {printable(self.folder)} has no layer {unknown[0]!r}; "
                f"it has {', '.join(self.layers)}"
            )
        return self._tensors(utterance, wanted)

    def sums(self, utterance: str) -> dict[str, NDArray[np.float64]]:
        """Sum each neuron over an utterance's frames, without reading them.

        Parameters
        ----------
        utterance
            Its id.

        Returns
        -------
        dict of ndarray of float64, shape (width,)
            By layer label.

        Raises
        ------
        AssonanceError
            The store has no such utterance, or the shard is damaged.
        """
        found = self._tensors(utterance, [_SUM + label for label in self.layers])
        return {label: found[_SUM + label] for label in self.layers}

    def times(self, utterance: str) -> NDArray[np.float64]:
        """Say where in time an utterance's frames lie.

        Parameters
        ----------
        utterance
            Its id.

        Returns
        -------
        ndarray of float64, shape (T,)
            Centre of each frame, in seconds from the utterance's start.

        Raises
        ------
        AssonanceError
            The store has no such utterance, or the shard is damaged.
        """
        return self._tensors(utterance, [_TIMES])[_TIMES]

    def n_frames(self, utterance: str) -> int:
        """Count an utterance's frames, from the header of its shard alone.

        Parameters
        ----------
        utterance
            Its id.

        Returns
        -------
        int
            Number of frames.

        Raises
        ------
        AssonanceError
            The store has no such utterance, or the shard is damaged.
        """
        with self._opened(utterance) as (_, about):
            return int(about["frames"])

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the utterances whose shards have a sound header, sorted."""
        found = []
        for path in self.folder.glob("*.safetensors"):
            about = self._header(path)
            if about is not None:
                found.append(about["utterance"])
        return tuple(sorted(found))

    def _shard(self, utterance: str) -> Path:
        # A hash is safe in any path, whatever the id holds.
        return self.folder / f"{hashlib.sha256(utterance.encode()).hexdigest()}.safetensors"

    def _header(self, path: Path) -> dict[str, Any] | None:
        """Read what a shard says of itself; None where it is torn, or not this store's."""
        try:
            with safe_open(path, framework="numpy") as shard:
                about: dict[str, Any] = json.loads(shard.metadata()["assonance"])
                found = {
                    name: (shard.get_slice(name).get_dtype(), shard.get_slice(name).get_shape())
                    for name in about["checksums"]
                }
                expected = {
                    label: ("F32", [about["frames"], width]) for label, width in self.layers.items()
                }
                expected |= {_SUM + label: ("F64", [width]) for label, width in self.layers.items()}
                expected[_TIMES] = ("F64", [about["frames"]])
                sound = (
                    about["store"] == self._made_with
                    and isinstance(about["audio"], str)
                    and self._shard(about["utterance"]) == path
                    and found == expected
                )
        except (OSError, SafetensorError, ValueError, TypeError, KeyError, AttributeError):
            return None  # whatever a damaged header may turn into
        return about if sound else None

    def _whole(self, utterance: str) -> dict[str, Any] | None:
        """Read what an utterance's shard says of itself, if every byte of it is sound."""
        about = self._header(self._shard(utterance))
        if about is None:
            return None
        try:
            self._tensors(utterance, about["checksums"])
        except AssonanceError:
            return None
        return about

    def _tensors(self, utterance: str, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Read what a shard holds, and see that it is what was written."""
        with self._opened(utterance) as (shard, about):
            tensors = {name: shard.get_tensor(name) for name in names}
        for name, tensor in tensors.items():
            if zlib.crc32(tensor.data) != about["checksums"][name]:
                raise self._damaged(utterance)
        return tensors

    @contextmanager
    def _opened(self, utterance: str) -> Iterator[tuple[Any, dict[str, Any]]]:
        path = self._shard(utterance)
        if not path.exists():
            raise AssonanceError(
                f"{printable(self.folder)}: no activations of {printable(utterance)}; extract them"
            )
        about = self._header(path)
        if about is None:
            raise self._damaged(utterance)
        with safe_open(path, framework="numpy") as shard:
            yield shard, about

    def _damaged(self, utterance: str) -> AssonanceError:
        return AssonanceError(
            f"{printable(self._shard(utterance))}: the shard of {printable(utterance)} is damaged; "
            "extract again, and it will be made anew"
        )

    def _refuse_another(self, card: Path, contents: Mapping[str, Any]) -> None:
        try:
            found = json.loads(card.read_bytes())
            known = {"fingerprint", "layers"} <= set(found)
        except (ValueError, TypeError):
            known = False
        if not known:
            raise AssonanceError(
                f"{printable(card)}: not readable as a store of activations; "
                "delete the folder or name another"
            )
        there = {"format": found.get("format"), **found["fingerprint"], "layers": found["layers"]}
        here = {"format": _FORMAT, **self.fingerprint, "layers": self.layers}
        differing = [key for key in {**here, **there} if here.get(key) != there.get(key)]
        if differing:
            raise AssonanceError(
                f"{printable(self.folder)}: made with "
                + ", ".join(f"{key} {_short(there.get(key))}" for key in differing)
                + ", now "
                + ", ".join(f"{key} {_short(here.get(key))}" for key in differing)
                + "; delete the folder or name another"
            )

    def _refuse_strangers(self) -> None:
        if any(path.suffix != ".tmp" for path in self.folder.iterdir()):
            raise AssonanceError(
                f"{printable(self.folder)}: holds files but is no store of activations; "
                "name an empty or new folder"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise AssonanceError(
                f"{printable(self.folder)}: cannot keep activations here: "
                f"{error.strerror or error}; make room, or name another folder"
            ) from error


def _short(value: object) -> str:
    """Show a fingerprint's value; a hash by its first digits."""
    text = printable(str(value))
    return text if len(text) <= 40 else f"{text[:12]}…"


def _write_whole(path: Path, content: bytes) -> None:
    """Put a file in place in one step that survives a crash: all of it, or none."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    if hasattr(os, "O_DIRECTORY"):  # where a folder can be synced, so that the name lasts too
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
