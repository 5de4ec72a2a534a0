"""Choose the files that hold a checkpoint's weights, and read them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from assonance.errors import AssonanceError, error_text, join_names, printable
from assonance.models.checkpoints.files import (
    Files,
    LocalFiles,
    StoredFile,
    place,
    read_json,
    refuse_pointer,
)
from assonance.utils.progress import Progress, Silent

if TYPE_CHECKING:
    from torch import Tensor

# By form: the one file, and the index of several. In order of preference.
_FORMS = {
    "safetensors": ("model.safetensors", "model.safetensors.index.json"),
    "pickled": ("pytorch_model.bin", "pytorch_model.bin.index.json"),
}
SINGLES = tuple(single for single, _ in _FORMS.values())
INDEXES = tuple(index for _, index in _FORMS.values())
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}
# Saved by trainers beside the weights.
_TRAINING = re.compile(r"(training_args|optimizer|scheduler|scaler|rng_state.*)\.(bin|pt|pth|pkl)")
_FOREIGN = {
    "tf_model.h5": "TensorFlow",
    "flax_model.msgpack": "Flax",
    "model.onnx": "ONNX",
    "saved_model.pb": "TensorFlow",
}
# Weights in another precision beside the main ones.
_VARIANT = re.compile(r"(model|pytorch_model)\..+(\.safetensors|\.bin)")
_SILENT = Silent()


@dataclass(frozen=True)
class Weights:
    """The files that hold a checkpoint's weights.

    Attributes
    ----------
    files
        All files of the checkpoint.
    names
        Names of the files with weights.
    pickled
        Whether they are pickled by torch, and not in the form of safetensors.
    """

    files: Files
    names: tuple[str, ...]
    pickled: bool

    @property
    def size(self) -> int:
        """Bytes of the files together."""
        return sum(self.files.files[name].size for name in self.names)

    def missing(self) -> list[StoredFile]:
        """Return the files that must be downloaded."""
        return self.files.missing(self.names)

    def read(self, progress: Progress = _SILENT) -> "tuple[dict[str, Tensor], str]":
        """Read the weights, downloaded and converted to safetensors where needed.

        Parameters
        ----------
        progress
            Receives the stages of downloading and converting.

        Returns
        -------
        tuple of dict of Tensor and str
            The weights by the names in the files, and the name of the file they come from, with
            its SHA-256 if it was converted.

        Raises
        ------
        AssonanceError
            A file cannot be had or is damaged.
        """
        folder = self.files.fetch(self.names, progress)
        tensors: dict[str, Tensor] = {}
        origins = []
        for name in self.names:
            path, origin, where = folder / name, name, place(self.files, name)
            if self.pickled:
                from assonance.models.checkpoints.pickled.conversion import convert

                known = self.files.files[name].sha256
                converted = convert(path, where=where, sha256=known, progress=progress)
                path, origin = converted.path, f"converted from {name} (sha256 {converted.sha256})"
            tensors |= _read_safetensors(path, where)
            origins.append(origin)
        more = f" and {len(origins) - 1} more" if len(origins) > 1 else ""
        return tensors, origins[0] + more


def choose_weights(files: Files, *, pickles: bool) -> Weights:
    """Choose the files with the weights of a checkpoint in the form of transformers.

    Safetensors come first. Of every form, one file comes before several with an index.

    Parameters
    ----------
    files
        The files. Indexes are fetched.
    pickles
        Whether weights pickled by torch may be chosen.

    Returns
    -------
    Weights
        The files chosen.

    Raises
    ------
    AssonanceError
        There are no weights that can be opened.
    """
    for form, (single, index) in _FORMS.items():
        pickled = form == "pickled"
        names: tuple[str, ...] = ()
        if single in files.files:
            names = (single,)
        elif index in files.files:
            names = _shards(files, index)
        if names:
            if pickled and not pickles:
                raise AssonanceError(
                    f"{files.where}: only pickled weights ({names[0]}), which --no-pickles "
                    "refuses; convert them to safetensors, or leave out --no-pickles"
                )
            return Weights(files, names, pickled)
    raise AssonanceError(f"{files.where}: {_why_none(files)}")


def single_file_weights(files: LocalFiles, *, pickles: bool) -> Weights:
    """Choose the single file that was given as a checkpoint.

    Raises
    ------
    AssonanceError
        It is not a file of weights, or is pickled and `pickles` is false.
    """
    name = str(files.only)
    if _TRAINING.fullmatch(name):
        raise AssonanceError(
            f"{files.where}: the state of a training, not weights, and never opened; give the "
            "folder that also holds model.safetensors"
        )
    if name in _FOREIGN:
        raise AssonanceError(f"{files.where}: {_why_none(files)}")
    suffix = Path(name).suffix
    if suffix != ".safetensors" and suffix not in PICKLES:
        raise AssonanceError(
            f"{files.where}: not a directory, and not a file of weights by its name; give a "
            "model's directory or a file that ends in .safetensors, .pt, .pth, .ckpt or .bin"
        )
    if suffix in PICKLES and not pickles:
        raise AssonanceError(f"{files.where}: pickled weights, which --no-pickles refuses")
    return Weights(files, (name,), suffix in PICKLES)


def stored_shapes(path: Path, where: str) -> tuple[dict[str, tuple[int, ...]], dict[str, Any]]:
    """Return the shapes of the weights in a file, and the settings that it holds beside them.

    Parameters
    ----------
    path
        The file.
    where
        How messages name it.

    Raises
    ------
    AssonanceError
        The file is damaged, or pickles something else than weights.
    """
    if path.suffix in PICKLES:
        from assonance.models.checkpoints.pickled.conversion import shapes_and_settings

        return shapes_and_settings(path, where)
    from safetensors import safe_open

    with _damage_named(path, where), safe_open(path, framework="pt") as file:
        names = list(file.keys())
        return {name: tuple(file.get_slice(name).get_shape()) for name in names}, {}


def is_finite(weight: "Tensor") -> bool:
    """Return whether no value is NaN or infinite; its extremes show both, in one pass."""
    if not weight.numel():
        return True
    return all(bool(extreme.isfinite()) for extreme in weight.aminmax())


def _shards(files: Files, index: str) -> tuple[str, ...]:
    """Return the names of the files that an index lists, in their order."""
    places = read_json(files.fetch([index]), index, files.where).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise AssonanceError(f"{files.where}/{index}: has no weight_map; get a complete copy")
    names = sorted({str(name) for name in places.values()})
    for name in names:
        if PurePosixPath(name).name != name or name == ".." or "\\" in name:
            raise AssonanceError(
                f"{files.where}/{index}: names {printable(name)}, which is not a file beside it; "
                "get a complete copy"
            )
    lost = [name for name in names if name not in files.files]
    if lost:
        raise AssonanceError(
            f"{files.where}: {printable(lost[0])}, which {index} names, is missing; "
            "get a complete copy"
        )
    return tuple(names)


def _why_none(files: Files) -> str:
    """Return why no file holds weights that can be opened, and the remedy."""
    names = sorted(files.files)
    variants = [name for name in names if _VARIANT.fullmatch(name)]
    others = [name for name in names if name in _FOREIGN]
    trained = [name for name in names if _TRAINING.fullmatch(name)]
    pickled = [name for name in names if Path(name).suffix in PICKLES and name not in trained]
    if variants:
        plain = _VARIANT.sub(r"\1\2", variants[0])
        return f"only variants of the weights ({join_names(variants)}); rename one to {plain}"
    if others:
        return (
            f"only weights of {_FOREIGN[others[0]]} ({others[0]}); load them in transformers 4 "
            "(from_tf or from_flax) and save them again"
        )
    if any(name.endswith(".gguf") for name in names):
        return "only quantised weights (GGUF); get the original weights"
    if pickled:
        return (
            f"no model.safetensors or pytorch_model.bin; if {printable(pickled[0])} is a fairseq, "
            "torchaudio or s3prl checkpoint, give the file itself"
        )
    if trained:
        return (
            f"no weights: {trained[0]} is the state of a training and is never opened; "
            "give the folder that also holds model.safetensors"
        )
    return "no weights; model.safetensors or pytorch_model.bin is needed: get a complete copy"


def _read_safetensors(path: Path, where: str) -> "dict[str, Tensor]":
    """Read all tensors of a file in the form of safetensors."""
    from safetensors import safe_open

    with _damage_named(path, where), safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@contextmanager
def _damage_named(path: Path, where: str) -> Iterator[None]:
    """Convert errors on reading a file in the form of safetensors into one line."""
    from safetensors import SafetensorError

    refuse_pointer(path, where)
    try:
        yield
    except (SafetensorError, OSError, ValueError) as error:
        raise AssonanceError(
            f"{where}: its weights cannot be loaded ({printable(error_text(error)[:200])}); "
            "get a complete copy"
        ) from error
