"""Read activations that other software computed, one file an utterance."""

import hashlib
import json
import math
import os
import re
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assonance.corpus import Utterance
from assonance.errors import AssonanceError, UnusableAudio, check_path, error_text, printable
from assonance.models.speech_model import Attend, LayerOutputs, ModelCard
from assonance.utils.array_files import READERS, read_arrays
from assonance.utils.files import is_file, is_folder
from assonance.utils.yaml_files import read_yaml

CARD = "activations.yaml"
_FIELDS = ("frame_rate", "first_frame", "layers", "name")
_SAMPLING_RATE = 16000  # Hz, to convert counts of samples to seconds; no samples are read
# A file may have this part more or fewer frames than its rate implies, but always this many.
_ALLOWED, _FRAMES = 0.05, 3
_JUDGED = 7  # files that are read to find the layers of most
_NUMBER = re.compile(r"([0-9]+)")


def is_one(spec: str | Path) -> bool:
    """Return whether a path is a directory with an ``activations.yaml``."""
    return is_file(Path(spec) / CARD)


class Precomputed:
    """A folder of activations as a `SpeechModel`, for example from fairseq, s3prl or NeMo.

    Each utterance has one file ``<id>.npy``, ``.npz``, ``.safetensors``, ``.h5`` or ``.hdf5``;
    slashes in ids are subfolders. The file contains one array of layers × frames × neurons, or of
    frames × neurons for a single layer. Except in ``.npy``, it may instead contain several arrays
    of frames × neurons, each a layer under its own name. Pickles are never opened.

    Parameters
    ----------
    folder
        Folder of the files.
    frame_rate
        Frames a second; by default from ``activations.yaml`` in the folder.
    first_frame
        Centre of the first frame, in seconds; half a frame's duration by default.
    layers
        Labels of an array's layers, from first to last; ``layer.0``, ``layer.1``, … by default.
    name
        Short name; the folder's by default.

    Raises
    ------
    AssonanceError
        The folder does not exist, has no file, or has no valid frame rate, first frame or layers.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import assonance
    >>> folder = Path("activations")
    >>> folder.mkdir()
    >>> np.save(folder / "first.npy", np.zeros((3, 50, 8), np.float32))
    >>> assonance.Precomputed(folder, frame_rate=50).layers
    ('layer.0', 'layer.1', 'layer.2')
    """

    heads: Mapping[str, int] = {}

    def __init__(
        self,
        folder: str | Path,
        *,
        frame_rate: float | None = None,
        first_frame: float | None = None,
        layers: list[str] | None = None,
        name: str | None = None,
    ) -> None:
        check_path(folder, "the folder of activations")
        self.folder = Path(folder)
        given = {"frame_rate": frame_rate, "first_frame": first_frame, "layers": layers}
        stated = {**_card(self.folder), **{k: v for k, v in given.items() if v is not None}}
        if not isinstance(stated.get("name", ""), str):
            raise self._error(f"name is {stated['name']!r}: state a text in {CARD}")
        self.name = name or stated.get("name") or Path(os.path.abspath(folder)).name  # noqa: PTH100
        self.sampling_rate = _SAMPLING_RATE
        self._rate = self._number(stated.get("frame_rate"), "frame_rate", above=0)
        self._first = self._number(stated.get("first_frame", 0.5 / self._rate), "first_frame")
        self._labels = stated.get("layers")
        if self._labels is not None and (
            not isinstance(self._labels, list)
            or not all(isinstance(each, str) and each for each in self._labels)
            or len(set(self._labels)) != len(self._labels)
        ):
            raise self._error(f"layers must be a list of distinct names; correct it in {CARD}")
        self.widths = self._usual_widths()
        self.layers = tuple(self.widths)
        self.meanings = {label: f"{label}, as on file." for label in self.layers}
        self.info = ModelCard(
            family="precomputed activations",
            objective="unknown",
            size=f"{len(self.layers)} layers of {max(self.widths.values())} at most",
            n_parameters=0,
            fine_tuned=False,
            source=str(folder),
        )

    def __repr__(self) -> str:
        return f"<{self.name}: {self.info.size}, {self._rate:g} frames a second>"

    @property
    def fingerprint(self) -> str:
        """Hash of the settings and widths; for the hash of an utterance's file see `identify`."""
        stated = [self._rate, self._first, self.widths]
        return hashlib.sha256(json.dumps(stated).encode()).hexdigest()

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames at the frame rate; a file may have a few more or fewer."""
        return max(0, round((n_samples / _SAMPLING_RATE - self._first) * self._rate + 0.5))

    def frame_times(self, n_samples: int) -> NDArray[np.float64]:
        """Return the centre of each of these frames, in seconds."""
        return self._times(self.n_frames(n_samples))

    def run(self, samples: NDArray[np.float32], *, attend: Attend | None = None) -> LayerOutputs:
        """Raise `AssonanceError`: activations cannot be computed for other audio."""
        raise AssonanceError(
            f"{self.name}: holds activations of utterances and cannot run on other audio; "
            "use the model itself"
        )

    def twin(self, seed: int) -> None:
        """Return None: there are no weights."""

    def identify(self, utterance: Utterance) -> str:
        """Return the SHA-256 of an utterance's file; see `PrecomputedModel.identify`."""
        path = self._file(utterance)
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UnusableAudio(f"{printable(path)} cannot be read: {error_text(error)}") from error

    def look_up(self, utterance: Utterance) -> tuple[LayerOutputs, NDArray[np.float64]]:
        """Read an utterance's file; see `PrecomputedModel.look_up`."""
        path = self._file(utterance)
        arrays = self._read(path)
        widths = {label: array.shape[1] for label, array in arrays.items()}
        if widths != self.widths:
            raise UnusableAudio(
                f"{printable(path)} holds layers {widths}, but most files hold {self.widths}"
            )
        frames = {len(array) for array in arrays.values()}
        times = self._times(min(frames))
        if utterance.window_of is not None:
            # The file has the whole utterance; select the frames centred in the window.
            times = times - utterance.offset
            own = (times >= 0) & (times < utterance.duration)
            arrays = {label: array[: len(own)][own] for label, array in arrays.items()}
            times, frames = times[own], {int(own.sum())} if len(frames) == 1 else frames
        expected = utterance.duration * self._rate
        if len(frames) > 1 or not abs(min(frames) - expected) <= max(_FRAMES, _ALLOWED * expected):
            counts = " or ".join(map(str, sorted(frames)))
            raise UnusableAudio(
                f"{printable(path)} holds {counts} frames for {utterance.duration:.2f} s, but "
                f"{self._rate:g} frames a second make about {expected:.0f}"
            )
        return LayerOutputs(arrays), times

    def _usual_widths(self) -> dict[str, int]:
        """Return the layers and widths of most files, judged by some that are spread over all.

        Of equally frequent ones the first count. One bad file therefore decides nothing.
        """
        paths = [*self._files.values()]
        spread = dict.fromkeys(len(paths) * k // _JUDGED for k in range(_JUDGED))
        found: Counter[tuple[tuple[str, int], ...]] = Counter()
        faults = {}
        # Beyond these, files are tried only until one can be read.
        for place in dict.fromkeys([*spread, *range(len(paths))]):
            if found and place not in spread:
                break
            try:
                arrays = self._read(paths[place])
            except UnusableAudio as error:
                faults[place] = error.reason
            else:
                found[tuple((label, array.shape[1]) for label, array in arrays.items())] += 1
        if not found:
            raise self._error(
                f"none of its {len(paths)} files can be used; the first: {faults[0]}; "
                "mend the files, or remove those that hold no activations"
            )
        return dict(found.most_common(1)[0][0])

    def _times(self, n_frames: int) -> NDArray[np.float64]:
        return self._first + np.arange(n_frames) / self._rate

    @cached_property
    def _files(self) -> dict[str, Path]:
        """Files by utterance id, found by listing: an id is never used to build a path."""
        found: dict[str, Path] = {}
        for path in sorted(self.folder.rglob("*")):
            if path.suffix.lower() in READERS and path.is_file():
                id = path.relative_to(self.folder).with_suffix("").as_posix()
                if id in found:
                    raise self._error(f"holds both {found[id].name} and {path.name}; remove one")
                found[id] = path
        if not found:
            raise self._error(f"holds no {', '.join(READERS)} file; give a folder of activations")
        return found

    def _file(self, utterance: Utterance) -> Path:
        id = utterance.window_of or utterance.id
        if id not in self._files:
            raise UnusableAudio(f"{printable(self.folder)} holds no activations of it")
        return self._files[id]

    def _read(self, path: Path) -> dict[str, NDArray[np.float32]]:
        """Read the layers of a file, each of shape (T, D)."""
        try:
            arrays = read_arrays(path)
        except Exception as error:  # damaged files raise anything in their libraries
            raise UnusableAudio(f"{printable(path)} cannot be read: {error_text(error)}") from error
        if len(arrays) == 1:
            (array,) = arrays.values()
            if array.ndim == 3:
                labels = self._labels or [f"layer.{k}" for k in range(len(array))]
                if len(labels) != len(array):
                    raise UnusableAudio(
                        f"{printable(path)} holds {len(array)} layers, but {CARD} names "
                        f"{len(labels)}"
                    )
                arrays = dict(zip(labels, array, strict=True))
            elif path.suffix.lower() == ".npy":
                arrays = {(self._labels or ["layer.0"])[0]: array}
        for label, array in arrays.items():
            if array.ndim != 2 or array.dtype.kind != "f" or not array.size:
                raise UnusableAudio(
                    f"{printable(path)}: {printable(label)} is {array.dtype} of shape "
                    f"{array.shape}; it must be floats of shape frames × neurons"
                )
            if not np.isfinite(array).all():
                raise UnusableAudio(f"{printable(path)}: {printable(label)} holds NaN or infinity")
        with np.errstate(over="ignore"):
            cast = {label: array.astype(np.float32) for label, array in arrays.items()}
        for label, array in cast.items():
            if not np.isfinite(array).all():
                raise UnusableAudio(
                    f"{printable(path)}: {printable(label)} holds values beyond those of float32, "
                    f"{np.finfo(np.float32).max:.1e}; rescale it"
                )
        return dict(sorted(cast.items(), key=_natural_order))

    def _number(self, value: Any, what: str, above: float = -math.inf) -> float:
        number = _real(value)
        if not math.isfinite(number) or number <= above:
            raise self._error(
                f"{what} is {value!r}: state a number, such as `{what}: 50` in {CARD}"
            )
        return number

    def _error(self, what: str) -> AssonanceError:
        return AssonanceError(f"{printable(self.folder)}: {what}")


def _card(folder: Path) -> dict[str, Any]:
    """Read the settings in a folder's ``activations.yaml``; empty if there is none."""
    if not is_folder(folder):
        raise AssonanceError(
            f"{printable(folder)}: no such directory; give a directory of activations"
        )
    path = folder / CARD
    if not path.exists():
        return {}
    stated = read_yaml(path)
    if not isinstance(stated, dict) or (unknown := [key for key in stated if key not in _FIELDS]):
        what = "not a mapping" if not isinstance(stated, dict) else f"unknown {unknown[0]!r}"
        raise AssonanceError(f"{printable(path)}: {what}; it can have {', '.join(_FIELDS)}")
    return stated


def _real(value: Any) -> float:
    """Return a number as a float; NaN if it is none, or too large to be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _natural_order(item: tuple[str, Any]) -> tuple[Any, ...]:
    """Sort key of a labelled array: text alphabetically, numbers anywhere in it by value."""
    parts: list[Any] = list(_NUMBER.split(item[0]))
    digits = [each.lstrip("0") for each in parts[1::2]]
    parts[1::2] = [(len(each), each) for each in digits]  # as numbers of any length compare
    return tuple(parts)
