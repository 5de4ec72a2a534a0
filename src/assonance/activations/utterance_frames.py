"""Choose the frames of an utterance that are not of its context, and write them into a store."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from assonance.activations.store import ActivationStore
from assonance.corpus import Utterance
from assonance.models import SpeechModel


def write_frames(
    store: ActivationStore,
    model: SpeechModel,
    utterance: Utterance,
    audio: str,
    samples: int,
    activations: Mapping[str, NDArray[np.float32]],
) -> None:
    """Write an utterance's frames of the store's layers, without its context, with their times."""
    times, inner = own_frames(model, utterance, samples)
    own = {label: activations[label][inner] for label in store.layers}
    store.write(utterance.id, own, times, audio)


def own_frames(
    model: SpeechModel, utterance: Utterance, samples: int
) -> tuple[NDArray[np.float64], slice]:
    """Return the times of the frames whose centre is in the utterance, and their range.

    Parameters
    ----------
    model, utterance
        The model and the utterance.
    samples
        Number of samples that the model is given, with the context.

    Returns
    -------
    ndarray of float64, and slice
        Seconds from the start of the utterance; range among all frames of the samples.
    """
    times = model.frame_times(samples) - utterance.lead
    first = np.searchsorted(times, 0) if utterance.before else 0
    last = np.searchsorted(times, utterance.duration) if utterance.after else len(times)
    inner = slice(int(first), int(last))
    return times[inner], inner
