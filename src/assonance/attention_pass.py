"""The pass over the attention: every model once more over the speech, its maps compared at once."""

from collections.abc import Callable, Mapping, Sequence

import torch

from assonance.corpus import Utterance
from assonance.head_scores import HeadScores
from assonance.measures import Measure, Settings
from assonance.models import SpeechModel
from assonance.parallel import on_cores
from assonance.progress import Progress
from assonance.statistics import HeadSums

# float64 copies of attention that comparing keeps of every head: as they are, standardised, and
# without their smallest values.
_COPIES = 3
_FLOAT64 = 8

Wanted = Callable[[str, str], bool]


def attention_pass(
    models: Mapping[str, SpeechModel],
    utterances: Sequence[Utterance],
    measures: Sequence[Measure],
    settings: Settings,
    *,
    name_of: Callable[[str, str], str],
    wanted: Wanted,
    memory: float,
    progress: Progress,
) -> tuple[HeadScores | None, list[str]]:
    """Score every wanted pair of layers by their attention heads.

    Every model runs over every utterance once more: maps are too large to keep.

    Parameters
    ----------
    models
        By name, in order.
    utterances
        What every model can use.
    measures, settings
        Head measures, and how they are taken.
    name_of
        Name of a model's layer.
    wanted
        Which pairs of layer names.
    memory
        Bytes that the maps of one utterance may take; a longer utterance is passed over.
    progress
        Told of the seconds of speech done.

    Returns
    -------
    tuple of HeadScores or None, and list of str
        The scores, None where every utterance is too long; and what to beware of.
    """
    heads = {
        name_of(model, label): count
        for model, adapter in models.items()
        for label, count in adapter.heads.items()
    }
    names = list(heads)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i:] if wanted(a, b)]
    rates = {each.sampling_rate for each in models.values()}
    # As many utterances are in work at once as there are cores.
    room = memory / torch.get_num_threads()

    def compare(utterance: Utterance) -> HeadSums | None:
        audio = {rate: utterance.read(rate) for rate in rates}
        frames = max(each.n_frames(len(audio[each.sampling_rate])) for each in models.values())
        if _FLOAT64 * _COPIES * sum(heads.values()) * frames**2 > room:
            return None
        sums = HeadSums(heads, pairs)
        sums.update(
            {
                name_of(model, label): torch.from_numpy(maps)
                for model, adapter in models.items()
                for label, maps in adapter.run(
                    audio[adapter.sampling_rate], attention=True
                ).attentions.items()
            }
        )
        return sums

    total = HeadSums(heads, pairs)
    passed_over = []
    stage = progress.stage("comparing attention", sum(each.duration for each in utterances))
    with stage as advance, on_cores() as share:
        for utterance, sums in zip(utterances, share(compare, utterances), strict=True):
            if sums is None:
                passed_over.append(utterance.id)
            else:
                total = total.merge(sums)
            advance(utterance.duration)
    cautions = []
    if passed_over:
        cautions.append(
            f"{len(passed_over)} of {len(utterances)} utterances, the first {passed_over[0]!r}, "
            f"are too long for their attention to fit into {room / 2**30:.1f} GiB and are left "
            "out of the attention measures; cut them up or allow more memory"
        )
    if len(passed_over) == len(utterances):
        return None, cautions
    scores = HeadScores(heads, measures)
    for a, b in pairs:
        scores.add(a, b, total.pair(a, b), settings)
    return scores, cautions
