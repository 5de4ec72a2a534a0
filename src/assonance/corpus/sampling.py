"""Sample a large corpus at random, balanced by speaker."""

import heapq
from collections.abc import Sequence

import numpy as np

from assonance.corpus.utterance import Utterance


def draw(utterances: Sequence[Utterance], seconds: float, seed: int) -> tuple[Utterance, ...]:
    """Sample utterances at random up to a total duration, balanced by speaker.

    The next utterance always comes from the speaker with the fewest seconds so far. If no utterance
    names a speaker, recordings take their place. If only some do, all others count as one speaker.

    Parameters
    ----------
    utterances
        Utterances to sample from.
    seconds
        Maximum total duration. An utterance that would exceed it is skipped.
    seed
        Random seed.

    Returns
    -------
    tuple of Utterance
        The sample, in the order of `utterances`.
    """
    named = any(each.speaker is not None for each in utterances)
    waiting: dict[str | None, list[int]] = {}
    for place in np.random.default_rng(seed).permutation(len(utterances)).tolist():
        each = utterances[place]
        waiting.setdefault(each.speaker if named else each.recording, []).append(place)
    # Ordered by seconds drawn, then by the shuffled order of the speakers.
    queue = [(0.0, number, places) for number, places in enumerate(waiting.values())]
    drawn: list[int] = []
    total = 0.0
    while queue:
        so_far, number, places = heapq.heappop(queue)
        place = places.pop()
        duration = utterances[place].duration
        if total + duration <= seconds:
            drawn.append(place)
            total += duration
            so_far += duration
        if places:
            heapq.heappush(queue, (so_far, number, places))
    return tuple(utterances[place] for place in sorted(drawn))
