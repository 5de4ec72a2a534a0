"""Find the moments at which neurons are most active, and their activity around moments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assonance.activations.store import ActivationStore


@dataclass(frozen=True)
class Peaks:
    """The highest activity of each neuron of a layer, once an utterance.

    Attributes
    ----------
    mean, deviation
        Of each neuron over all frames; shape (D,).
    value
        Highest activations, the highest first; shape (K, D).
    utterance
        Place of their utterances in the list; −1 if there are fewer utterances.
    time
        Centres of their frames, in seconds from the utterance's start.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    value: NDArray[np.float64]
    utterance: NDArray[np.int64]
    time: NDArray[np.float64]


def find_peaks(
    store: ActivationStore, ids: Sequence[str], layers: Sequence[str], count: int
) -> dict[str, Peaks]:
    """Find the utterances in which each neuron reaches the highest activity.

    The frames are read once. Memory does not grow with the amount of speech.

    Parameters
    ----------
    store
        Activations of a model.
    ids
        Utterances to search.
    layers
        Labels of layers.
    count
        Number K of utterances of each neuron.

    Returns
    -------
    dict of Peaks
        By label.
    """
    found = {label: _Running(store.layers[label], count) for label in layers}
    for place, id in enumerate(ids):
        times = store.times(id)
        for label, frames in store.read(id, layers).items():
            found[label].add(place, frames, times)
    return {label: each.peaks() for label, each in found.items()}


class _Running:
    """The peaks of a layer among the utterances so far."""

    def __init__(self, width: int, count: int) -> None:
        self._value = np.full((count, width), -np.inf)
        self._utterance = np.full((count, width), -1)
        self._time = np.full((count, width), np.nan)
        self._frames = 0
        self._centre = np.zeros(width)
        self._sum, self._squares = np.zeros(width), np.zeros(width)

    def add(self, place: int, frames: NDArray[np.float32], times: NDArray[np.float64]) -> None:
        """Add an utterance."""
        if not len(frames):
            return
        if not self._frames:
            self._centre = frames.mean(0, dtype=np.float64)
        off = frames - self._centre
        self._frames += len(frames)
        self._sum += off.sum(0)
        self._squares += np.einsum("td,td->d", off, off)
        highest = frames.argmax(0)
        value = np.take_along_axis(frames, highest[None], 0).astype(np.float64)
        where = np.full((1, len(highest)), place)
        # A stable sort: of equal peaks the earlier utterance comes first.
        order = np.argsort(-np.vstack([self._value, value]), axis=0, kind="stable")[:-1]
        self._value = np.take_along_axis(np.vstack([self._value, value]), order, 0)
        self._utterance = np.take_along_axis(np.vstack([self._utterance, where]), order, 0)
        self._time = np.take_along_axis(np.vstack([self._time, times[highest][None]]), order, 0)

    def peaks(self) -> Peaks:
        mean = self._sum / max(self._frames, 1)
        variance = self._squares / max(self._frames, 1) - mean**2
        deviation = np.sqrt(variance.clip(min=0))
        return Peaks(self._centre + mean, deviation, self._value, self._utterance, self._time)


@dataclass(frozen=True)
class Stretch:
    """Where a neuron's activity is wanted: utterance, layer, neuron, and times in seconds."""

    utterance: str
    layer: str
    neuron: int
    times: NDArray[np.float64]


def read_stretches(
    store: ActivationStore, wanted: Sequence[Stretch], peaks: Mapping[str, Peaks]
) -> list[NDArray[np.float64]]:
    """Read the activity of neurons over stretches of speech, in standard deviations.

    Parameters
    ----------
    store
        Activations of a model.
    wanted
        The stretches. Each utterance is read once.
    peaks
        Mean and deviation of the neurons, by label.

    Returns
    -------
    list of ndarray
        One value a time, linear between frames; NaN outside the utterance.
    """
    found: list[NDArray[np.float64]] = [np.empty(0)] * len(wanted)
    by_utterance: dict[str, list[int]] = {}
    for k, each in enumerate(wanted):
        by_utterance.setdefault(each.utterance, []).append(k)
    for id, places in by_utterance.items():
        times = store.times(id)
        frames = store.read(id, dict.fromkeys(wanted[k].layer for k in places))
        for k in places:
            each, known = wanted[k], peaks[wanted[k].layer]
            values = np.interp(
                each.times, times, frames[each.layer][:, each.neuron], left=np.nan, right=np.nan
            )
            spread = known.deviation[each.neuron]
            found[k] = (values - known.mean[each.neuron]) / (spread or 1.0)
    return found
