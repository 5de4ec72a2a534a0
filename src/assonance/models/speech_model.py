"""Define the protocol of speech models: named layers, a frame grid, and a way to run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from assonance.corpus import Utterance

# Receives the label of a block and its attention maps.
Attend = Callable[[str, NDArray[np.float32]], None]


@dataclass(frozen=True)
class LayerOutputs:
    """Activations of a model for one utterance.

    Attributes
    ----------
    activations
        By layer label, ndarray of float32 of shape (T frames, D neurons).
    """

    activations: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class ModelCard:
    """Description of a model for readers of a comparison.

    Attributes
    ----------
    family
        Architecture, by the ``model_type`` of transformers.
    objective
        Objective of pretraining: "contrastive", "predictive", "contrastive and predictive",
        "supervised", "unknown", or "none" for a model that was not trained.
    size
        Size in words, such as "base, 12 blocks of 768".
    n_parameters
        Parameters of the encoder, without heads for training or decoding.
    fine_tuned
        Whether it was trained for a task after its pretraining, such as speech recognition.
    source
        Name or path that it was loaded from.
    task
        What it was trained for last, such as "speech recognition" or "pretraining", or None if
        unknown.
    base
        Name or path of the model that it was fine-tuned from, if its own files name it, or None.
    weights
        File that its weights come from, with its SHA-256 if they were converted; empty if there
        is none.
    input
        Sampling rate, and what is done to the samples before the first layer; empty if unknown.
    notes
        What readers of results must know of how it was opened.
    """

    family: str
    objective: str
    size: str
    n_parameters: int
    fine_tuned: bool
    source: str
    task: str | None = None
    base: str | None = None
    weights: str = ""
    input: str = ""
    notes: tuple[str, ...] = ()


class SpeechModel(Protocol):
    """A model that computes layers of frames from speech, with the same frames in every layer.

    In an encoder ``encoder.0`` is the input of the first block and ``encoder.k`` the output of
    block ``k``; `meanings` describes each layer.
    """

    @property
    def name(self) -> str:
        """Short name, for axes and tables."""
        ...

    @property
    def layers(self) -> tuple[str, ...]:
        """Labels of the layers, in order from the input."""
        ...

    @property
    def meanings(self) -> Mapping[str, str]:
        """Description of each layer, by label."""
        ...

    @property
    def widths(self) -> Mapping[str, int]:
        """Number of neurons of each layer, by label."""
        ...

    @property
    def heads(self) -> Mapping[str, int]:
        """Number of attention heads of each block, by the label of its output.

        Empty if there is no attention, or if the outputs of the blocks are not layers.
        """
        ...

    @property
    def sampling_rate(self) -> int:
        """Sampling rate that `run` expects, in Hz."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of all that determines the activations: architecture, weights, preprocessing."""
        ...

    @property
    def info(self) -> ModelCard:
        """Description of the model for readers."""
        ...

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames for `n_samples` samples; 0 if they are too few."""
        ...

    def frame_times(self, n_samples: int) -> NDArray[np.float64]:
        """Return the centre of each frame for `n_samples` samples, in seconds."""
        ...

    def run(self, samples: NDArray[np.float32], *, attend: Attend | None = None) -> LayerOutputs:
        """Run the model on one utterance. Must be safe to call from several threads at once.

        Parameters
        ----------
        samples
            Mono audio at `sampling_rate`; shape (n_samples,).
        attend
            Called for each block as soon as its attention maps are computed, with its label and
            the maps: float32, shape (H heads, T queries, T keys); each row sums to 1. The maps
            must not change afterwards: the receiver may keep them.

        Returns
        -------
        LayerOutputs
            Activations of all layers.

        Raises
        ------
        UnusableAudio
            The samples are too few for a frame or too many for the memory, or the activations are
            not finite.
        """
        ...

    def twin(self, seed: int) -> "SpeechModel | None":
        """Return the random twin: this model with random weights. None if it has no weights."""
        ...


class BatchedModel(SpeechModel, Protocol):
    """A `SpeechModel` that can run several utterances at a time."""

    @property
    def device(self) -> str:
        """Type of the torch device it runs on, such as "cpu" or "cuda"."""
        ...

    @property
    def in_batches(self) -> bool:
        """Whether utterances in a batch give the same activations as alone, up to rounding."""
        ...

    def run_batch(self, batch: Sequence[NDArray[np.float32]]) -> list[LayerOutputs]:
        """Run the model on several utterances at once.

        Parameters
        ----------
        batch
            One array for each utterance, as for `SpeechModel.run`, of any lengths.

        Returns
        -------
        list of LayerOutputs
            One for each utterance, without padding. Each layer is within 2e-5 of the result of
            `SpeechModel.run`, relative to the layer's standard deviation.

        Raises
        ------
        UnusableAudio
            As for `SpeechModel.run`, for any of the utterances.
        """
        ...


class RoundedModel(SpeechModel, Protocol):
    """A `SpeechModel` that may compute in half precision."""

    @property
    def precision(self) -> str:
        """Floating-point type of the computation, such as "float32" or "bfloat16"."""
        ...

    def rounding(self, samples: NDArray[np.float32]) -> tuple[str, float]:
        """Compute the rounding error against float32 on one utterance.

        Parameters
        ----------
        samples
            As for `SpeechModel.run`.

        Returns
        -------
        tuple of str and float
            The layer with the largest error, and that error (root mean square) relative to the
            standard deviation of the layer.
        """
        ...


class RestingModel(SpeechModel, Protocol):
    """A `SpeechModel` that need not stay in memory while nothing runs it."""

    def rest(self, folder: Path) -> None:
        """Keep the weights in a file in a folder, from which they are read as they are used.

        Activations do not change by a bit.
        """
        ...


class PrecomputedModel(SpeechModel, Protocol):
    """A `SpeechModel` whose activations are read from files."""

    def identify(self, utterance: Utterance) -> str:
        """Return a hash of the file with an utterance's activations.

        Raises
        ------
        UnusableAudio
            There is no such file, or it cannot be read.
        """
        ...

    def look_up(self, utterance: Utterance) -> tuple[LayerOutputs, NDArray[np.float64]]:
        """Return the activations of an utterance, and the centre of each frame in seconds.

        Raises
        ------
        UnusableAudio
            There is no such file, it cannot be read, or its layers or number of frames do not fit.
        """
        ...


# Not isinstance with the protocols: that would compute every property, fingerprints too.
def runs_batches(model: SpeechModel) -> TypeGuard[BatchedModel]:
    """Return whether a model has a `run_batch` method."""
    return hasattr(model, "run_batch")


def is_rounded(model: SpeechModel) -> TypeGuard[RoundedModel]:
    """Return whether a model computes in half precision."""
    return getattr(model, "precision", "float32") != "float32"


def can_rest(model: SpeechModel) -> TypeGuard[RestingModel]:
    """Return whether a model has a `rest` method."""
    return hasattr(model, "rest")


def is_precomputed(model: SpeechModel) -> TypeGuard[PrecomputedModel]:
    """Return whether a model reads its activations from files."""
    return hasattr(model, "look_up")
