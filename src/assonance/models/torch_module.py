"""Use any torch module as a speech model, with chosen submodules as layers."""

import hashlib
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.errors import AssonanceError, UnusableAudio, printable
from assonance.models.frame_grid import FrameGrid
from assonance.models.speech_model import Attend, LayerOutputs, ModelCard


class TorchModel:
    """A `torch.nn.Module` as a `SpeechModel`, recorded by forward hooks.

    The frame grid is given, not inferred. With `before` and `after` samples of padding, frame t is
    centred on sample ``t·hop + (receptive − 1)/2 − before``, and an utterance of n samples has
    ``(n + before + after − receptive)//hop + 1`` frames. A run that gives another number of frames
    raises an error.

    Parameters
    ----------
    module
        Module to run. It is set to evaluation mode and keeps the precision of its weights.
    layers
        Path of a submodule by label, as in `torch.nn.Module.named_modules`. The layer is the output
        of the submodule, or the first of several outputs.
    hop, receptive, padding
        In samples: distance between frames; receptive field of a frame, `hop` by default; and
        padding at both ends of an utterance, or a pair for before and after.
    preprocess
        Converts samples, an ndarray of float32 of shape (n_samples,), to the module's argument, a
        tuple of arguments, or a dict of keyword arguments. By default a tensor of shape
        (1, n_samples).
    arrange
        Converts the output of a submodule to shape (T, D). By default only a batch dimension of
        size 1 is removed.
    sampling_rate
        Sampling rate that the module expects, in Hz.
    name
        Short name; the class name by default.
    device
        Torch device to run on.
    meanings
        Description of each layer; its path by default.

    Raises
    ------
    AssonanceError
        A submodule or the device does not exist, or a second of silence cannot be run or does not
        give the number of frames of the grid.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Conv1d(1, 8, 400, 320), torch.nn.ReLU())
    >>> model = TorchModel(
    ...     net,
    ...     {"conv": "0", "relu": "1"},
    ...     hop=320,
    ...     receptive=400,
    ...     preprocess=lambda samples: torch.from_numpy(samples)[None, None],
    ...     arrange=lambda output: output[0].T,
    ... )
    >>> model.widths
    {'conv': 8, 'relu': 8}
    """

    def __init__(
        self,
        module: torch.nn.Module,
        layers: Mapping[str, str],
        *,
        hop: int,
        receptive: int | None = None,
        padding: int | tuple[int, int] = 0,
        preprocess: Callable[[NDArray[np.float32]], Any] | None = None,
        arrange: Callable[[Tensor], Tensor] | None = None,
        sampling_rate: int = 16000,
        name: str | None = None,
        device: str = "cpu",
        meanings: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name or type(module).__name__
        self.layers = tuple(layers)
        self.meanings = {
            label: (meanings or {}).get(label, f"What {path} gives.")
            for label, path in layers.items()
        }
        self.heads: dict[str, int] = {}
        self.sampling_rate = sampling_rate
        seen = hop if receptive is None else receptive
        before, after = padding if isinstance(padding, tuple) else (padding, padding)
        if hop < 1 or not (0 <= before < seen and 0 <= after < seen):
            raise AssonanceError(
                f"{self.name}: hop {hop} and receptive field {seen} must be positive, and padding "
                f"{padding} must be less than the receptive field"
            )
        self._grid = FrameGrid(hop, seen - before - after, (seen - 1) / 2 - before)
        self._preprocess = preprocess or _as_batch
        self._arrange = arrange or _out_of_batch
        self._device = torch.device(device)
        try:
            self._module = module.eval().to(device)
        except (RuntimeError, AssertionError) as error:
            raise AssonanceError(
                f"device {device!r}: cannot be used here; give cpu or a device that torch can use"
            ) from error
        self._current = threading.local()
        if not layers:
            raise AssonanceError(f"{self.name}: no layers; name submodules to record")
        for label, path in layers.items():
            self._submodule(path).register_forward_hook(self._hook(label))
        self.widths: dict[str, int] = {}
        self.widths = {
            label: values.shape[1]
            for label, values in self._compute(np.zeros(sampling_rate, np.float32)).items()
        }
        self.info = ModelCard(
            family=type(module).__name__,
            objective="unknown",
            size=f"{len(layers)} layers of {max(self.widths.values())} at most",
            n_parameters=sum(each.numel() for each in module.parameters()),
            fine_tuned=False,
            source=self.name,
        )

    def __repr__(self) -> str:
        return f"<{self.name}: {self.info.family}, {self.info.size}>"

    @property
    def fingerprint(self) -> str:
        """Hash of structure, weights, grid, layers, and source of `preprocess` and `arrange`."""
        about = (
            *(repr(self._module), self._grid, self.sampling_rate, self.meanings, self.widths),
            *(_source(each) for each in (self._preprocess, self._arrange)),
        )
        digest = hashlib.sha256(repr(about).encode())
        for key, weight in sorted(self._module.state_dict().items()):
            digest.update(f"{key} {tuple(weight.shape)} {weight.dtype}".encode())
            digest.update(weight.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames for `n_samples` samples; 0 if they are too few."""
        return self._grid.count(n_samples)

    def frame_times(self, n_samples: int) -> NDArray[np.float64]:
        """Return the centre of each frame for `n_samples` samples, in seconds."""
        return self._grid.times(n_samples, self.sampling_rate)

    def run(self, samples: NDArray[np.float32], *, attend: Attend | None = None) -> LayerOutputs:
        """Run the model on one utterance; see `SpeechModel.run`."""
        if not self.n_frames(len(samples)):
            raise UnusableAudio(
                f"too short: {len(samples)} samples at {self.sampling_rate} Hz; {self.name} needs "
                f"{self._grid.needs} for a frame"
            )
        activations = self._compute(samples)
        for label, values in activations.items():
            if not np.isfinite(values).all():
                raise UnusableAudio(f"{self.name} gives NaN or infinite values at {label}")
        return LayerOutputs(activations)

    def twin(self, seed: int) -> None:
        """Return None: how to initialise the weights is unknown."""

    def _submodule(self, path: str) -> torch.nn.Module:
        try:
            return self._module.get_submodule(path)
        except AttributeError as error:
            paths = [name for name, _ in self._module.named_modules() if name]
            raise AssonanceError(
                f"{self.name}: has no submodule {path!r}; it has {', '.join(paths[:8])}"
                f"{', …' if len(paths) > 8 else ''}"
            ) from error

    def _hook(self, label: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, inputs: Any, outputs: Any) -> None:
            if hasattr(self._current, "kept"):
                first = outputs[0] if isinstance(outputs, tuple | list) else outputs
                self._current.kept.setdefault(label, []).append(first)

        return hook

    def _compute(self, samples: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run the module and return its layers, each of shape (T, D)."""
        arguments = self._preprocess(samples)
        try:
            with torch.inference_mode(), self._recording() as kept:
                if isinstance(arguments, dict):
                    self._module(
                        **{name: self._to_device(each) for name, each in arguments.items()}
                    )
                else:
                    several = arguments if isinstance(arguments, tuple) else (arguments,)
                    self._module(*map(self._to_device, several))
                arranged = {label: self._frames(label, kept.get(label)) for label in self.layers}
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise UnusableAudio(
                f"too long: {len(samples) / self.sampling_rate:.0f} s at once need more memory "
                f"than there is for {self.name}; cut it up"
            ) from error
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise AssonanceError(
                f"{self.name}: cannot be run on {len(samples)} samples "
                f"({printable(str(error).partition(chr(10))[0])}); check preprocess and arrange"
            ) from error
        expected = self.n_frames(len(samples))
        for label, values in arranged.items():
            if len(values) != expected:
                raise AssonanceError(
                    f"{self.name}: {label} has {len(values)} frames for {len(samples)} samples, "
                    f"but hop, receptive field and padding give {expected}; correct them"
                )
        return arranged

    def _frames(self, label: str, outputs: list[Tensor] | None) -> NDArray[np.float32]:
        if not outputs:
            raise AssonanceError(
                f"{self.name}: {label} is not computed when the module runs; record another "
                "submodule"
            )
        # A module that is called once a time step has one output for each.
        parts = [self._arrange(each) for each in outputs]
        if any(part.ndim != 2 for part in parts):
            raise AssonanceError(
                f"{self.name}: {label} has shape {tuple(parts[0].shape)}, not frames × neurons; "
                "give `arrange`"
            )
        return torch.cat(parts).float().cpu().numpy()

    def _to_device(self, argument: Any) -> Any:
        return argument.to(self._device) if isinstance(argument, Tensor) else argument

    @contextmanager
    def _recording(self) -> Iterator[dict[str, list[Tensor]]]:
        self._current.kept = {}
        try:
            yield self._current.kept
        finally:
            self._current.__dict__.clear()


# The source of these two is part of fingerprints: changing it would make stores unusable.
def _as_batch(samples: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(samples)[None]


def _out_of_batch(output: Tensor) -> Tensor:
    return output[0] if output.ndim == 3 and output.shape[0] == 1 else output


def _source(function: Callable[..., Any]) -> str:
    """Return a function's source, so that changing it changes the fingerprint."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return getattr(function, "__qualname__", repr(type(function)))
