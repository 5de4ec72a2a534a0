"""Record layers of an encoder with hooks on its modules."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.errors import AssonanceError
from assonance.models.huggingface.families import Family
from assonance.models.speech_model import Attend
from assonance.settings import Kind, check_choice

# What can be recorded.
KINDS: dict[Kind, str] = {
    "blocks": "input of the first block and output of every block",
    "final": "output of the last block after the norm that follows it",
    "ffn": "hidden neurons of the feed-forward parts",
    "attention": "output of the attention of each block",
    "heads": "outputs of the attention heads before they are mixed",
    "cnn": "convolutional features",
}

DEFAULT = ("blocks",)
_WHICH = {"ffn": "", "ffn1": "first ", "ffn2": "second "}


@dataclass(frozen=True)
class Tap:
    """The place in an encoder where a layer is recorded.

    Attributes
    ----------
    label, meaning
        Label and description of the layer.
    module
        Module whose input or output is recorded.
    side
        Input or output; the first of several.
    width
        Number of neurons.
    arrange
        Converts the recorded tensor to shape (B, T, D).
    """

    label: str
    meaning: str
    module: torch.nn.Module
    side: Literal["input", "output"]
    width: int
    arrange: Callable[[Tensor], Tensor] = lambda values: values


def check_kinds(record: str | Iterable[str]) -> tuple[str, ...]:
    """Check the kinds of layers to record, and return them in a fixed order.

    Raises
    ------
    AssonanceError
        There is none, or one is unknown.
    """
    chosen = {record} if isinstance(record, str) else set(record)
    for kind in sorted(chosen):
        check_choice("record", kind, KINDS)
    if not chosen:
        raise AssonanceError(f"nothing to record: choose from {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in chosen)


def find_taps(
    family: Family, encoder: torch.nn.Module, config: Any, kinds: Sequence[str]
) -> list[Tap]:
    """Return the taps of all kinds of layers to record, in order from the input."""
    blocks = list(encoder.get_submodule(family.blocks).children())
    mixing = [block.get_submodule(family.mixing) for block in blocks]
    width = _size(mixing[0], "out_features")
    normed, norm = family.normed(config), family.final_norm(config)
    taps = []
    if "cnn" in kinds and family.features is not None:
        module = encoder.get_submodule(family.features)
        taps.append(
            Tap(
                "cnn",
                f"Output of the last convolution, {family.features_are}.",
                module,
                "output",
                _channels(module),
                lambda values: family.from_features(values, config),
            )
        )
    if "blocks" in kinds:
        text = f"Input of block 1: {family.start(config)}."
        taps.append(Tap("encoder.0", text, blocks[0], "input", width))
    for k, block in enumerate(blocks, 1):
        neurons = {
            label: Tap(
                f"{label}.{k}",
                f"Hidden neurons of the {_WHICH[label]}feed-forward part of block {k}, activated.",
                block.get_submodule(path),
                "input",
                _size(block.get_submodule(path), "in_features"),
            )
            for label, path in family.neurons.items()
            if "ffn" in kinds
        }
        if "ffn1" in neurons:  # a conformer block has a feed-forward part at both ends
            taps.append(neurons.pop("ffn1"))
        if "heads" in kinds:
            text = (
                f"Outputs of the attention heads of block {k}, one head after the other, before "
                "they are mixed."
            )
            size = _size(mixing[k - 1], "in_features")
            taps.append(Tap(f"heads.{k}", text, mixing[k - 1], "input", size))
        if "attention" in kinds:
            text = f"What the attention of block {k} adds to its input: its heads' outputs, mixed."
            taps.append(Tap(f"attention.{k}", text, mixing[k - 1], "output", width))
        taps.extend(neurons.values())
        if "blocks" in kinds:
            text = _describe_block(k, normed, last=k == len(blocks), final=norm is not None)
            taps.append(Tap(f"encoder.{k}", text, block, "output", width))
    if "final" in kinds and norm is not None:
        text = f"Output of block {len(blocks)}, the last, after the encoder's final layer norm."
        taps.append(Tap("encoder.final", text, encoder.get_submodule(norm), "output", width))
    return taps


def _describe_block(k: int, normed: bool, *, last: bool, final: bool) -> str:
    """Describe the output of a block."""
    before = ", the last, before the encoder's final layer norm" if last and final else ""
    if normed:
        return f"Output of block {k}, after its layer norm{before}."
    return f"Residual stream after block {k}{before or ', not normalised'}."


def _size(module: torch.nn.Module, name: str) -> int:
    return int(getattr(module, name))


def _channels(module: torch.nn.Module) -> int:
    """Return the number of output channels of a stack of convolutions."""
    last = [each for each in module.modules() if isinstance(each, torch.nn.Conv1d)][-1]
    return last.out_channels


class Recorder:
    """Hooks that record layers and attention maps for the calling thread only.

    Parameters
    ----------
    taps
        Layers to record.
    attentions
        By label, modules that return attention maps as their second output.
    """

    def __init__(self, taps: Sequence[Tap], attentions: dict[str, torch.nn.Module]) -> None:
        self._current = threading.local()
        for tap in taps:
            if tap.side == "input":
                tap.module.register_forward_pre_hook(self._on_input(tap), with_kwargs=True)
            else:
                tap.module.register_forward_hook(self._on_output(tap))
        for label, module in attentions.items():
            module.register_forward_pre_hook(self._request_maps, with_kwargs=True)
            module.register_forward_hook(self._on_attention(label))

    @contextmanager
    def recording(
        self, frames: Sequence[int], attend: Attend | None
    ) -> Iterator[list[dict[str, NDArray[np.float32]]]]:
        """Record while the encoder runs in this thread.

        Parameters
        ----------
        frames
            Frames of each utterance of the batch. Later frames are padding and are dropped.
        attend
            Receives the attention maps of a batch of one; see `SpeechModel.run`.

        Yields
        ------
        list of dict of ndarray, shape (T, D)
            Layers by label, one dict for each utterance, filled when the context ends.
        """
        kept: list[dict[str, Any]] = [{} for _ in frames]
        self._current.frames, self._current.kept, self._current.attend = frames, kept, attend
        try:
            yield kept
            # Only now, so that an accelerator does not wait for copies between layers.
            for each in kept:
                for label, values in each.items():
                    each[label] = values.float().cpu().numpy()
        finally:
            self._current.__dict__.clear()

    @contextmanager
    def only(self, place: int) -> Iterator[None]:
        """Inside the context, the encoder runs on one utterance of the batch alone."""
        state = self._current.__dict__
        frames, kept = state["frames"], state["kept"]
        state["frames"], state["kept"] = frames[place : place + 1], kept[place : place + 1]
        try:
            yield
        finally:
            state["frames"], state["kept"] = frames, kept

    def _keep(self, tap: Tap, values: Tensor) -> None:
        arranged = tap.arrange(values)
        for row, (count, kept) in enumerate(
            zip(self._current.frames, self._current.kept, strict=True)
        ):
            kept[tap.label] = arranged[row, :count]

    def _on_input(self, tap: Tap) -> Callable[..., None]:
        def hook(module: torch.nn.Module, inputs: Any, named: Any) -> None:
            if hasattr(self._current, "kept"):
                self._keep(tap, inputs[0] if inputs else named["hidden_states"])

        return hook

    def _on_output(self, tap: Tap) -> Callable[..., None]:
        def hook(module: torch.nn.Module, inputs: Any, outputs: Any) -> None:
            if hasattr(self._current, "kept"):
                self._keep(tap, outputs[0] if isinstance(outputs, tuple) else outputs)

        return hook

    def _request_maps(self, module: torch.nn.Module, inputs: Any, named: Any) -> Any:
        """Set `output_attentions` for modules that return maps only on request."""
        if "output_attentions" in named and getattr(self._current, "attend", None) is not None:
            return inputs, {**named, "output_attentions": True}
        return None

    def _on_attention(self, label: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, inputs: Any, outputs: Any) -> None:
            attend = getattr(self._current, "attend", None)
            if attend is not None:
                attend(
                    label, _without_padding(outputs[1][0], self._current.frames[0]).cpu().numpy()
                )

        return hook


def _without_padding(maps: Tensor, frames: int) -> Tensor:
    """Remove padding from maps, shape (H, T, T), and normalise the rows again."""
    if maps.shape[-1] == frames:
        return maps
    maps = maps[:, :frames, :frames]
    return maps / maps.sum(-1, keepdim=True)
