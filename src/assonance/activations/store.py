"""Store the activations of one model for one corpus on disk, in one shard an utterance."""

import hashlib
import json
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from assonance.activations.card import open_card
from assonance.activations.rounding import FULL, Rounding, rounded, rounding
from assonance.errors import AssonanceError, printable
from assonance.settings import Stored
from assonance.utils.files import write_together

_FORMAT = "3"
_HALF = "stored as"  # key of a fingerprint: the number format of the frames, if not float32
_SUM = "sum of "  # prefix of a layer's label: sums of its neurons over the utterance
_TIMES = "times of frames"
SHARDS = "*.safetensors"
_ABANDONED = 3600.0  # seconds after which a temporary file no longer has a writer

_Stamp = tuple[int, int, int]  # of a file: its number, its size and when it changed


class ActivationStore:
    """A folder with the activations of one model for one corpus.

    Each shard is a safetensors file with the activations of one utterance and their checksums. It
    is written to a temporary file, flushed and renamed: a shard is either complete or absent.

    Parameters
    ----------
    folder
        Folder of the shards; created if it does not exist.
    fingerprint
        Everything that determines the activations besides the audio: model, version, settings.
    layers
        Number of neurons of each layer, by label.
    precision
        Number format of the frames on disk. Half precision is part of the fingerprint.
    verify
        Whether `holds` verifies all checksums, or reads the header alone. Reading verifies too,
        except shards whose checksums were all verified and whose file is still the same.

    Raises
    ------
    AssonanceError
        The folder holds other files, or a store with another fingerprint or other layers.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fingerprint: Mapping[str, str],
        layers: Mapping[str, int],
        precision: Stored = FULL,
        verify: bool = True,
    ) -> None:
        self.folder = Path(folder)
        self.fingerprint = {**fingerprint, **({_HALF: precision} if precision != FULL else {})}
        self.precision = self.fingerprint.get(_HALF, FULL)
        self._dtype = np.dtype(self.precision)
        self._verify = verify
        self._sound: dict[str, _Stamp] = {}  # by utterance, the file whose checksums are right
        self.layers = dict(layers)
        contents = {"format": _FORMAT, "fingerprint": self.fingerprint, "layers": self.layers}
        with self._named_errors():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._made_with = open_card(self.folder, contents)
            for leftover in self.folder.glob("*.tmp"):
                with suppress(FileNotFoundError):  # its writer has just renamed it
                    if time.time() - leftover.stat().st_mtime > _ABANDONED:
                        leftover.unlink()

    def __contains__(self, utterance: object) -> bool:
        return isinstance(utterance, str) and self._verified(utterance) is not None

    def holds(self, utterance: str, audio_fingerprint: str) -> bool:
        """Return whether the store has complete activations of an utterance with this audio.

        Parameters
        ----------
        utterance
            Id of the utterance.
        audio_fingerprint
            Fingerprint of the audio, as passed to `write`.

        Returns
        -------
        bool
            False if the shard is missing or damaged, or was computed from other audio.
        """
        shard = self._shard(utterance)
        about = self._verified(utterance) if self._verify else self._header(shard)
        return about is not None and about["audio"] == audio_fingerprint

    def write(
        self,
        utterance: str,
        activations: Mapping[str, NDArray[np.float32]],
        times: NDArray[np.float64],
        audio_fingerprint: str,
    ) -> None:
        """Write the activations of an utterance, replacing any that exist.

        Parameters
        ----------
        utterance
            Id of the utterance.
        activations
            Array of shape (T, width) for each layer of the store; T is the same for all.
        times
            Centre of each frame, in seconds from the utterance's start; shape (T,).
        audio_fingerprint
            Fingerprint of the audio that they were computed from.

        Raises
        ------
        AssonanceError
            Layers or shapes do not fit the store, or the shard cannot be written.
        """
        content = self._content(utterance, activations, times, audio_fingerprint)
        write_together({self._shard(utterance): content})

    def _content(
        self,
        utterance: str,
        activations: Mapping[str, NDArray[np.float32]],
        times: NDArray[np.float64],
        audio_fingerprint: str,
    ) -> bytes:
        """Return the bytes of a shard; see `write`."""
        frames = {len(times), *(array.shape[0] for array in activations.values())}
        widths = {label: array.shape[1] for label, array in activations.items()}
        if widths != self.layers or len(frames) != 1:
            raise AssonanceError(
                f"{printable(utterance)}: layers {widths} of {sorted(frames)} frames do not fit "
                f"the store {printable(self.folder)}, which holds {self.layers}"
            )
        full = {
            label: np.ascontiguousarray(activations[label], np.float32) for label in self.layers
        }
        arrays = {label: rounded(values, self._dtype, label) for label, values in full.items()}
        sums = {_SUM + label: array.sum(0, dtype=np.float64) for label, array in arrays.items()}
        tensors = {**arrays, **sums, _TIMES: np.ascontiguousarray(times, np.float64)}
        about = {
            "store": self._made_with,
            "utterance": utterance,
            "audio": audio_fingerprint,
            "frames": frames.pop(),
            "checksums": {name: zlib.crc32(array.data) for name, array in tensors.items()},
            **({"rounding": rounding(full, arrays)} if self.precision != FULL else {}),
        }
        # A single metadata entry, because several have no fixed order and the bytes must be fixed.
        return save(tensors, {"assonance": json.dumps(about)})

    def read(
        self, utterance: str, layers: Iterable[str] | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Read an utterance's activations.

        Parameters
        ----------
        utterance
            Id of the utterance.
        layers
            Labels of the layers to read; all by default.

        Returns
        -------
        dict of ndarray of float32, shape (T, width)
            By layer label.

        Raises
        ------
        AssonanceError
            The store has no such utterance or layer, or the shard is damaged.
        """
        labels = list(self.layers if layers is None else layers)
        if unknown := [label for label in labels if label not in self.layers]:
            raise AssonanceError(
                f"the store {printable(self.folder)} has no layer {unknown[0]!r}; "
                f"it has {', '.join(self.layers)}"
            )
        found = self._tensors(utterance, labels)
        return {label: each.astype(np.float32, copy=False) for label, each in found.items()}

    def rounding(self, utterance: str) -> Rounding:
        """Return how half precision changed the layers of an utterance; empty for float32."""
        with self._opened(utterance) as (_, about):
            return dict(about.get("rounding", {}))

    def sums(self, utterance: str) -> dict[str, NDArray[np.float64]]:
        """Return the sum of each neuron over an utterance's frames, without reading the frames.

        Parameters
        ----------
        utterance
            Id of the utterance.

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
        """Return the centre of each frame of an utterance.

        Parameters
        ----------
        utterance
            Id of the utterance.

        Returns
        -------
        ndarray of float64, shape (T,)
            In seconds from the start of the utterance.

        Raises
        ------
        AssonanceError
            The store has no such utterance, or the shard is damaged.
        """
        return self._tensors(utterance, [_TIMES])[_TIMES]

    def n_frames(self, utterance: str) -> int:
        """Return the number of frames of an utterance, from the header of its shard.

        Raises
        ------
        AssonanceError
            The store has no such utterance, or the shard is damaged.
        """
        with self._opened(utterance) as (_, about):
            return int(about["frames"])

    @property
    def made_with(self) -> str:
        """Hash of everything that determines the activations besides the audio."""
        return self._made_with

    def audio(self, utterance: str) -> str:
        """Return the fingerprint of the audio that an utterance's activations were computed from.

        Raises
        ------
        AssonanceError
            The store has no such utterance, or the shard is damaged.
        """
        with self._opened(utterance) as (_, about):
            return str(about["audio"])

    @property
    def ids(self) -> tuple[str, ...]:
        """Sorted ids of the utterances with a valid shard header."""
        found = []
        for path in self.folder.glob(SHARDS):
            about = self._header(path)
            if about is not None:
                found.append(about["utterance"])
        return tuple(sorted(found))

    def file_name(self, utterance: str) -> str:
        """Return the name of an utterance's shard."""
        return self._shard(utterance).name

    def _shard(self, utterance: str) -> Path:
        # A hash is safe in a path, whatever characters the id has.
        return self.folder / f"{hashlib.sha256(utterance.encode()).hexdigest()}.safetensors"

    def _header(self, path: Path) -> dict[str, Any] | None:
        """Read the header of a shard; None if it is damaged or belongs to another store."""
        try:
            with safe_open(path, framework="numpy") as shard:
                return self._about(shard, path)
        except (OSError, SafetensorError):
            return None  # the header is damaged

    def _about(self, shard: Any, path: Path) -> dict[str, Any] | None:
        """Return what the header of an open shard states; None if it does not fit this store."""
        try:
            about: dict[str, Any] = json.loads(shard.metadata()["assonance"])
            views = {name: shard.get_slice(name) for name in about["checksums"]}
            found = {name: (each.get_dtype(), each.get_shape()) for name, each in views.items()}
            frames, stored = about["frames"], f"F{8 * self._dtype.itemsize}"
            expected = {each: (stored, [frames, width]) for each, width in self.layers.items()}
            expected |= {_SUM + each: ("F64", [width]) for each, width in self.layers.items()}
            valid = (
                about["store"] == self._made_with
                and isinstance(about["audio"], str)
                and self._shard(about["utterance"]) == path
                and found == expected | {_TIMES: ("F64", [frames])}
            )
        except (SafetensorError, ValueError, TypeError, KeyError, AttributeError):
            return None  # the header is damaged
        return about if valid else None

    def _verified(self, utterance: str) -> dict[str, Any] | None:
        """Read the header of an utterance's shard; None unless all its checksums are right."""
        stamp = _stamp(self._shard(utterance))
        try:
            with self._opened(utterance) as (shard, about):
                self._checked(utterance, shard, about, about["checksums"])
        except AssonanceError:
            return None
        if stamp is not None:
            self._sound[utterance] = stamp
        return about

    def _tensors(self, utterance: str, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Read tensors of a shard; verify their checksums, unless all of the file were."""
        sound = self._sound.get(utterance)
        if sound is not None and sound == _stamp(self._shard(utterance)):
            with self._open(utterance) as shard:
                return {name: shard.get_tensor(name) for name in names}
        with self._opened(utterance) as (shard, about):
            return self._checked(utterance, shard, about, names)

    def _checked(
        self, utterance: str, shard: Any, about: Mapping[str, Any], names: Iterable[str]
    ) -> dict[str, NDArray[Any]]:
        """Read tensors of an open shard and verify their checksums."""
        tensors = {name: shard.get_tensor(name) for name in names}
        for name, tensor in tensors.items():
            if zlib.crc32(tensor.data) != about["checksums"][name]:
                raise self._damaged(utterance)
        return tensors

    @contextmanager
    def _opened(self, utterance: str) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Open an utterance's shard, and read its header."""
        with self._open(utterance) as shard:
            about = self._about(shard, self._shard(utterance))
            if about is None:
                raise self._damaged(utterance)
            yield shard, about

    def _open(self, utterance: str) -> Any:
        try:
            return safe_open(self._shard(utterance), framework="numpy")
        except FileNotFoundError as error:
            raise AssonanceError(
                f"{printable(self.folder)}: no activations of {printable(utterance)}; "
                "the same command computes them"
            ) from error
        except (OSError, SafetensorError) as error:
            raise self._damaged(utterance) from error

    def _damaged(self, utterance: str) -> AssonanceError:
        return AssonanceError(
            f"{printable(self._shard(utterance))}: the shard of {printable(utterance)} is damaged; "
            "extract again to replace it"
        )

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise AssonanceError(
                f"{printable(self.folder)}: cannot keep activations here: "
                f"{error.strerror or error}; free some space, or name another folder"
            ) from error


def _stamp(path: Path) -> _Stamp | None:
    """Describe the file of a path, so that another in its place is noticed; None without one."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns
