"""Keep of activations what comparisons of attention need: utterances, and times of frames."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assonance.activations.rounding import FULL
from assonance.activations.store import ActivationStore


class UnkeptStore(ActivationStore):
    """A store that keeps the times of frames, in memory, and nothing on disk.

    Where no measure compares frames, a model still reads each utterance once, which shows whether
    it can use it.

    Parameters
    ----------
    fingerprint
        Everything that determines the activations besides the audio.
    layers
        Number of neurons of each layer, by label.
    """

    def __init__(self, *, fingerprint: Mapping[str, str], layers: Mapping[str, int]) -> None:
        self.folder = Path()
        self.fingerprint = dict(fingerprint)
        self.precision = FULL
        self.layers = dict(layers)
        record = json.dumps([self.fingerprint, self.layers], ensure_ascii=False).encode()
        self._made_with = hashlib.sha256(record).hexdigest()
        self._known: dict[str, tuple[NDArray[np.float64], str]] = {}

    def __contains__(self, utterance: object) -> bool:
        return utterance in self._known

    def holds(self, utterance: str, audio_fingerprint: str) -> bool:
        """Return whether an utterance with this audio was written."""
        return utterance in self._known and self._known[utterance][1] == audio_fingerprint

    def write(
        self,
        utterance: str,
        activations: Mapping[str, NDArray[np.float32]],
        times: NDArray[np.float64],
        audio_fingerprint: str,
    ) -> None:
        """Keep the times of an utterance's frames, and forget the frames."""
        self._known[utterance] = np.array(times, np.float64), audio_fingerprint

    @property
    def ids(self) -> tuple[str, ...]:
        """Sorted ids of the utterances that were written."""
        return tuple(sorted(self._known))

    def times(self, utterance: str) -> NDArray[np.float64]:
        """Return the centre of each frame of an utterance, in seconds from its start."""
        return self._known[utterance][0]

    def n_frames(self, utterance: str) -> int:
        """Return the number of frames of an utterance."""
        return len(self.times(utterance))

    def audio(self, utterance: str) -> str:
        """Return the fingerprint of an utterance's audio."""
        return self._known[utterance][1]
