"""Measure what models cost on this machine, on a few seconds of speech."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from assonance.activations.extraction import extract
from assonance.comparison.forecast.costs import seconds_of
from assonance.comparison.forecast.counts import Counts
from assonance.comparison.weights import are_large
from assonance.corpus import Corpus, Utterance
from assonance.models import SpeechModel, can_rest, is_precomputed
from assonance.utils.cores import cores
from assonance.utils.temporary import temporary_folder

_LONGEST = 10.0  # seconds of an utterance that models read, at most


@dataclass(frozen=True)
class ReadingCosts:
    """What a model takes to be read.

    Attributes
    ----------
    seconds, operations
        Seconds, and floating-point operations, for a second of speech.
    number
        Seconds to read one number back from its store.
    """

    seconds: float
    operations: float
    number: float


def measure_reading(counts: Counts) -> dict[str, ReadingCosts]:
    """Measure what each model takes to read speech into its store, by name.

    Models of one architecture are run once; outlines run with random weights. Models that will rest
    between utterances rest here, too.
    """
    roster = counts.extracted.roster
    resting = are_large(roster, counts.prepared.memory)
    speech = _sample(counts)
    found: dict[str, ReadingCosts] = {}
    with temporary_folder() as folder:
        for key, model in _distinct(counts).items():
            if resting and can_rest(model):
                model.rest(folder)
            found[key] = _read(model, speech, folder / f"{len(found)}")
    return {name: found[each.model.fingerprint] for name, each in roster.items()}


def _read(model: SpeechModel, speech: Corpus, folder: Path) -> ReadingCosts:
    """Run a model once to count its operations, then time it."""
    operations = 0.0
    if not is_precomputed(model):
        first = speech.utterances[0]
        with _Operations() as counted:  # type: ignore[no-untyped-call]
            model.run(first.read(model.sampling_rate))
        operations = counted.total / first.duration
    device = getattr(model, "device", "cpu")
    seconds = seconds_of(lambda: extract(model, speech, folder), device)
    store = extract(model, speech, folder).store
    numbers = sum(map(store.n_frames, store.ids)) * sum(store.layers.values())
    back = seconds_of(lambda: [store.read(id) for id in store.ids], "cpu")
    return ReadingCosts(seconds / speech.seconds, operations, back / numbers)


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts floating-point operations of products and convolutions, by torch's formulas.

    `FlopCounterMode` of torch does the same but fails in inference mode.
    """

    total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, or the parts that it is made of, and count."""
        kwargs = kwargs or {}
        formula = flop_registry.get(func.overloadpacket)
        if formula is None:
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        if formula is not None:
            self.total += formula(*args, **kwargs, out_val=result)
        return result


def _distinct(counts: Counts) -> Mapping[str, SpeechModel]:
    """Return one model of each fingerprint."""
    models = [each.model for each in counts.extracted.roster.values()]
    return {each.fingerprint: each for each in reversed(models)}


def _sample(counts: Counts) -> Corpus:
    """Choose an utterance for each core, of which the lengths are typical of the speech."""
    ordered = sorted(counts.speech, key=lambda each: each.duration)
    ends = np.cumsum([each.duration for each in ordered])
    places = (np.arange(cores()) + 0.5) / cores() * ends[-1]
    chosen = dict.fromkeys(np.searchsorted(ends, places).tolist())
    shortened = tuple(_shortened(ordered[n], _LONGEST) for n in chosen)
    return replace(counts.speech, utterances=shortened)


def _shortened(utterance: Utterance, seconds: float) -> Utterance:
    """Return the beginning of an utterance that is longer than so many seconds."""
    most = utterance.first + int(seconds * utterance.sampling_rate)
    if utterance.last <= most:
        return utterance
    return replace(utterance, last=most, after=0)
