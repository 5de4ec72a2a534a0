"""Measure what models and their attention cost on this machine, on a few seconds of speech."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from assonance.activations.attention_maps import AttentionMaps
from assonance.activations.extraction import extract
from assonance.comparison.forecast.costs import fit_costs, seconds_of
from assonance.comparison.forecast.counts import Counts
from assonance.comparison.plan import layer_name
from assonance.corpus import Corpus, Utterance
from assonance.models import SpeechModel, is_precomputed
from assonance.scoring.attention_pass import AttentionPass
from assonance.utils.cores import cores
from assonance.utils.progress import Silent
from assonance.utils.temporary import temporary_folder

_LONGEST = 10.0  # seconds of an utterance that models read, at most
_FEW = 3  # blocks of each model whose heads are compared, at least
_AFFORDED = 1e9  # pairs of heads times elements of their maps that are compared at once, at most
_LONGER = 2  # times the speech of the shorter passes
_SHORT = 0.5  # seconds of speech that are enough to compile what is compiled


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


@dataclass(frozen=True)
class AttentionCosts:
    """Seconds that comparing attention takes.

    Attributes
    ----------
    second
        For each second of speech, to compute the maps.
    pair
        For each pair of heads, to score the sums.
    square
        For each pair of heads and two frames, to compare the maps.
    """

    second: float
    pair: float
    square: float


def measure_reading(counts: Counts) -> dict[str, ReadingCosts]:
    """Measure what each model takes to read speech into its store, by name.

    Models of one architecture are run once; outlines run with random weights.
    """
    speech = _sample(counts)
    found: dict[str, ReadingCosts] = {}
    with temporary_folder() as folder:
        for key, model in _distinct(counts).items():
            found[key] = _read(model, speech, folder / f"{len(found)}")
    roster = counts.extracted.roster
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


def measure_attention(counts: Counts) -> AttentionCosts | None:
    """Measure what comparing attention takes; None if no heads are compared.

    Passes over few and over many blocks of each model, and over more speech, give each cost.
    """
    if counts.attention is None:
        return None
    memory, device = counts.prepared.memory, counts.plan.device
    utterances = _sample(counts).utterances
    again = [
        replace(each, id=f"{each.id} ({time})") for time in range(_LONGER) for each in utterances
    ]
    most = max(len(each.model.heads) for each in counts.extracted.roster.values())
    some = most
    while some > _FEW and _pairs_of_frames(_pass(counts, some, utterances)) > _AFFORDED:
        some -= 1

    def timed(blocks: int, speech: Sequence[Utterance]) -> tuple[tuple[float, ...], float]:
        compared = _pass(counts, blocks, speech)
        taken = seconds_of(lambda: compared.run(memory=memory, progress=Silent()), device)
        pairs = compared.head_pairs
        return (sum(compared.source.durations), pairs, _pairs_of_frames(compared)), taken

    timed(1, [_shortened(utterances[0], _SHORT)])  # compiles what is compiled at its first use
    passes = [timed(1, utterances), timed(some, utterances), timed(some, again)]
    return AttentionCosts(*fit_costs(*zip(*passes, strict=True)))


def attention_seconds(counts: Counts, costs: AttentionCosts | None) -> float:
    """Return the seconds that the pass over attention maps takes."""
    if counts.attention is None or costs is None:
        return 0.0
    compared = counts.attention
    return (
        costs.second * sum(compared.source.durations)
        + costs.pair * compared.head_pairs
        + costs.square * _pairs_of_frames(compared)
    )


def _pairs_of_frames(compared: AttentionPass) -> float:
    """Return the number of pairs of heads times the elements of all maps of a head."""
    source = compared.source
    assert isinstance(source, AttentionMaps)  # noqa: S101 - as ComparisonPlan makes it
    elements = (n * frames**2 for n, frames in zip(source.pieces, source.frames, strict=True))
    return float(compared.head_pairs * sum(elements))


def _pass(counts: Counts, blocks: int, utterances: Sequence[Utterance]) -> AttentionPass:
    """Return the pass over utterances, over so many blocks of each model."""
    plan = counts.plan
    chosen = _distinct(counts)
    models: dict[str, Any] = {
        name: _FewBlocks(chosen[each.model.fingerprint], blocks)
        for name, each in counts.extracted.roster.items()
        if not each.baseline
    }
    whole = counts.attention
    assert whole is not None  # noqa: S101 - its caller checks
    source = AttentionMaps(
        models, utterances, longest=plan.settings.attention_seconds, layer_name=layer_name
    )
    groups = np.arange(len(utterances)) % whole.resampling.groups
    resampling = replace(whole.resampling, group_of_utterance=groups)
    return AttentionPass(
        source, whole.measures, plan.settings, resampling, rules=plan.map_pairs, rows=whole.rows
    )


class _FewBlocks:
    """A model of whose blocks only the first few have heads to compare."""

    def __init__(self, model: SpeechModel, blocks: int) -> None:
        self._model = model
        self.heads = dict([*model.heads.items()][:blocks])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


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
