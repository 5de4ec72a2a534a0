"""What every speech model is to assonance: named layers, a frame grid, and a way to run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from assonance.corpus import Utterance

# What is done with the attention maps of a block, given its label.
Attend = Callable[[str, NDArray[np.float32]], None]


@dataclass(frozen=True)
class LayerOutputs:
    """What a model made of one utterance.

    Attributes
    ----------
    activations
        By layer label, ndarray of float32, shape (T frames, D neurons).
    """

    activations: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class ModelCard:
    """What a reader of a comparison wants to know of a model.

    Attributes
    ----------
    family
        Architecture, as transformers' ``model_type`` names it.
    objective
        What it was pretrained on: "contrastive", "predictive", "contrastive and predictive",
        "supervised", "unknown", or "none" where nothing was learned.
    size
        Its size in words.
    n_parameters
        Parameters of the encoder, heads for training or decoding not counted.
    fine_tuned
        Whether its checkpoint was saved with a head for a task, such as CTC.
    source
        The specification that it was loaded from.
    """

    family: str
    objective: str
    size: str
    n_parameters: int
    fine_tuned: bool
    source: str


class SpeechModel(Protocol):
    """A model that turns speech into layers of frames, as many frames in each layer.

    In an encoder ``encoder.0`` is the input of the first block and ``encoder.k`` the output of
    block ``k``; `meanings` says what each layer is.
    """

    @property
    def name(self) -> str:
        """Short name, for axes and tables."""
        ...

    @property
    def layers(self) -> tuple[str, ...]:
        """Labels of the layers, from the input up."""
        ...

    @property
    def meanings(self) -> Mapping[str, str]:
        """What each layer is in this family, in words, by label."""
        ...

    @property
    def widths(self) -> Mapping[str, int]:
        """Number of neurons of each layer, by label."""
        ...

    @property
    def heads(self) -> Mapping[str, int]:
        """Number of attention heads of each block, by the label of its output.

        Empty where there are none, or the blocks' outputs are no layers.
        """
        ...

    @property
    def sampling_rate(self) -> int:
        """Samples a second that `run` expects."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides the activations: architecture, weights, preprocessing."""
        ...

    @property
    def info(self) -> ModelCard:
        """What a reader wants to know of the model."""
        ...

    def n_frames(self, n_samples: int) -> int:
        """Count the frames made of so many samples; 0 where they are too few."""
        ...

    def frame_times(self, n_samples: int) -> NDArray[np.float64]:
        """Give the centre of each frame made of so many samples, in seconds."""
        ...

    def run(self, samples: NDArray[np.float32], *, attend: Attend | None = None) -> LayerOutputs:
        """Run the model on one utterance; may be called from several threads at once.

        Parameters
        ----------
        samples
            Mono, shape (n_samples,), at `sampling_rate`.
        attend
            Called with the label and the attention maps of each block as soon as it has computed
            them: where the block looks, float32, shape (H heads, T, T), each row summing to 1.
            They are not kept.

        Returns
        -------
        LayerOutputs
            Of all layers.

        Raises
        ------
        UnusableAudio
            The samples are too few for a frame, too many for the memory, or make the model
            give values that are not finite.
        """
        ...

    def twin(self, seed: int) -> "SpeechModel | None":
        """Make this model with random weights drawn by a seed; None where that means nothing."""
        ...


class BatchedModel(SpeechModel, Protocol):
    """A `SpeechModel` that can run several utterances at a time."""

    @property
    def device(self) -> str:
        """Where it runs, as torch calls it: "cpu", or an accelerator."""
        ...

    @property
    def in_batches(self) -> bool:
        """Whether several utterances at a time come out as they do one by one, but for rounding."""
        ...

    def run_batch(self, batch: Sequence[NDArray[np.float32]]) -> list[LayerOutputs]:
        """Run the model on several utterances.

        Parameters
        ----------
        batch
            As for `SpeechModel.run`, of any lengths.

        Returns
        -------
        list of LayerOutputs
            Within 2e-5 of what `SpeechModel.run` gives, relative to a layer's deviation; padding
            is nowhere in it.

        Raises
        ------
        UnusableAudio
            As `SpeechModel.run`, of one of them.
        """
        ...


class RoundedModel(SpeechModel, Protocol):
    """A `SpeechModel` that may compute in half precision."""

    @property
    def precision(self) -> str:
        """What it computes in: "float32", or less."""
        ...

    def rounding(self, samples: NDArray[np.float32]) -> tuple[str, float]:
        """Say what less than float32 costs.

        Parameters
        ----------
        samples
            As for `SpeechModel.run`.

        Returns
        -------
        tuple of str and float
            The layer that it changes most, and by what part of its deviation.
        """
        ...


class PrecomputedModel(SpeechModel, Protocol):
    """A `SpeechModel` that has activations on file and computes none."""

    def identify(self, utterance: Utterance) -> str:
        """Hash what is on file of an utterance.

        Raises
        ------
        UnusableAudio
            Nothing is, or it cannot be read.
        """
        ...

    def look_up(self, utterance: Utterance) -> tuple[LayerOutputs, NDArray[np.float64]]:
        """Give what is on file of an utterance, and the centre of each frame in seconds.

        Raises
        ------
        UnusableAudio
            Nothing is, it cannot be read, or it does not fit the other utterances or the length of
            the audio.
        """
        ...


# By what they can do, not by isinstance: that would compute every property, fingerprints too.
def runs_batches(model: SpeechModel) -> TypeGuard[BatchedModel]:
    """Say whether a model can run several utterances at a time."""
    return hasattr(model, "run_batch")


def is_rounded(model: SpeechModel) -> TypeGuard[RoundedModel]:
    """Say whether a model computes in half precision."""
    return getattr(model, "precision", "float32") != "float32"


def is_precomputed(model: SpeechModel) -> TypeGuard[PrecomputedModel]:
    """Say whether a model has activations on file and computes none."""
    return hasattr(model, "look_up")
