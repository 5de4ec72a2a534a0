"""Long utterances as windows: each moment in one of them, with context where they meet."""

import math
from dataclasses import replace
from itertools import pairwise

from assonance.corpus.formats.entry import name_of_part
from assonance.corpus.utterance import Utterance
from assonance.errors import AssonanceError

# The longest stretch that a model is given at once, in seconds: all that Whisper takes, and what
# the attention of a large model takes a few hundred MB a layer for.
WINDOW = 30.0
SHORTEST_WINDOW = 1.0
# How much of a window is context, at either edge that is not the utterance's own: 1.5 s of 30 s is
# more than the positional convolutions of wav2vec 2.0 and its kin reach (1.28 s).
_CONTEXT = 1 / 20


def windows(utterance: Utterance, longest: float) -> list[Utterance]:
    """Cut an utterance into the fewest equal windows, where it is longer than one.

    Windows lie side by side. A model is given a window with a twentieth of `longest` before and
    after it, where the utterance goes on; only frames whose centre lies in the window itself are
    kept, so that each moment is counted once.

    Parameters
    ----------
    utterance
        What to cut.
    longest
        Seconds that a model is given at once, context included.

    Returns
    -------
    list of Utterance
        The utterance itself where it is no longer. Windows are named after its id and their own
        start and end in it.

    Raises
    ------
    AssonanceError
        `longest` is less than a second.
    """
    if not longest >= SHORTEST_WINDOW:
        raise AssonanceError(
            f"window {longest:g}: shorter than {SHORTEST_WINDOW:g} s; give more seconds"
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
            id=name_of_part(utterance.id, start / rate, end / rate),
            first=utterance.first + start,
            last=utterance.first + end,
            before=min(context, start),
            after=min(context, length - end),
            window_of=utterance.id,
            offset=start / rate,
            text=None,  # nobody says which words are in which window
        )
        for start, end in pairwise(edges)
    ]
