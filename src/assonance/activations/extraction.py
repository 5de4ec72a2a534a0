"""Extraction: run a model over a corpus into a store, once, whatever interrupts it."""

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assonance.activations.batching import alike, overlapped
from assonance.activations.store import ActivationStore
from assonance.corpus import Corpus, LeftOut, Utterance
from assonance.corpus.utterance import hash_of
from assonance.errors import AssonanceError, UnusableAudio, printable
from assonance.models import (
    BatchedModel,
    LayerOutputs,
    PrecomputedModel,
    SpeechModel,
    is_precomputed,
    is_rounded,
    runs_batches,
)
from assonance.settings import OnError
from assonance.utils.cores import worker_pool
from assonance.utils.progress import Progress, Silent

_SILENT = Silent()


_ON_ACCELERATOR = 100.0  # seconds of speech in a batch: some GB for a large model


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
    notes
        What to beware of.
    """

    store: ActivationStore
    ids: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    computed: int
    reused: int
    seconds: float
    resampled: int
    notes: tuple[str, ...] = ()


# Whether an utterance was computed now, or why it cannot be.
_Outcome = bool | UnusableAudio


def extract(
    model: SpeechModel,
    corpus: Corpus,
    folder: Path,
    *,
    progress: Progress = _SILENT,
    on_error: OnError = "skip",
    batch_seconds: float | None = None,
) -> Extraction:
    """Run a model over a corpus into a store; what the store holds already is not run again.

    A run that was interrupted, however abruptly, and taken up again ends with the same bytes as
    one that was not, on the same machine. Utterances are computed side by side, each on one core,
    so the bytes do not depend on how many cores there are. On an accelerator they are computed in
    batches of like lengths, where the model's family allows that exactly, while others are read
    and written.

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
    batch_seconds
        Seconds of speech in a batch, padding counted; 0 for no batches. By default none on the
        CPU, and as many as keep an accelerator busy there.

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
    if on_error == "stop":
        stop_at_left_out(corpus)
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
    seconds = _batch_seconds(model) if batch_seconds is None else batch_seconds
    of_file = functools.cache(hash_of)  # many utterances may be cut from one file
    outcomes: dict[str, _Outcome] = {}
    stage = progress.stage(f"reading speech with {model.name}", corpus.seconds)
    with stage as advance, ExitStack() as workers:
        if seconds and runs_batches(model):
            done = _in_batches(store, model, corpus, seconds, of_file)
        else:
            share = workers.enter_context(worker_pool())
            each = share(lambda utterance: _ensure(store, model, utterance, of_file), corpus)
            done = zip(corpus, each, strict=True)
        for utterance, outcome in done:
            if isinstance(outcome, UnusableAudio) and on_error == "stop":
                raise UnusableAudio(
                    f"{outcome.reason}; mend or remove it", utterance.path
                ) from outcome
            outcomes[utterance.id] = outcome
            advance(utterance.duration)
    for utterance in corpus:
        outcome = outcomes[utterance.id]
        if isinstance(outcome, UnusableAudio):
            left_out.append(LeftOut(utterance.id, printable(utterance.path), outcome.reason))
        else:
            computed += outcome
            kept.append(utterance)
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
        resampled=0
        if is_precomputed(model)
        else sum(utterance.sampling_rate != model.sampling_rate for utterance in kept),
        notes=_rounding(model, kept[0]),
    )


def stop_at_left_out(corpus: Corpus) -> None:
    """Check that a corpus left out no utterance of its own.

    Raises
    ------
    UnusableAudio
        It did; the first is named.
    """
    if corpus.left_out:
        first = corpus.left_out[0]
        raise UnusableAudio(f"{first.reason}; mend or remove it", first.path)


def _batch_seconds(model: SpeechModel) -> float:
    return _ON_ACCELERATOR if runs_batches(model) and model.device != "cpu" else 0


def _ensure(
    store: ActivationStore,
    model: SpeechModel,
    utterance: Utterance,
    of_file: Callable[[Path], str],
) -> _Outcome:
    """See that the store holds an utterance; say whether it was computed, or why it cannot be."""
    try:
        if is_precomputed(model):
            return _copy(store, model, utterance)
        audio = utterance.fingerprint(of_file)
        if store.holds(utterance.id, audio):
            return False
        samples = utterance.read(model.sampling_rate, context=True)
        activations = model.run(samples).activations
    except UnusableAudio as error:
        return error
    _write(store, model, utterance, audio, len(samples), activations)
    return True


def _write(
    store: ActivationStore,
    model: SpeechModel,
    utterance: Utterance,
    audio: str,
    samples: int,
    activations: Mapping[str, NDArray[np.float32]],
) -> None:
    """Store the frames that are the utterance's own, with their times."""
    times = model.frame_times(samples) - utterance.lead
    kept = _own(times, utterance)
    own = {label: frames[kept] for label, frames in activations.items()}
    store.write(utterance.id, own, times[kept], audio)


def _copy(store: ActivationStore, model: PrecomputedModel, utterance: Utterance) -> bool:
    """See that the store holds what is on file of an utterance."""
    file = model.identify(utterance)
    if store.holds(utterance.id, file):
        return False
    outputs, times = model.look_up(utterance)
    store.write(utterance.id, outputs.activations, times, file)
    return True


@dataclass
class _Batch:
    """Utterances on their way: what is known of some, and what is to be made of the others."""

    utterances: list[Utterance]
    outcomes: dict[str, _Outcome] = field(default_factory=dict)
    heard: list[tuple[Utterance, str, NDArray[np.float32]]] = field(default_factory=list)
    outputs: Sequence[LayerOutputs | UnusableAudio] = ()


def _in_batches(
    store: ActivationStore,
    model: BatchedModel,
    corpus: Corpus,
    seconds: float,
    of_file: Callable[[Path], str],
) -> Iterator[tuple[Utterance, _Outcome]]:
    """See that the store holds the utterances, a batch at a time; outcomes batch by batch.

    A batch of which anything is missing is computed whole: what comes of an utterance depends, in
    its last bits, on its company.
    """

    def read(utterances: list[Utterance]) -> _Batch:
        batch = _Batch(utterances)
        audio = {}
        for utterance in utterances:
            try:
                audio[utterance.id] = utterance.fingerprint(of_file)
            except UnusableAudio as error:
                batch.outcomes[utterance.id] = error
        if all(store.holds(id, file) for id, file in audio.items()):
            batch.outcomes |= dict.fromkeys(audio, False)
            return batch
        for utterance in utterances:
            if utterance.id in audio:
                try:
                    samples = utterance.read(model.sampling_rate, context=True)
                    batch.heard.append((utterance, audio[utterance.id], samples))
                except UnusableAudio as error:
                    batch.outcomes[utterance.id] = error
        return batch

    def compute(batch: _Batch) -> _Batch:
        batch.outputs = _run_batch(model, [samples for _, _, samples in batch.heard])
        return batch

    def write(batch: _Batch) -> list[tuple[Utterance, _Outcome]]:
        for (utterance, audio, samples), made in zip(batch.heard, batch.outputs, strict=True):
            if isinstance(made, UnusableAudio):
                batch.outcomes[utterance.id] = made
                continue
            missing = not store.holds(utterance.id, audio)
            if missing:
                _write(store, model, utterance, audio, len(samples), made.activations)
            batch.outcomes[utterance.id] = missing
        return [(utterance, batch.outcomes[utterance.id]) for utterance in batch.utterances]

    most = seconds if model.in_batches else 0
    batches = alike(tuple(corpus), lambda utterance: utterance.duration, most)
    for outcomes in overlapped(batches, read, compute, write):
        yield from outcomes


def _run_batch(
    model: BatchedModel, batch: Sequence[NDArray[np.float32]]
) -> Sequence[LayerOutputs | UnusableAudio]:
    """Run a batch; one by one where one of them, or all at once, cannot be run."""
    if len(batch) > 1:
        with suppress(UnusableAudio):
            return model.run_batch(batch)
    outputs: list[LayerOutputs | UnusableAudio] = []
    for samples in batch:
        try:
            outputs.append(model.run(samples))
        except UnusableAudio as error:
            outputs.append(error)
    return outputs


def _rounding(model: SpeechModel, utterance: Utterance) -> tuple[str, ...]:
    """Say what half precision costs, by the first utterance."""
    if not is_rounded(model):
        return ()
    layer, error = model.rounding(utterance.read(model.sampling_rate))
    return (
        f"{model.name} is computed in {model.precision}: on {printable(utterance.id)} its layers "
        f"differ from float32 by up to {error:.1%} of their deviation, {layer} most",
    )


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
