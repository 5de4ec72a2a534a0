"""Run encoders of transformers, so that padding never changes activations, and record layers."""

import hashlib
import json
import mmap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from assonance.errors import AssonanceError, UnusableAudio
from assonance.models.checkpoints.weights import Weights
from assonance.models.huggingface.checkpoint import (
    Checkpoint,
    load_encoder,
    random_encoder,
    used_weights,
)
from assonance.models.huggingface.inputs import Inputs
from assonance.models.huggingface.precision import FULL, half_dtype, largest_rounding_error
from assonance.models.huggingface.recording import DEFAULT, Recorder, check_kinds, find_taps
from assonance.models.huggingface.resting import release, rest
from assonance.models.speech_model import Attend, LayerOutputs, ModelCard
from assonance.utils.memory import allowed_bytes
from assonance.utils.progress import Progress

_SIZES = {(12, 768): "base", (24, 1024): "large", (48, 1280): "extra large"}
# Settings of the configuration about a model's origin, not its computation.
_BOOKKEEPING = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version"}
# Parts of the names of settings that affect only training, or only what follows the encoder.
_TRAINING = ("dropout", "layerdrop", "mask_", "spec_augment", "ctc_", "vocab_size")


@dataclass(frozen=True)
class Running:
    """How an encoder is run; see `load_model`.

    Attributes
    ----------
    record
        Kinds of layers to record.
    precision
        Floating-point type.
    device
        Torch device.

    Raises
    ------
    AssonanceError
        A kind of layer or a floating-point type is unknown.
    """

    record: tuple[str, ...] = DEFAULT
    precision: str = FULL
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_kinds(self.record)
        half_dtype(self.precision)


class HuggingFaceModel:
    """An encoder of transformers as a `SpeechModel`.

    Parameters
    ----------
    encoder
        The loaded encoder, in evaluation mode, with eager attention.
    checkpoint
        Source of the family, configuration and preprocessing.
    name
        Short name, for axes and tables.
    info
        Description for readers.
    how
        Layers to record, number format and device.
    """

    def __init__(
        self,
        encoder: torch.nn.Module,
        checkpoint: Checkpoint,
        *,
        name: str,
        info: ModelCard,
        how: Running,
    ) -> None:
        self.name = name
        self.info = info
        self._checkpoint = checkpoint
        self._config: Any = encoder.config
        self._how = how
        kinds = check_kinds(how.record)
        self.precision = how.precision
        self._dtype = half_dtype(how.precision)
        family = checkpoint.family
        try:
            self._encoder = encoder.to(how.device)
        except (RuntimeError, AssertionError) as error:
            raise AssonanceError(
                f"device {how.device!r}: cannot be used here; give cpu or a device that torch "
                "can use"
            ) from error
        family.prepare(self._encoder)
        self._device = torch.device(how.device)
        self._resting: mmap.mmap | None = None
        blocks = list(self._encoder.get_submodule(family.blocks).children())
        if not blocks:
            raise AssonanceError(f"{name}: has no transformer blocks; correct config.json")
        taps = find_taps(family, self._encoder, self._config, kinds)
        if not taps:
            raise AssonanceError(
                f"{name}: models of type {checkpoint.config.model_type} have nothing of "
                f"{', '.join(kinds)} to record; record other layers too"
            )
        self.meanings = {tap.label: tap.meaning for tap in taps}
        self.layers = tuple(self.meanings)
        self.widths = {tap.label: tap.width for tap in taps}
        self._n_heads = int(getattr(self._config, family.heads))
        by_label = {f"encoder.{k}": block for k, block in enumerate(blocks, 1)}
        self.heads = {label: self._n_heads for label in by_label if label in self.layers}
        self.sampling_rate = int(checkpoint.extractor.sampling_rate)
        self._recorder = Recorder(
            taps, {label: by_label[label].get_submodule(family.attention) for label in self.heads}
        )
        self._inputs = Inputs(checkpoint, self._encoder, self._device)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.info.family}, {self.info.size}>"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of configuration, preprocessing, layers and weights, not of their location."""
        digest = hashlib.sha256(self._architecture())
        for key, weight in used_weights(self._encoder):
            digest.update(f"{key} {tuple(weight.shape)} {weight.dtype}".encode())
            digest.update(weight.cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def _architecture(self) -> bytes:
        """Return all that determines the activations besides the weights."""
        config = {
            key: value
            for key, value in self._config.to_dict().items()
            if key not in _BOOKKEEPING and not any(word in key for word in _TRAINING)
        }
        return json.dumps(
            [config, self._inputs.settings(), self.precision, *self.layers],
            sort_keys=True,
            default=str,
        ).encode()

    @property
    def device(self) -> str:
        """Type of the torch device it runs on."""
        return self._device.type

    @property
    def in_batches(self) -> bool:
        """Whether utterances in a batch give the same activations as alone, up to rounding."""
        return self._inputs.batching is not None

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames for `n_samples` samples; 0 if they are too few."""
        return self._checkpoint.grid.count(n_samples)

    def frame_times(self, n_samples: int) -> NDArray[np.float64]:
        """Return the centre of each frame for `n_samples` samples, in seconds."""
        return self._checkpoint.grid.times(n_samples, self.sampling_rate)

    def run(self, samples: NDArray[np.float32], *, attend: Attend | None = None) -> LayerOutputs:
        """Run the model on one utterance, alone and unpadded; see `SpeechModel.run`."""
        (outputs,) = self._run([samples], attend)
        return outputs

    def run_batch(self, batch: Sequence[NDArray[np.float32]]) -> list[LayerOutputs]:
        """Run the model on several utterances at once; see `BatchedModel.run_batch`."""
        if not self.in_batches:
            return [self.run(samples) for samples in batch]
        return self._run(batch, None)

    def rounding(self, samples: NDArray[np.float32]) -> tuple[str, float]:
        """Compute the rounding error of half precision; see `RoundedModel.rounding`."""
        half = self.run(samples).activations
        (full,) = self._run([samples], None, in_float32=True)
        return largest_rounding_error(half, full.activations)

    def twin(self, seed: int) -> "HuggingFaceModel":
        """Return the random twin: the same architecture and preprocessing with random weights.

        Parameters
        ----------
        seed
            Random seed of the weights.

        Returns
        -------
        HuggingFaceModel
            With the same layers, on the same device.
        """
        return random_twin(self._checkpoint, seed, self._how)

    def rest(self, folder: Path) -> None:
        """Keep the weights in a file in a folder, except while they are used; see `resting`."""
        if self._resting is None:
            self._resting = rest(self._encoder, folder)

    def _run(
        self,
        batch: Sequence[NDArray[np.float32]],
        attend: Attend | None,
        *,
        in_float32: bool = False,
    ) -> list[LayerOutputs]:
        for samples in batch:
            self._check_length(len(samples), len(batch))
        frames = [self.n_frames(len(samples)) for samples in batch]
        try:
            with (
                torch.inference_mode(),
                self._precision(in_float32 or attend is not None),
                self._recorder.recording(frames, attend) as kept,
            ):
                self._inputs.feed(batch, self._recorder)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            raise self._too_long(max(map(len, batch))) from error
        finally:
            if self._resting is not None:
                release(self._resting)
        for activations in kept:
            for label in self.layers:
                if not np.isfinite(activations[label]).all():
                    raise UnusableAudio(f"{self.name} gives NaN or infinite values at {label}")
        return [LayerOutputs({label: each[label] for label in self.layers}) for each in kept]

    def _check_length(self, n_samples: int, at_once: int) -> None:
        frames = self.n_frames(n_samples)
        if not frames:
            raise UnusableAudio(
                f"too short: {n_samples} samples at {self.sampling_rate} Hz; {self.name} needs "
                f"{self._checkpoint.grid.needs} for a frame"
            )
        if n_samples > self._inputs.longest:
            raise UnusableAudio(
                f"too long: {n_samples / self.sampling_rate:.1f} s; {self.name} takes at most "
                f"{self._inputs.longest / self.sampling_rate:g} s; cut it up"
            )
        # Attention scores and weights of one block. Allocating more than the machine has would end
        # the whole run, not only this utterance.
        needed = 2 * 4 * self._n_heads * at_once * frames**2
        if self._device.type == "cpu" and needed > allowed_bytes():
            raise self._too_long(n_samples)

    def _too_long(self, n_samples: int) -> UnusableAudio:
        return UnusableAudio(
            f"too long: {n_samples / self.sampling_rate:.0f} s at once need more memory than there "
            f"is for {self.name}; cut it up"
        )

    @contextmanager
    def _precision(self, in_float32: bool) -> Iterator[None]:
        """Set the precision: half if chosen, otherwise float32 without reduced precision on GPUs.

        Attention maps are always computed in float32, because their rows must sum to 1.
        """
        with ExitStack() as stack:
            if self._dtype is not None and not in_float32:
                stack.enter_context(torch.autocast(self._device.type, dtype=self._dtype))
            elif self._device.type == "cuda":  # CUDA rounds convolutions to TF32 by default
                flags = {"enabled": True, "benchmark": False, "deterministic": True}
                stack.enter_context(torch.backends.cudnn.flags(**flags, allow_tf32=False))
            yield


def load(
    checkpoint: Checkpoint, weights: Weights, how: Running, progress: Progress
) -> "HuggingFaceModel":
    """Load a checkpoint with its trained weights.

    Parameters
    ----------
    checkpoint, weights
        The checkpoint and the files of its weights.
    how
        Layers to record, number format and device.
    progress
        Receives the stages of downloading and converting.

    Returns
    -------
    HuggingFaceModel
        In float32 and evaluation mode.

    Raises
    ------
    AssonanceError
        See `load_encoder`.
    """
    encoder, origin = load_encoder(checkpoint, weights, progress)
    info = describe_encoder(checkpoint, encoder, origin)
    return HuggingFaceModel(encoder, checkpoint, name=checkpoint.name, info=info, how=how)


def random_twin(checkpoint: Checkpoint, seed: int, how: Running) -> "HuggingFaceModel":
    """Return a model with a checkpoint's architecture and preprocessing and random weights."""
    encoder = random_encoder(checkpoint, seed)
    named = name_random(checkpoint, encoder, seed)
    return HuggingFaceModel(encoder, named.checkpoint, name=named.name, info=named.info, how=how)


@dataclass(frozen=True)
class Named:
    """A checkpoint with the name and the description of a model made from it."""

    checkpoint: Checkpoint
    name: str
    info: ModelCard


def name_random(checkpoint: Checkpoint, encoder: torch.nn.Module, seed: int) -> Named:
    """Name and describe the random twin of a checkpoint."""
    name = f"random:{checkpoint.name}@{seed}"
    checkpoint = replace(checkpoint, source=f"random:{checkpoint.source}@{seed}")
    card = describe_encoder(checkpoint, encoder)
    info = replace(card, objective="none", fine_tuned=False, task=None, base=None)
    return Named(checkpoint, name, info)


def describe_encoder(
    checkpoint: Checkpoint, encoder: torch.nn.Module, weights: str = ""
) -> ModelCard:
    """Describe the encoder of a checkpoint, whose weights come from the file named."""
    blocks = len(list(encoder.get_submodule(checkpoint.family.blocks).children()))
    config: Any = encoder.config
    return ModelCard(
        family=checkpoint.config.model_type,
        objective=checkpoint.family.objective,
        size=describe_size(blocks, config.hidden_size),
        n_parameters=sum(parameter.numel() for parameter in encoder.parameters()),
        fine_tuned=checkpoint.fine_tuned,
        source=checkpoint.source,
        task=checkpoint.task,
        base=checkpoint.base,
        weights=weights,
        input=describe_input(checkpoint.extractor),
        notes=checkpoint.notes,
    )


def describe_input(extractor: Any) -> str:
    """Describe the preprocessing of the samples before an encoder's first layer."""
    rate = f"{extractor.sampling_rate} Hz"
    if not hasattr(extractor, "do_normalize"):
        return rate
    scaled = "zero mean and unit variance" if extractor.do_normalize else "not normalised"
    return f"{rate}, {scaled}"


def describe_size(blocks: int, width: int) -> str:
    """Describe the size of an encoder, with its usual name if it has one."""
    words = f"{blocks} blocks of {width}"
    return f"{_SIZES[blocks, width]}, {words}" if (blocks, width) in _SIZES else words
