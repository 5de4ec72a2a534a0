"""Outlines of encoders: their layers and frames without their weights, to plan a comparison."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from assonance.models.huggingface.checkpoint import Checkpoint, empty_encoder
from assonance.models.huggingface.encoder import (
    HuggingFaceModel,
    Named,
    Running,
    describe_encoder,
    name_random,
    random_twin,
)
from assonance.models.speech_model import Attend, LayerOutputs


class Outline(HuggingFaceModel):
    """An encoder of transformers whose weights are not read.

    It has the layers, widths, heads and frames of the checkpoint. Its fingerprint is that of the
    architecture, which models of different weights share. If it is run, it runs with random
    weights, in the time that the checkpoint would take.

    Parameters
    ----------
    encoder
        The encoder on torch's device "meta", which holds no values.
    named
        The checkpoint, its name and description.
    how
        Layers to record, number format and device of the checkpoint.
    """

    def __init__(self, encoder: torch.nn.Module, named: Named, how: Running) -> None:
        super().__init__(
            encoder,
            named.checkpoint,
            name=named.name,
            info=named.info,
            how=replace(how, device="meta"),
        )
        self._how = how

    @cached_property
    def fingerprint(self) -> str:
        """Hash of configuration, preprocessing and layers."""
        return hashlib.sha256(self._architecture()).hexdigest()

    @property
    def device(self) -> str:
        """Type of the torch device that the checkpoint runs on."""
        return torch.device(self._how.device).type

    def twin(self, seed: int) -> "Outline":
        """Return the outline of the random twin."""
        return outline_of_twin(self._checkpoint, seed, self._how)

    def rest(self, folder: Path) -> None:
        """Let the random weights rest in a folder; see `HuggingFaceModel.rest`."""
        self._stand_in.rest(folder)

    def _run(
        self,
        batch: Sequence[NDArray[np.float32]],
        attend: Attend | None,
        *,
        in_float32: bool = False,
    ) -> list[LayerOutputs]:
        return self._stand_in._run(batch, attend, in_float32=in_float32)

    @cached_property
    def _stand_in(self) -> HuggingFaceModel:
        return random_twin(self._checkpoint, 0, self._how)


def outline(checkpoint: Checkpoint, how: Running) -> Outline:
    """Return the outline of a checkpoint.

    Raises
    ------
    AssonanceError
        The configuration is invalid.
    """
    encoder = empty_encoder(checkpoint)
    named = Named(checkpoint, checkpoint.name, describe_encoder(checkpoint, encoder))
    return Outline(encoder, named, how)


def outline_of_twin(checkpoint: Checkpoint, seed: int, how: Running) -> Outline:
    """Return the outline of the random twin of a checkpoint; see `outline`."""
    encoder = empty_encoder(checkpoint)
    return Outline(encoder, name_random(checkpoint, encoder, seed), how)
