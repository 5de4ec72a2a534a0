"""Run models once over most utterances, for their activations and their attention together."""

import functools
from collections.abc import Callable, Iterable
from pathlib import Path

from assonance.activations.attention_maps import Heard, is_whole, reads_with_maps
from assonance.activations.planned import AwaitedStore, plan_extraction
from assonance.activations.utterance_frames import write_frames
from assonance.comparison.extracted import Extracted, keep_shared, needs_frames, store_of
from assonance.comparison.plan import ComparisonPlan
from assonance.comparison.request import Request
from assonance.corpus import Corpus, Utterance
from assonance.corpus.utterance import hash_of
from assonance.errors import UnusableAudio
from assonance.measures import Measure
from assonance.models import LayerOutputs
from assonance.models.roster import Roster
from assonance.utils.progress import Progress
from assonance.utils.work import Workplace

# Share of the speech in whole utterances from which on attention is compared first.
_WORTHWHILE = 0.5


def read_with_attention(
    roster: Roster,
    speech: Corpus,
    request: Request,
    folder: Path,
    place: Workplace,
    plan: Callable[[Extracted], ComparisonPlan],
    progress: Progress,
) -> bool:
    """Compare attention while models read the speech, if that spares much of the reading.

    Fills the stores of `extract_all`, and keeps the pieces of the pass over attention maps. Both
    complete what is not done here, and no bit of a result depends on it. If an utterance turns out
    to be unusable, the rest is left to them.

    Parameters
    ----------
    roster, speech, request, folder, progress
        As for `extract_all`.
    place
        Where pieces are computed and kept.
    plan
        Plans the passes over activations that are planned themselves.

    Returns
    -------
    bool
        Whether attention was compared.
    """
    try:
        if found := plan_with_attention(roster, speech, request, folder, plan):
            planned, heard = found
            planned.read_attention(progress, place, heard)
    except UnusableAudio:
        return False
    return found is not None


def plan_with_attention(
    roster: Roster,
    speech: Corpus,
    request: Request,
    folder: Path,
    plan: Callable[[Extracted], ComparisonPlan],
) -> tuple[ComparisonPlan, Heard] | None:
    """Plan the pass over attention maps before activations are there, and what writes these.

    Parameters
    ----------
    roster, speech, request, folder, plan
        As for `read_with_attention`.

    Returns
    -------
    tuple of ComparisonPlan and callable
        None if reading with attention spares little, or the activations are there.

    Raises
    ------
    UnusableAudio
        A file cannot be read.
    """
    measures = request.find_measures()
    if not seconds_with_attention(roster, speech, measures, request):
        return None
    stores = {name: store_of(folder, name, each, request) for name, each in roster.items()}
    filled = {name for name, each in roster.items() if reads_with_maps(each.model)}
    if all(len(stores[name].ids) >= len(speech) for name in filled):
        return None
    files = functools.cache(hash_of)  # many utterances may be cut from one file

    def write(name: str, utterance: Utterance, outputs: LayerOutputs) -> None:
        audio, store, model = utterance.fingerprint(files), stores[name], roster[name].model
        if name in filled and not store.holds(utterance.id, audio):
            samples = utterance.samples(model.sampling_rate)
            write_frames(store, model, utterance, audio, samples, outputs.activations)

    awaited = {
        name: AwaitedStore(stores[name], each.model, speech, files) for name, each in roster.items()
    }
    planned = {
        name: plan_extraction(each.model, speech, store=awaited[name])
        for name, each in roster.items()
    }
    return plan(keep_shared(roster, planned, speech, measures, request)), write


def seconds_with_attention(
    roster: Roster, speech: Corpus, measures: Iterable[Measure], request: Request
) -> float:
    """Return the seconds of speech that models are run on once, for activations and attention.

    Parameters
    ----------
    roster, speech, measures, request
        The models, the speech, the measures and the options.

    Returns
    -------
    float
        The length of the whole utterances; 0 if they are less than half of the speech, or if frames
        alone or attention alone is compared.
    """
    measures = list(measures)
    both = needs_frames(measures) and any(each.level == "head" for each in measures)
    if not both or not any(reads_with_maps(each.model) for each in roster.values()):
        return 0.0
    longest = request.settings.attention_seconds
    whole = sum(each.duration for each in speech if is_whole(each, longest))
    return whole if whole >= _WORTHWHILE * speech.seconds else 0.0
