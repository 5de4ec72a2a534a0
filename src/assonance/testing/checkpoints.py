"""Check how a checkpoint is loaded, and what is refused."""

import json
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from assonance.errors import AssonanceError
from assonance.models import SpeechModel
from assonance.models.loading import load_model
from assonance.testing.models import SECONDS, require, voice

_TRIED, _ENOUGH = 40, 3  # weights to leave out at most, and errors that suffice


def check_checkpoint(folder: str | Path, *, record: str | Iterable[str] = "blocks") -> None:
    """Check that a checkpoint loads completely and without running its code.

    Parameters
    ----------
    folder
        A local checkpoint with one safetensors file. It is copied, not changed.
    record
        As for `load_model`.

    Raises
    ------
    AssertionError
        A missing weight is accepted, code in the checkpoint is run, or the same weights pickled,
        in several files or in a copied folder give another model.

    Examples
    --------
    >>> from assonance.demo import MODELS
    >>> from assonance.testing import check_checkpoint
    >>> check_checkpoint(MODELS[0])
    """
    from safetensors.torch import load_file, save_file

    folder = Path(folder)
    weights = load_file(folder / "model.safetensors")

    with tempfile.TemporaryDirectory(prefix="assonance-") as scratch:

        def changed(name: str, tensors: dict[str, Any] | None = None) -> Path:
            copy = shutil.copytree(folder, Path(scratch) / name)
            if tensors is not None:
                save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
            return copy

        original = load_model(folder, record=record)
        _in_two(weights, changed("sharded"))
        _same(original, load_model(Path(scratch) / "sharded", record=record), "in two files")
        _missing(original, weights, changed)
        sprung = Path(scratch) / "sprung"
        _pickled(weights, changed("pickled"))
        _same(original, load_model(Path(scratch) / "pickled", record=record), "pickled")
        _no_pickled_code(changed("trapped"), sprung)
        _no_code(changed("with code"), sprung)
        _in_float32(changed("half", {k: w.half() for k, w in weights.items()}))


def _in_two(weights: dict[str, Any], folder: Path) -> None:
    """Write weights in two files with an index."""
    from safetensors.torch import save_file

    (folder / "model.safetensors").unlink()
    place: dict[str, str] = {}
    for number in (1, 2):
        file = f"model-0000{number}-of-00002.safetensors"
        part = {name: weights[name] for name in sorted(weights)[number - 1 :: 2]}
        save_file(part, folder / file, metadata={"format": "pt"})
        place |= dict.fromkeys(part, file)
    index = {"metadata": {}, "weight_map": place}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _same(one: SpeechModel, other: SpeechModel, how: str) -> None:
    samples = voice(one, SECONDS)
    first, second = one.run(samples).activations, other.run(samples).activations
    require(one.fingerprint == other.fingerprint, f"{one.name}: {how} it has another fingerprint")
    for label in one.layers:
        require(np.array_equal(first[label], second[label]), f"{one.name}: {how} {label} differs")


def _missing(original: SpeechModel, weights: dict[str, Any], changed: Callable[..., Path]) -> None:
    """Leave out weights, one at a time: an error unless the encoder does not use it."""
    names = np.random.default_rng(0).permutation(sorted(weights))
    errors = 0
    for number, name in enumerate(names[:_TRIED].tolist()):
        rest = {key: weight for key, weight in weights.items() if key != name}
        try:
            loaded = load_model(changed(f"missing {number}", rest))
        except AssonanceError as error:
            errors += 1
            require(
                "\n" not in str(error), f"{original.name}: the error for {name} has several lines"
            )
            if errors == _ENOUGH:
                return
            continue
        require(
            loaded.fingerprint == load_model(original.info.source).fingerprint,
            f"{original.name}: loads without {name} as another model",
        )
    require(errors > 0, f"{original.name}: loads with weights missing")


def _pickled(weights: dict[str, Any], folder: Path) -> None:
    """Write weights as torch pickles them."""
    import torch

    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")


def _no_pickled_code(folder: Path, sprung: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Trap(sprung), protocol=2))
    try:
        load_model(folder)
    except AssonanceError:
        require(not sprung.exists(), f"{folder.name}: code in a pickle was run")
        return
    raise AssertionError(f"{folder.name}: loads from a pickle that is no weights")


def _no_code(folder: Path, sprung: Path) -> None:
    path = folder / "config.json"
    code = {"AutoConfig": "its_own.Config", "AutoModel": "its_own.Model"}
    path.write_text(json.dumps({**json.loads(path.read_text()), "auto_map": code}))
    (folder / "its_own.py").write_text(f"open({str(sprung)!r}, 'w')")
    load_model(folder)
    require(not sprung.exists(), f"{folder.name}: code that a checkpoint brought was run")


def _in_float32(folder: Path) -> None:
    model = load_model(folder)
    for label, values in model.run(voice(model, SECONDS)).activations.items():
        require(values.dtype == np.float32, f"{folder.name}: {label} is {values.dtype}")


class _Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")
