"""What is recorded of an encoder, and how: hooks of our own on its modules."""

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

# What can be recorded, in words.
KINDS = {
    "blocks": "what goes into the first block and comes out of each",
    "final": "the last block's output after the norm that follows it",
    "ffn": "the hidden neurons of the feed-forward parts",
    "attention": "what the attention of each block adds",
    "heads": "what its heads give, before they are mixed",
    "cnn": "the convolutional features",
}


DEFAULT = ("blocks",)


_WHICH = {"ffn": "", "ffn1": "first ", "ffn2": "second "}


@dataclass(frozen=True)
class Tap:
    """One layer: where it is taken.

    Attributes
    ----------
    label, meaning
        What it is called, and what it is in words.
    module
        Whose input or output it is.
    side
        Which of the two. Of several inputs or outputs it is the first.
    width
        Number of neurons.
    turn
        Turns what is taken into shape (B, T, D).
    """

    label: str
    meaning: str
    module: torch.nn.Module
    side: Literal["input", "output"]
    width: int
    turn: Callable[[Tensor], Tensor] = lambda values: values


def kinds_of(record: str | Iterable[str]) -> tuple[str, ...]:
    """Check what is to be recorded, and put it into a fixed order.

    Raises
    ------
    AssonanceError
        Nothing is, or something that there is not.
    """
    asked = {record} if isinstance(record, str) else set(record)
    if unknown := sorted(asked - KINDS.keys()):
        raise AssonanceError(f"record {unknown[0]!r}: choose from {', '.join(KINDS)}")
    if not asked:
        raise AssonanceError(f"nothing to record: choose from {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in asked)


def taps_of(
    family: Family, encoder: torch.nn.Module, config: Any, kinds: Sequence[str]
) -> list[Tap]:
    """Find where an encoder keeps what is to be recorded, from the input up."""
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
        if "ffn1" in neurons:  # a conformer's block begins and ends with such a part
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
            text = _of_block(k, normed, last=k == len(blocks), final=norm is not None)
            taps.append(Tap(f"encoder.{k}", text, block, "output", width))
    if "final" in kinds and norm is not None:
        text = f"Output of block {len(blocks)}, the last, after the encoder's final layer norm."
        taps.append(Tap("encoder.final", text, encoder.get_submodule(norm), "output", width))
    return taps


def _of_block(k: int, normed: bool, *, last: bool, final: bool) -> str:
    """Say what the output of a block is."""
    before = ", the last, before the encoder's final layer norm" if last and final else ""
    if normed:
        return f"Output of block {k}, after its layer norm{before}."
    return f"Residual stream after block {k}{before or ', not normalised'}."


def _size(module: torch.nn.Module, name: str) -> int:
    return int(getattr(module, name))


def _channels(module: torch.nn.Module) -> int:
    """Count the channels that convolutions give."""
    last = [each for each in module.modules() if isinstance(each, torch.nn.Conv1d)][-1]
    return last.out_channels


class Recorder:
    """Hooks that hand on what the calling thread records, and nothing else.

    Parameters
    ----------
    taps
        What to record.
    attentions
        By label, modules that give attention maps after their outputs.
    """

    def __init__(self, taps: Sequence[Tap], attentions: dict[str, torch.nn.Module]) -> None:
        self._current = threading.local()
        for tap in taps:
            if tap.side == "input":
                tap.module.register_forward_pre_hook(self._on_input(tap), with_kwargs=True)
            else:
                tap.module.register_forward_hook(self._on_output(tap))
        for label, module in attentions.items():
            module.register_forward_pre_hook(self._ask_for_maps, with_kwargs=True)
            module.register_forward_hook(self._on_attention(label))

    @contextmanager
    def recording(
        self, frames: Sequence[int], attend: Attend | None
    ) -> Iterator[list[dict[str, NDArray[np.float32]]]]:
        """Record what passes while the encoder runs in this thread.

        Parameters
        ----------
        frames
            Frames of each utterance of the batch; what follows them is padding and is dropped.
        attend
            Takes attention maps, of a batch of one.

        Yields
        ------
        list of dict of ndarray, shape (T, D)
            One for each utterance; filled when the context ends.
        """
        kept: list[dict[str, Any]] = [{} for _ in frames]
        self._current.frames, self._current.kept, self._current.attend = frames, kept, attend
        try:
            yield kept
            # An accelerator goes on computing while it is not asked for results.
            for each in kept:
                for label, values in each.items():
                    each[label] = values.float().cpu().numpy()
        finally:
            self._current.__dict__.clear()

    @contextmanager
    def one_of(self, place: int) -> Iterator[None]:
        """Within a batch, what passes is of one utterance alone."""
        state = self._current.__dict__
        frames, kept = state["frames"], state["kept"]
        state["frames"], state["kept"] = frames[place : place + 1], kept[place : place + 1]
        try:
            yield
        finally:
            state["frames"], state["kept"] = frames, kept

    def _keep(self, tap: Tap, values: Tensor) -> None:
        turned = tap.turn(values)
        for row, (count, kept) in enumerate(
            zip(self._current.frames, self._current.kept, strict=True)
        ):
            kept[tap.label] = turned[row, :count]

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

    def _ask_for_maps(self, module: torch.nn.Module, inputs: Any, named: Any) -> Any:
        """Have a module that gives its maps only where asked for them give them."""
        if "output_attentions" in named and getattr(self._current, "attend", None) is not None:
            return inputs, {**named, "output_attentions": True}
        return None

    def _on_attention(self, label: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, inputs: Any, outputs: Any) -> None:
            attend = getattr(self._current, "attend", None)
            if attend is not None:
                attend(label, _among(outputs[1][0], self._current.frames[0]).cpu().numpy())

        return hook


def _among(maps: Tensor, frames: int) -> Tensor:
    """Cut padding off maps, shape (H, T, T); what looked there is shared out over the rest."""
    if maps.shape[-1] == frames:
        return maps
    maps = maps[:, :frames, :frames]
    return maps / maps.sum(-1, keepdim=True)
