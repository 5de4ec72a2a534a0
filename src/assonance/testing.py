"""Check that speech models conform to the protocol, by running them.

`check_model` takes any model with the members of `SpeechModel`: one from a checkpoint, a
`TorchModel`, or one of your own. `check_checkpoint` takes a folder, and checks how it is loaded and
what is refused. Both raise `AssertionError` with one line that describes the failure.
"""

import json
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assonance.errors import AssonanceError
from assonance.models import LayerOutputs, SpeechModel, runs_batches
from assonance.models.loading import load_model

__all__ = [
    "check_attention",
    "check_batches",
    "check_checkpoint",
    "check_frames",
    "check_layers",
    "check_model",
    "check_repeatable",
]

_SECONDS = 0.9
_TRIED, _ENOUGH = 40, 3  # weights to leave out at most, and errors that suffice
_TOLERANCE = 2e-5  # difference allowed in batches, relative to a layer's standard deviation


def check_model(model: SpeechModel) -> None:
    """Run all checks of a model: layers, frames, repeatability, attention and batches.

    Parameters
    ----------
    model
        Model to check. It runs some twenty times on about a second of noise.

    Raises
    ------
    AssertionError
        A check fails.
    """
    for check in (check_layers, check_frames, check_repeatable, check_attention, check_batches):
        check(model)


def check_layers(model: SpeechModel) -> None:
    """Check that a run returns the declared layers, in float32, finite and not constant.

    Parameters
    ----------
    model
        Model to check.

    Raises
    ------
    AssertionError
        Labels, meanings and widths do not match, or a run returns other layers.
    """
    layers = model.layers
    _check(
        len(set(layers)) == len(layers) > 0, f"{model.name}: layer labels are not unique: {layers}"
    )
    _check(tuple(model.widths) == layers, f"{model.name}: widths and layers have different labels")
    _check(
        set(model.meanings) == set(layers),
        f"{model.name}: meanings and layers have different labels",
    )
    for label, text in model.meanings.items():
        _check(bool(text.strip()), f"{model.name}: {label} has no meaning")
    _check(set(model.heads) <= set(layers), f"{model.name}: heads has labels that are not layers")
    samples = _voice(model, _SECONDS)
    activations = model.run(samples).activations
    _check(
        tuple(activations) == layers,
        f"{model.name}: returns layers {tuple(activations)}, but declares {layers}",
    )
    for label, values in activations.items():
        shape = model.n_frames(len(samples)), model.widths[label]
        _check(
            values.shape == shape,
            f"{model.name}: {label} has shape {values.shape}, but {shape} is declared",
        )
        _check(values.dtype == np.float32, f"{model.name}: {label} is {values.dtype}, not float32")
        _check(bool(np.isfinite(values).all()), f"{model.name}: {label} is not finite")
        _check(float(values.std(0).max()) > 0, f"{model.name}: {label} is the same in every frame")


def check_frames(model: SpeechModel) -> None:
    """Check the number of frames and their times.

    Clicks are added to noise, one at a time. The frames of the first layer that change are compared
    with `frame_times`: on average they must be within half a hop of the click.

    Parameters
    ----------
    model
        Model to check.

    Raises
    ------
    AssertionError
        The number of frames or their times are wrong.
    """
    rate = model.sampling_rate
    samples = _voice(model, _SECONDS)
    times = model.frame_times(len(samples))
    _check(
        len(times) > 5, f"{model.name}: gives {len(times)} frames for {_SECONDS} s, not at least 6"
    )
    steps = np.diff(times)
    hop = float(steps.mean())
    _check(
        bool((steps > 0).all()) and bool(np.allclose(steps, hop)),
        f"{model.name}: frame times are not equally spaced",
    )
    step = round(hop * rate)
    for count in range(len(samples) // 2, len(samples) // 2 + step + 1, max(1, step // 5)):
        frames = len(model.run(samples[:count]).activations[model.layers[0]])
        declared = model.n_frames(count), len(model.frame_times(count))
        _check(
            declared == (frames, frames),
            f"{model.name}: gives {frames} frames for {count} samples, but declares {declared}",
        )
    layer = model.layers[0]
    before = model.run(samples).activations[layer].astype(np.float64)
    errors = []
    for place in np.linspace(0.25, 0.75, 24):
        at = int(place * len(samples))
        clicked = samples.copy()
        clicked[at] += 0.5 * np.abs(samples).max()
        after = model.run(clicked).activations[layer].astype(np.float64)
        # Normalisation over the whole clip changes all frames a little; only large changes count.
        change = ((after - before) ** 2).sum(1) ** 2
        _check(change.sum() > 0, f"{model.name}: {layer} ignores a click at sample {at}")
        errors.append(float(change @ times / change.sum()) - at / rate)
    error = float(np.mean(errors))
    _check(
        abs(error) <= 0.5 * hop,
        f"{model.name}: frames that change at a click are {error * 1000:+.1f} ms from their "
        f"frame_times; frames are {hop * 1000:.1f} ms apart",
    )


def check_repeatable(model: SpeechModel) -> None:
    """Check that a run depends only on its samples, to the bit: no dropout and no state.

    Parameters
    ----------
    model
        Model to check.

    Raises
    ------
    AssertionError
        Two runs differ, or the samples are changed in place.
    """
    samples, other = _voice(model, _SECONDS), _voice(model, 0.7 * _SECONDS, seed=1)
    given = samples.copy()
    first = model.run(samples).activations
    kept = {label: values.copy() for label, values in first.items()}
    model.run(other)
    again = model.run(samples).activations
    for label in model.layers:
        _check(
            np.array_equal(again[label], kept[label]), f"{model.name}: two runs differ at {label}"
        )
        _check(
            np.array_equal(first[label], kept[label]),
            f"{model.name}: a later run changes {label} of an earlier result",
        )
    _check(np.array_equal(samples, given), f"{model.name}: changes the samples in place")
    _check(model.fingerprint == model.fingerprint, f"{model.name}: the fingerprint changes")


def check_attention(model: SpeechModel) -> None:
    """Check attention maps: one for each head, rows that sum to 1, no two heads equal.

    Parameters
    ----------
    model
        Model to check; one without attention passes.

    Raises
    ------
    AssertionError
        A map is missing or invalid.
    """
    samples = _voice(model, _SECONDS)
    maps: dict[str, NDArray[np.float32]] = {}
    activations = model.run(samples, attend=maps.__setitem__).activations
    plain = model.run(samples).activations
    _check(
        tuple(maps) == tuple(model.heads),
        f"{model.name}: returns attention of {tuple(maps)}, but declares {tuple(model.heads)}",
    )
    for label in model.layers:
        _check(
            np.array_equal(activations[label], plain[label]),
            f"{model.name}: {label} differs when attention maps are recorded",
        )
    frames = model.n_frames(len(samples))
    for label, heads in maps.items():
        shape = model.heads[label], frames, frames
        _check(
            heads.shape == shape and heads.dtype == np.float32,
            f"{model.name}: attention at {label} is {heads.dtype} of shape {heads.shape}, but "
            f"float32 of {shape} is declared",
        )
        _check(
            float(heads.min()) >= 0 and bool(np.allclose(heads.sum(-1), 1, atol=1e-5)),
            f"{model.name}: rows of the attention at {label} do not sum to 1",
        )
        flat = heads.reshape(len(heads), -1)
        for one in range(len(flat)):
            for two in range(one):
                _check(
                    float(np.abs(flat[one] - flat[two]).max()) > 1e-6,
                    f"{model.name}: heads {two} and {one} at {label} are equal",
                )


def check_batches(model: SpeechModel) -> None:
    """Check that utterances in a batch give the same activations as alone.

    Parameters
    ----------
    model
        Model to check; one that does not run batches passes.

    Raises
    ------
    AssertionError
        A layer differs by more than 2e-5 of its standard deviation, or has other frames.
    """
    if not runs_batches(model) or not model.in_batches:
        return
    batch = [_voice(model, _SECONDS * part, seed=k) for k, part in enumerate((1, 0.45, 0.8, 0.46))]
    together = model.run_batch(batch)
    _check(
        len(together) == len(batch), f"{model.name}: a batch of 4 returns {len(together)} results"
    )
    for samples, outputs in zip(batch, together, strict=True):
        alone = model.run(samples)
        for label in model.layers:
            error = _relative(outputs, alone, label)
            _check(
                error <= _TOLERANCE,
                f"{model.name}: {label} of an utterance in a batch differs from the same alone by "
                f"{error:.1e} of its standard deviation",
            )


def check_checkpoint(folder: str | Path, *, record: str | Iterable[str] = "blocks") -> None:
    """Check that a checkpoint loads completely, only from safetensors, without running its code.

    Parameters
    ----------
    folder
        A local checkpoint with one safetensors file. It is copied, not changed.
    record
        As for `load_model`.

    Raises
    ------
    AssertionError
        A missing weight is accepted, a pickle is opened, code is run, or the same weights in
        several files or in a copied folder give another model.
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
        _no_pickle(changed("pickled"), sprung)
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
    samples = _voice(one, _SECONDS)
    first, second = one.run(samples).activations, other.run(samples).activations
    _check(one.fingerprint == other.fingerprint, f"{one.name}: {how} it has another fingerprint")
    for label in one.layers:
        _check(np.array_equal(first[label], second[label]), f"{one.name}: {how} {label} differs")


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
            _check(
                "\n" not in str(error), f"{original.name}: the error for {name} has several lines"
            )
            if errors == _ENOUGH:
                return
            continue
        _check(
            loaded.fingerprint == load_model(original.info.source).fingerprint,
            f"{original.name}: loads without {name} as another model",
        )
    _check(errors > 0, f"{original.name}: loads with weights missing")


def _no_pickle(folder: Path, sprung: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Trap(sprung)))
    try:
        load_model(folder)
    except AssonanceError:
        _check(not sprung.exists(), f"{folder.name}: a pickle was opened")
        return
    raise AssertionError(f"{folder.name}: loads from a pickle")


def _no_code(folder: Path, sprung: Path) -> None:
    path = folder / "config.json"
    code = {"AutoConfig": "its_own.Config", "AutoModel": "its_own.Model"}
    path.write_text(json.dumps({**json.loads(path.read_text()), "auto_map": code}))
    (folder / "its_own.py").write_text(f"open({str(sprung)!r}, 'w')")
    load_model(folder)
    _check(not sprung.exists(), f"{folder.name}: code that a checkpoint brought was run")


def _in_float32(folder: Path) -> None:
    model = load_model(folder)
    for label, values in model.run(_voice(model, _SECONDS)).activations.items():
        _check(values.dtype == np.float32, f"{folder.name}: {label} is {values.dtype}")


class _Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


def _relative(outputs: LayerOutputs, alone: LayerOutputs, label: str) -> float:
    result, expected = outputs.activations[label], alone.activations[label]
    if result.shape != expected.shape:
        return float("inf")
    return float(np.abs(result - expected).max() / expected.std())


def _voice(model: SpeechModel, seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """Return a signal like speech: noise with four bursts a second."""
    count = round(seconds * model.sampling_rate)
    swell = 1 + np.sin(8 * np.pi * np.arange(count) / model.sampling_rate)
    noise = np.random.default_rng(seed).standard_normal(count)
    return np.asarray(0.1 * noise * swell, np.float32)


def _check(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)
