"""Extraction: run a model over a corpus into a store, once, whatever interrupts it."""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assonance.corpus import Corpus, LeftOut, Utterance
from assonance.corpus.utterance import hash_of
from assonance.errors import AssonanceError
from assonance.models import SpeechModel
from assonance.outside import UnusableAudio, one_line
from assonance.parallel import on_cores
from assonance.progress import Progress, Silent
from assonance.store import ActivationStore

_SILENT = Silent()


@dataclass(frozen=True)
class Extraction:
    """What came of running a model over a corpus.

    Attributes
    ----------
    store
        Holds the activations.
    ids
        The utterances that it holds of this corpus, in the corpus's order.
    left_out
        The utterances that this model could not use, and why; those that the corpus itself left
        out are not repeated.
    computed, reused
        Number of utterances run now, and found in the store.
    seconds
        Time it took.
    resampled
        Number of utterances whose audio is stored at another rate than the model's.
    """

    store: ActivationStore
    ids: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    computed: int
    reused: int
    seconds: float
    resampled: int


def extract(
    model: SpeechModel,
    corpus: Corpus,
    folder: Path,
    *,
    progress: Progress = _SILENT,
    on_error: Literal["skip", "stop"] = "skip",
) -> Extraction:
    """Run a model over a corpus into a store; what the store holds already is not run again.

    A run that was interrupted, however abruptly, and taken up again ends with the same bytes as
    one that was not, on the same machine. Utterances are computed side by side, each on one core,
    so the bytes do not depend on how many cores there are.

    Parameters
    ----------
    model
        What to run.
    corpus
        What to run it on.
    folder
        The store's folder, new or of an earlier run of the same model.
    progress
        Told of the seconds of audio done.
    on_error
        What to do about an utterance that cannot be used: leave it out, or stop there, even for
        one that the corpus left out already.

    Returns
    -------
    Extraction
        Of at least one utterance.

    Raises
    ------
    AssonanceError
        The folder belongs to another model, version or setting, or cannot be written; no
        utterance can be used; or one cannot, and `on_error` is "stop". What was computed before
        stays, and a later run goes on from there.
    """
    started = time.perf_counter()
    if on_error == "stop" and corpus.left_out:
        first = corpus.left_out[0]
        raise UnusableAudio(f"{first.reason}; mend or remove it", first.path)
    store = ActivationStore(
        folder,
        fingerprint={
            "version": _version(),
            "model": model.fingerprint,
            "sampling_rate": f"{model.sampling_rate} Hz",
        },
        layers=model.widths,
    )
    kept: list[Utterance] = []
    left_out: list[LeftOut] = []
    computed = 0
    of_file = functools.cache(hash_of)  # many utterances may be cut from one file
    stage = progress.stage(f"reading speech with {model.name}", corpus.seconds)
    with stage as advance, on_cores() as share:
        outcomes = share(lambda utterance: _ensure(store, model, utterance, of_file), corpus)
        for utterance, outcome in zip(corpus, outcomes, strict=True):
            if not isinstance(outcome, UnusableAudio):
                computed += outcome
                kept.append(utterance)
            elif on_error == "stop":
                raise UnusableAudio(
                    f"{outcome.reason}; mend or remove it", utterance.path
                ) from outcome
            else:
                left_out.append(LeftOut(utterance.id, one_line(utterance.path), outcome.reason))
            advance(utterance.duration)
    if not kept:
        first = left_out[0]
        raise AssonanceError(
            f"{corpus.name}: {model.name} can use none of the {len(corpus)} utterances; "
            f"the first, {first.path}: {first.reason}"
        )
    return Extraction(
        store=store,
        ids=tuple(utterance.id for utterance in kept),
        left_out=tuple(left_out),
        computed=computed,
        reused=len(kept) - computed,
        seconds=time.perf_counter() - started,
        resampled=sum(utterance.sampling_rate != model.sampling_rate for utterance in kept),
    )


def _ensure(
    store: ActivationStore,
    model: SpeechModel,
    utterance: Utterance,
    of_file: Callable[[Path], str],
) -> bool | UnusableAudio:
    """See that the store holds an utterance; say whether it was computed, or why it cannot be."""
    try:
        audio = utterance.fingerprint(of_file)
        if store.holds(utterance.id, audio):
            return False
        samples = utterance.read(model.sampling_rate, context=True)
        activations = model.run(samples).activations
    except UnusableAudio as error:
        return error
    times = model.frame_times(len(samples)) - utterance.lead
    kept = _own(times, utterance)
    store.write(
        utterance.id,
        {label: frames[kept] for label, frames in activations.items()},
        times[kept],
        audio,
    )
    return True


def _own(times: NDArray[np.float64], utterance: Utterance) -> slice:
    """Find the frames that are the utterance's own: those whose centre is not in its context."""
    first = np.searchsorted(times, 0) if utterance.before else 0
    last = np.searchsorted(times, utterance.duration) if utterance.after else len(times)
    return slice(int(first), int(last))


def _version() -> str:
    try:
        return version("assonance")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "source"
