"""Plan the activations of a model: frames, times and bytes on disk, from the lengths of speech."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assonance.activations.extraction import Extraction
from assonance.activations.rounding import FULL
from assonance.activations.store import ActivationStore
from assonance.activations.utterance_frames import own_frames
from assonance.corpus import Corpus, LeftOut, Utterance
from assonance.errors import AssonanceError, UnusableAudio, printable
from assonance.models import SpeechModel, is_precomputed
from assonance.settings import Stored

_FLOAT64 = 8


class PlannedStore(ActivationStore):
    """The store that a model will fill, with the times of its frames and nothing on disk.

    Its activations are zeros, so that whatever counts frames or plans passes can take it for the
    store. The frames of precomputed activations are those that their rate gives.

    Parameters
    ----------
    model
        The model.
    corpus
        The speech that it will read.
    precision
        Number format of the frames on disk.
    layers
        Number of neurons of each layer to store, by label; all layers by default.
    """

    def __init__(
        self,
        model: SpeechModel,
        corpus: Corpus,
        precision: Stored = FULL,
        layers: Mapping[str, int] | None = None,
    ) -> None:
        self.folder = Path()
        self.precision = precision
        self._dtype = np.dtype(precision)
        self.layers = dict(layers or model.widths)
        self._made_with = "0" * 64
        self.left_out: list[LeftOut] = []
        self._times: dict[str, NDArray[np.float64]] = {}
        for utterance in corpus:
            try:
                self._times[utterance.id] = _planned_times(model, utterance)
            except UnusableAudio as error:
                reason = error.reason
                self.left_out.append(LeftOut(utterance.id, printable(utterance.path), reason))

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the utterances that the model can use, in the order of the corpus."""
        return tuple(self._times)

    def times(self, utterance: str) -> NDArray[np.float64]:
        """Return the centre of each frame of an utterance, in seconds."""
        return self._times[utterance]

    def n_frames(self, utterance: str) -> int:
        """Return the number of frames of an utterance."""
        return len(self._times[utterance])

    def audio(self, utterance: str) -> str:
        """Return an empty fingerprint: no audio was read."""
        return ""

    def sums(self, utterance: str) -> dict[str, NDArray[np.float64]]:
        """Return sums of zeros."""
        return {label: np.zeros(width) for label, width in self.layers.items()}

    def read(
        self, utterance: str, layers: Iterable[str] | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Return frames of zeros, which take no memory."""
        frames = self.n_frames(utterance)
        chosen = self.layers if layers is None else layers
        zero = np.zeros((1, 1), np.float32)
        return {label: np.broadcast_to(zero, (frames, self.layers[label])) for label in chosen}

    @cached_property
    def bytes(self) -> int:
        """Bytes that the shards will take, to within a few bytes a tensor of each."""
        frames = sum(map(len, self._times.values()))
        a_frame = self._dtype.itemsize * sum(self.layers.values()) + _FLOAT64
        return frames * a_frame + sum(map(self._without_frames, self._times))

    def _without_frames(self, utterance: str) -> int:
        """Return the bytes of a shard of no frames: names, checksums and sums."""
        empty = {label: np.zeros((0, width), np.float32) for label, width in self.layers.items()}
        return len(self._content(utterance, empty, np.zeros(0), "0" * 64))


class AwaitedStore(PlannedStore):
    """The plan of a store that is being filled, with the fingerprints that it will have.

    What is named after activations, as pieces of work are, has its name before they are there.

    Parameters
    ----------
    store
        The store.
    model, corpus
        As for `PlannedStore`.
    of_file
        Returns the hash of a file.

    Raises
    ------
    UnusableAudio
        A file cannot be read.
    """

    def __init__(
        self,
        store: ActivationStore,
        model: SpeechModel,
        corpus: Corpus,
        of_file: Callable[[Path], str],
    ) -> None:
        super().__init__(model, corpus, layers=store.layers)
        self.precision, self._dtype = store.precision, store._dtype
        self._made_with = store.made_with
        self._audio = {
            each.id: model.identify(each) if is_precomputed(model) else each.fingerprint(of_file)
            for each in corpus
            if each.id in self._times
        }

    def audio(self, utterance: str) -> str:
        """Return the fingerprint of an utterance's audio."""
        return self._audio[utterance]


def plan_extraction(
    model: SpeechModel,
    corpus: Corpus,
    precision: Stored = FULL,
    layers: Mapping[str, int] | None = None,
    store: PlannedStore | None = None,
) -> Extraction:
    """Return what `extract` will return, with a `PlannedStore` instead of a filled one.

    Only what the lengths of the utterances show is known: audio that turns out to be damaged
    counts as usable.

    Parameters
    ----------
    model, corpus, precision, layers
        As for `extract`.
    store
        The plan of the store, if there is one.

    Raises
    ------
    AssonanceError
        The model can use no utterance.
    """
    store = store or PlannedStore(model, corpus, precision, layers)
    if not store.ids:
        first = store.left_out[0]
        raise AssonanceError(
            f"{corpus.name}: {model.name} can use none of the {len(corpus)} utterances; "
            f"the first, {first.shown}: {first.reason}"
        )
    return Extraction(store, store.ids, tuple(store.left_out), 0, 0, 0.0, 0)


def planned_bytes(extractions: Mapping[str, Extraction]) -> int:
    """Return the bytes on disk of planned extractions."""
    stores = [each.store for each in extractions.values()]
    return sum(each.bytes for each in stores if isinstance(each, PlannedStore))


def _planned_times(model: SpeechModel, utterance: Utterance) -> NDArray[np.float64]:
    """Return the centre of each frame that a model will compute of an utterance."""
    samples = utterance.samples(model.sampling_rate, context=True)
    if not model.n_frames(samples):
        raise UnusableAudio(
            f"too short: {samples} samples at {model.sampling_rate} Hz are no frame of {model.name}"
        )
    return own_frames(model, utterance, samples)[0]
