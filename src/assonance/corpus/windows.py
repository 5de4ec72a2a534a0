"""Cut long utterances into windows with context, so that every moment is in exactly one."""

import math
from dataclasses import replace
from itertools import pairwise

from assonance.corpus.formats.entry import segment_id
from assonance.corpus.utterance import Utterance
from assonance.errors import AssonanceError

# Seconds. Whisper's limit; the attention of a large model then needs a few hundred MB a layer.
WINDOW = 30.0
SHORTEST_WINDOW = 1.0
# Part of a window that is context, at each edge that is not an edge of the utterance. 1.5 s of 30 s
# is more than the reach of the positional convolutions of wav2vec 2.0 and its relatives (1.28 s).
_CONTEXT = 1 / 20


def cut_into_windows(utterance: Utterance, longest: float) -> list[Utterance]:
    """Cut an utterance into the fewest equal windows that fit a maximum duration.

    Windows are adjacent. Where the utterance continues, a model also gets a twentieth of `longest`
    as context before and after the window. Only frames whose centre lies in the window itself are
    kept, so every moment counts once.

    Parameters
    ----------
    utterance
        Utterance to cut.
    longest
        Maximum duration that a model processes at once, in seconds, context included.

    Returns
    -------
    list of Utterance
        Only the utterance itself if it is short enough. The id of a window is that of the
        utterance, with the start and end of the window in it.

    Raises
    ------
    AssonanceError
        `longest` is less than a second.
    """
    if not longest >= SHORTEST_WINDOW:
        raise AssonanceError(
            f"window {longest:g}: shorter than {SHORTEST_WINDOW:g} s; allow more seconds"
        )
    if utterance.duration <= longest:
        return [utterance]
    rate = utterance.sampling_rate
    context = round(_CONTEXT * longest * rate)
    length = utterance.last - utterance.first
    count = math.ceil(length / (longest * rate - 2 * context))
    edges = [round(length * number / count) for number in range(count + 1)]
    return [
        replace(
            utterance,
            id=segment_id(utterance.id, start / rate, end / rate),
            first=utterance.first + start,
            last=utterance.first + end,
            before=min(context, start),
            after=min(context, length - end),
            window_of=utterance.id,
            offset=start / rate,
            text=None,  # which words are in which window is unknown
        )
        for start, end in pairwise(edges)
    ]
