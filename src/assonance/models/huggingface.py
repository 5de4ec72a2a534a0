"""wav2vec2, HuBERT and WavLM encoders, run one utterance at a time and read by hooks of our own."""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from assonance.errors import AssonanceError
from assonance.frames import conv_frames, frame_times, receptive_field
from assonance.models.base import Attend, LayerOutputs, ModelCard
from assonance.models.checkpoint import (
    OBJECTIVES,
    Checkpoint,
    find_checkpoint,
    load_encoder,
    used_weights,
)
from assonance.models.wavlm import separate_heads
from assonance.outside import UnusableAudio

_SIZES = {(12, 768): "base", (24, 1024): "large", (48, 1280): "extra large"}
# Of the configuration, what says where a model came from rather than what it computes.
_BOOKKEEPING = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version"}


class HuggingFaceModel:
    """An encoder of the wav2vec2 kind as a `SpeechModel`.

    Parameters
    ----------
    encoder
        The loaded encoder, in evaluation mode, with eager attention.
    checkpoint
        Where its configuration and preprocessing come from.
    name
        Short name, for axes and tables.
    info
        What a reader wants to know of it.
    device
        Torch device to run on.
    head_outputs
        Whether the outputs of each block's attention heads are layers too.
    """

    def __init__(
        self,
        encoder: torch.nn.Module,
        checkpoint: Checkpoint,
        *,
        name: str,
        info: ModelCard,
        device: str = "cpu",
        head_outputs: bool = False,
    ) -> None:
        self.name = name
        self.info = info
        self._config = checkpoint.config
        self._extractor = checkpoint.extractor
        try:
            self._encoder = encoder.to(device)
        except (RuntimeError, AssertionError) as error:
            raise AssonanceError(
                f"device {device!r}: cannot be used here; give cpu or a device that torch sees"
            ) from error
        if self._config.model_type == "wavlm":
            separate_heads(self._encoder)
        self._device = torch.device(device)
        self._blocks = list(self._encoder.get_submodule("encoder.layers").children())
        if not self._blocks:
            raise AssonanceError(f"{name}: has no transformer blocks; config.json asks for none")
        count = len(self._blocks)
        self.meanings = _meanings(
            count, pre_norm=self._config.do_stable_layer_norm, head_outputs=head_outputs
        )
        self.layers = tuple(self.meanings)
        self.widths = dict.fromkeys(self.layers, int(self._config.hidden_size))
        self.heads = {
            f"encoder.{k}": int(self._config.num_attention_heads) for k in range(1, count + 1)
        }
        self.sampling_rate = int(self._extractor.sampling_rate)
        self._receptive, self._hop = receptive_field(
            self._config.conv_kernel, self._config.conv_stride
        )
        self._recording = threading.local()
        self._watch()

    def __repr__(self) -> str:
        return f"<{self.name}: {self.info.family}, {self.info.size}>"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of configuration, preprocessing and every weight; where they lay has no part."""
        config = {k: v for k, v in self._config.to_dict().items() if k not in _BOOKKEEPING}
        preprocessing = [self.sampling_rate, bool(self._extractor.do_normalize), *self.layers]
        digest = hashlib.sha256(
            json.dumps([config, preprocessing], sort_keys=True, default=str).encode()
        )
        for key, weight in used_weights(self._encoder):
            digest.update(f"{key} {tuple(weight.shape)} {weight.dtype}".encode())
            digest.update(weight.cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def n_frames(self, n_samples: int) -> int:
        """Count the frames made of so many samples; 0 where they are too few."""
        return conv_frames(n_samples, self._config.conv_kernel, self._config.conv_stride)

    def frame_times(self, n_samples: int) -> NDArray[np.float64]:
        """Give the centre of each frame made of so many samples, in seconds."""
        return frame_times(self.n_frames(n_samples), self._receptive, self._hop, self.sampling_rate)

    def run(self, samples: NDArray[np.float32], *, attend: Attend | None = None) -> LayerOutputs:
        """Run the model on one utterance, alone and unpadded; see `SpeechModel.run`."""
        self._check_length(len(samples))
        values = self._extractor(
            samples, sampling_rate=self.sampling_rate, return_tensors="pt"
        ).input_values
        try:
            with torch.inference_mode(), self._exactly(), self._recorded(attend) as outputs:
                self._encoder(
                    values.to(self._device), output_attentions=False, output_hidden_states=False
                )
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            raise self._too_long(len(samples)) from error
        for label in self.layers:
            if not np.isfinite(outputs.activations[label]).all():
                raise UnusableAudio(f"{self.name} gives NaN or infinite values at {label}")
        return outputs

    def _check_length(self, n_samples: int) -> None:
        frames = self.n_frames(n_samples)
        if not frames:
            raise UnusableAudio(
                f"too short: {n_samples} samples at {self.sampling_rate} Hz, where {self.name} "
                f"needs {self._receptive} for a frame"
            )
        # One block's attention scores and weights; asking for more than the machine has would
        # end the whole run, not this utterance alone.
        needed = 2 * 4 * max(self.heads.values()) * frames**2
        if self._device.type == "cpu" and needed > _physical_memory():
            raise self._too_long(n_samples)

    def _too_long(self, n_samples: int) -> UnusableAudio:
        return UnusableAudio(
            f"too long: {n_samples / self.sampling_rate:.0f} s at once need more memory than there "
            f"is for {self.name}; cut it up"
        )

    @contextmanager
    def _exactly(self) -> Iterator[None]:
        """Keep an accelerator from rounding convolutions to fewer bits than float32."""
        if self._device.type != "cuda":
            yield
            return
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):
            yield

    @contextmanager
    def _recorded(self, attend: Attend | None) -> Iterator[LayerOutputs]:
        """Record what passes between the blocks while the encoder runs in this thread."""
        activations: dict[str, NDArray[np.float32]] = {}
        self._recording.keep = activations.__setitem__
        self._recording.attend = attend
        try:
            yield LayerOutputs(activations)
        finally:
            self._recording.__dict__.clear()

    def _watch(self) -> None:
        """Put a hook on every block, once; it hands on what its own thread records."""

        def hand(to: str, label: str, place: int) -> Callable[..., None]:
            def hook(module: torch.nn.Module, inputs: Any, outputs: Any = None) -> None:
                take = getattr(self._recording, to, None)
                if take is not None:
                    seen = inputs if outputs is None else outputs
                    tensor = seen[place] if isinstance(seen, tuple) else seen
                    take(label, tensor[0].cpu().numpy())

            return hook

        self._blocks[0].register_forward_pre_hook(hand("keep", self.layers[0], 0))
        for label, block in zip(self.heads, self._blocks, strict=True):
            block.register_forward_hook(hand("keep", label, 0))
            attention = block.get_submodule("attention")
            attention.register_forward_hook(hand("attend", label, 1))
            if (outputs := label.replace("encoder", "heads")) in self.layers:
                mixing = attention.get_submodule("out_proj")
                mixing.register_forward_pre_hook(hand("keep", outputs, 0))


def load(
    spec: str | Path, *, offline: bool, device: str, head_outputs: bool = False
) -> HuggingFaceModel:
    """Load a checkpoint with its own weights; see `assonance.models.load_model`."""
    checkpoint = find_checkpoint(spec, offline=offline)
    encoder = load_encoder(checkpoint)
    saved_as = map(str, checkpoint.config.architectures or [])
    info = card(
        checkpoint,
        encoder,
        objective=OBJECTIVES[checkpoint.config.model_type],
        fine_tuned=any(not name.endswith(("Model", "ForPreTraining")) for name in saved_as),
    )
    return HuggingFaceModel(
        encoder,
        checkpoint,
        name=checkpoint.name,
        info=info,
        device=device,
        head_outputs=head_outputs,
    )


def card(
    checkpoint: Checkpoint, encoder: torch.nn.Module, *, objective: str, fine_tuned: bool
) -> ModelCard:
    """Describe an encoder of a checkpoint's architecture."""
    return ModelCard(
        family=checkpoint.config.model_type,
        objective=objective,
        size=size_in_words(checkpoint.config),
        n_parameters=sum(parameter.numel() for parameter in encoder.parameters()),
        fine_tuned=fine_tuned,
        source=checkpoint.source,
    )


def size_in_words(config: Any) -> str:
    """Say how large an encoder is, by the name of its size where it has one."""
    shape = config.num_hidden_layers, config.hidden_size
    blocks = f"{shape[0]} blocks of {shape[1]}"
    return f"{_SIZES[shape]}, {blocks}" if shape in _SIZES else blocks


def _meanings(blocks: int, *, pre_norm: bool, head_outputs: bool) -> Mapping[str, str]:
    """Say what each layer is, in order, for blocks that normalise before or after they add."""
    state = "not normalised" if pre_norm else "after layer norm"
    meanings = {
        "encoder.0": "Input of block 1: the projected convolutional features with positions added, "
        f"{state}."
    }
    for k in range(1, blocks + 1):
        if head_outputs:
            meanings[f"heads.{k}"] = (
                f"Outputs of the attention heads of block {k}, one head after the other, before "
                "they are mixed."
            )
        if not pre_norm:
            text = f"Output of block {k}, after its layer norm."
        elif k < blocks:
            text = f"Residual stream after block {k}, not normalised."
        else:
            text = (
                f"Residual stream after block {k}, the last, before the encoder's final layer norm."
            )
        meanings[f"encoder.{k}"] = text
    return meanings


def _physical_memory() -> float:
    """Bytes of memory that the machine has, as far as the system tells."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return float("inf")
