"""Run a model over a corpus into a store, resuming after any interruption."""

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assonance.__about__ import __version__
from assonance.activations.batching import batches_by_length, default_seconds, pipeline
from assonance.activations.rounding import FULL, largest_error
from assonance.activations.store import ActivationStore
from assonance.activations.unkept import UnkeptStore
from assonance.activations.utterance_frames import write_frames
from assonance.corpus import Corpus, LeftOut, Utterance
from assonance.corpus.utterance import hash_of, shown
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
from assonance.settings import OnError, Stored
from assonance.utils.cores import worker_pool
from assonance.utils.progress import Progress, Silent

_SILENT = Silent()


@dataclass(frozen=True)
class Extraction:
    """Result of running a model over a corpus.

    Attributes
    ----------
    store
        Store of the activations.
    ids
        Ids of the utterances of this corpus in the store, in the order of the corpus.
    left_out
        Utterances that the model could not use, and why, without those that the corpus left out.
    computed, reused
        Number of utterances run now, and number found in the store.
    seconds
        Duration of the run.
    resampled
        Number of utterances whose sampling rate differs from the model's.
    notes
        Caveats for readers of a result.
    rounding
        The layer that half precision on disk changed most, and by how much; see `largest_error`.
        None for float32.
    """

    store: ActivationStore
    ids: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    computed: int
    reused: int
    seconds: float
    resampled: int
    notes: tuple[str, ...] = ()
    rounding: tuple[str, float] | None = None


# Whether an utterance was computed now (True) or reused (False), or why it cannot be used.
Outcome = bool | UnusableAudio


def extract(
    model: SpeechModel,
    corpus: Corpus,
    folder: Path | None,
    *,
    progress: Progress = _SILENT,
    on_error: OnError = "skip",
    batch_seconds: float | None = None,
    precision: Stored = FULL,
) -> Extraction:
    """Run a model over a corpus into a store, skipping utterances that the store already has.

    A run that was interrupted and resumed leaves the same bytes as one that was not, on the same
    machine. On the CPU each utterance is computed on one core, so the bytes do not depend on the
    number of cores. An accelerator computes batches of utterances of similar length if the model's
    family allows exact batches, and reads and writes others meanwhile.

    Parameters
    ----------
    model
        Model to run.
    corpus
        Corpus to run it on.
    folder
        Folder of the store, new or from an earlier run of the same model; None to keep only the
        times of frames.
    progress
        Receives the seconds of audio done.
    on_error
        Whether to skip an utterance that cannot be used, or to stop at it; "stop" includes
        utterances that the corpus left out.
    batch_seconds
        Seconds of speech in a batch, with padding; 0 for no batches. By default no batches on the
        CPU, and enough to keep an accelerator busy.
    precision
        Number format of the frames on disk.

    Raises
    ------
    AssonanceError
        The folder belongs to another model, version or setting, or cannot be written; or no
        utterance can be used; or one cannot, and `on_error` is "stop". A later run resumes after
        the utterances that were computed.
    """
    store = open_store(folder, model, precision)
    return extract_into(
        store, model, corpus, progress=progress, on_error=on_error, batch_seconds=batch_seconds
    )


def extract_into(
    store: ActivationStore,
    model: SpeechModel,
    corpus: Corpus,
    *,
    progress: Progress,
    on_error: OnError,
    batch_seconds: float | None = None,
) -> Extraction:
    """Run a model over a corpus into an open store; see `extract`."""
    started = time.perf_counter()
    if on_error == "stop":
        stop_at_left_out(corpus)
    outcomes = fill(store, model, corpus, batch_seconds, on_error, progress)
    return _summarise(store, model, corpus, outcomes, started)


def stop_at_left_out(corpus: Corpus) -> None:
    """Check that the corpus left out no utterance.

    Raises
    ------
    UnusableAudio
        It left out some; the error names the first.
    """
    if corpus.left_out:
        first = corpus.left_out[0]
        raise UnusableAudio(f"{first.reason}; mend or remove it", first.shown)


def open_store(
    folder: Path | None,
    model: SpeechModel,
    precision: Stored,
    layers: Mapping[str, int] | None = None,
    *,
    verify: bool = True,
) -> ActivationStore:
    """Open the store of a model's activations.

    Parameters
    ----------
    folder, model, precision
        As for `extract`.
    layers
        Number of neurons of each layer to store, by label; all layers by default.
    verify
        Whether to verify all checksums of what is there; whoever reads a shard does so again.
    """
    fingerprint = {
        "version": __version__,
        "model": model.fingerprint,
        "sampling_rate": f"{model.sampling_rate} Hz",
    }
    about: dict[str, Any] = {"fingerprint": fingerprint, "layers": layers or model.widths}
    if folder is None:
        return UnkeptStore(**about)
    return ActivationStore(folder, **about, precision=precision, verify=verify)


def fill(
    store: ActivationStore,
    model: SpeechModel,
    corpus: Corpus,
    batch_seconds: float | None,
    on_error: OnError,
    progress: Progress,
) -> dict[str, Outcome]:
    """Fill the store, and return the outcome of each utterance by id."""
    of_file = functools.cache(hash_of)  # many utterances may be cut from one file
    batch_seconds = default_seconds(model) if batch_seconds is None else batch_seconds
    outcomes: dict[str, Outcome] = {}
    stage = progress.stage(f"reading speech with {model.name}", corpus.seconds)
    with stage as advance, ExitStack() as workers:
        if batch_seconds and runs_batches(model):
            done = _in_batches(store, model, corpus, batch_seconds, of_file)
        else:
            pool_map = workers.enter_context(worker_pool())
            each = pool_map(lambda utterance: _ensure(store, model, utterance, of_file), corpus)
            done = zip(corpus, each, strict=True)
        for utterance, outcome in done:
            if isinstance(outcome, UnusableAudio) and on_error == "stop":
                raise UnusableAudio(
                    f"{outcome.reason}; mend or remove it", shown(utterance.id, utterance.path)
                ) from outcome
            outcomes[utterance.id] = outcome
            advance(utterance.duration)
    return outcomes


def _summarise(
    store: ActivationStore,
    model: SpeechModel,
    corpus: Corpus,
    outcomes: Mapping[str, Outcome],
    started: float,
) -> Extraction:
    """Count the outcomes, and refuse a corpus without a usable utterance."""
    kept: list[Utterance] = []
    left_out: list[LeftOut] = []
    computed = 0
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
            f"the first, {first.shown}: {first.reason}"
        )
    resampled = 0
    if not is_precomputed(model):
        resampled = sum(each.sampling_rate != model.sampling_rate for each in kept)
    return Extraction(
        store=store,
        ids=tuple(utterance.id for utterance in kept),
        left_out=tuple(left_out),
        computed=computed,
        reused=len(kept) - computed,
        seconds=time.perf_counter() - started,
        resampled=resampled,
        notes=_rounding_note(model, kept[0]),
        rounding=None
        if store.precision == FULL
        else largest_error(store.rounding(utterance.id) for utterance in kept),
    )


def _ensure(
    store: ActivationStore,
    model: SpeechModel,
    utterance: Utterance,
    of_file: Callable[[Path], str],
) -> Outcome:
    """Add an utterance to the store unless it is there, and return the outcome."""
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
    write_frames(store, model, utterance, audio, len(samples), activations)
    return True


def _copy(store: ActivationStore, model: PrecomputedModel, utterance: Utterance) -> bool:
    """Copy precomputed activations of an utterance to the store unless they are there."""
    file = model.identify(utterance)
    if store.holds(utterance.id, file):
        return False
    outputs, times = model.look_up(utterance)
    store.write(utterance.id, outputs.activations, times, file)
    return True


@dataclass
class _Batch:
    """A batch in progress: outcomes known so far, and the samples and outputs of the rest."""

    utterances: list[Utterance]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    loaded: list[tuple[Utterance, str, NDArray[np.float32]]] = field(default_factory=list)
    outputs: Sequence[LayerOutputs | UnusableAudio] = ()


def _in_batches(
    store: ActivationStore,
    model: BatchedModel,
    corpus: Corpus,
    seconds: float,
    of_file: Callable[[Path], str],
) -> Iterator[tuple[Utterance, Outcome]]:
    """Add utterances to the store in batches, and yield their outcomes batch by batch.

    If any utterance of a batch is missing, the whole batch is computed, because the last bits of
    activations depend on the other utterances of the batch.
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
                    batch.loaded.append((utterance, audio[utterance.id], samples))
                except UnusableAudio as error:
                    batch.outcomes[utterance.id] = error
        return batch

    def compute(batch: _Batch) -> _Batch:
        batch.outputs = _run_batch(model, [samples for _, _, samples in batch.loaded])
        return batch

    def write(batch: _Batch) -> list[tuple[Utterance, Outcome]]:
        for (utterance, audio, samples), outputs in zip(batch.loaded, batch.outputs, strict=True):
            if isinstance(outputs, UnusableAudio):
                batch.outcomes[utterance.id] = outputs
                continue
            missing = not store.holds(utterance.id, audio)
            if missing:
                write_frames(store, model, utterance, audio, len(samples), outputs.activations)
            batch.outcomes[utterance.id] = missing
        return [(utterance, batch.outcomes[utterance.id]) for utterance in batch.utterances]

    most = seconds if model.in_batches else 0
    batches = batches_by_length(tuple(corpus), lambda utterance: utterance.duration, most)
    for outcomes in pipeline(batches, read, compute, write):
        yield from outcomes


def _run_batch(
    model: BatchedModel, batch: Sequence[NDArray[np.float32]]
) -> Sequence[LayerOutputs | UnusableAudio]:
    """Run a batch, or its utterances one by one if the batch cannot be run."""
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


def _rounding_note(model: SpeechModel, utterance: Utterance) -> tuple[str, ...]:
    """Describe the rounding error of half precision on the first utterance."""
    if not is_rounded(model):
        return ()
    layer, error = model.rounding(utterance.read(model.sampling_rate))
    return (
        f"{model.name} is computed in {model.precision}: on {printable(utterance.id)} its layers "
        f"differ from float32 by up to {error:.1%} of their standard deviation (most in {layer})",
    )
